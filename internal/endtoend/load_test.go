package endtoend_test

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/earshot-audio/earshot/internal/testaudio"
	"github.com/earshot-audio/earshot/loadgen"
	"github.com/earshot-audio/earshot/loadgen/driver"
	"github.com/earshot-audio/earshot/loadgen/driver/earshot"
	"github.com/earshot-audio/earshot/loadgen/driver/whep"
	"github.com/earshot-audio/earshot/loadgen/metric"
	"github.com/earshot-audio/earshot/loadgen/scenario"
)

// played plays a scenario against a driver. Its audio are short clips of the
// voices in scenarios/audio.
func played(t *testing.T, d driver.Driver, yaml string) *loadgen.Result {
	t.Helper()
	s := written(t, yaml)
	result, err := loadgen.Run(t.Context(), loadgen.Config{Scenario: s, Driver: d})
	require.NoError(t, err)
	return result
}

func written(t *testing.T, yaml string) *scenario.Scenario {
	t.Helper()
	dir := t.TempDir()
	// Short clips repeat within the time in which a packet may be late, so that who
	// talks with somebody else's voice can't be told apart.
	require.NoError(t, os.Symlink(testaudio.Dir(), filepath.Join(dir, "audio")))
	path := filepath.Join(dir, "scenario.yaml")
	require.NoError(t, os.WriteFile(path, []byte(yaml), 0o644))
	s, err := scenario.Load(path)
	require.NoError(t, err)
	return s
}

func native(t *testing.T, url string) driver.Driver {
	t.Helper()
	d, err := earshot.New(url, "", nil)
	require.NoError(t, err)
	return d
}

func rateOf(t *testing.T, r *loadgen.Result, name string) metric.Rate {
	t.Helper()
	v, ok := r.Values[name].(metric.Rate)
	require.True(t, ok, "no %s", name)
	return v
}

// requireComplete requires that all joined and nothing was lost.
func requireComplete(t *testing.T, r *loadgen.Result) {
	t.Helper()
	requireDelivered(t, r, 1)
}

// ofForeign is how much a foreign server delivers at least. A listener is owed what is sent
// once its own side is connected; a Pion server whose side gets there a frame or two later
// has not sent them, which a busy machine shows.
const ofForeign = 0.95

// requireDelivered requires that all joined, and that at least so much was delivered.
func requireDelivered(t *testing.T, r *loadgen.Result, least float64) {
	t.Helper()
	assert.Empty(t, r.Problems)
	joined := rateOf(t, r, "joined")
	assert.Equal(t, joined.Total, joined.Passes, "joined")
	delivered := rateOf(t, r, "delivered")
	assert.GreaterOrEqual(t, delivered.Share(), least, "delivered: %d of %d", delivered.Passes, delivered.Total)
	assert.NotZero(t, delivered.Total)
	assert.Zero(t, rateOf(t, r, "unrecognised").Passes)
	latency, ok := r.Values["latency"].(*metric.Trend)
	require.True(t, ok)
	assert.Positive(t, latency.Summary().Min, "nothing is heard before it was sent")
}

// Whoever is on their way out is not chosen for what comes next: the server may not know them
// any more, and it would be the scenario that could not be played.
func TestTimelineChoosesNobodyOnTheirWayOut(t *testing.T) {
	t.Parallel()
	for _, verb := range []scenario.Verb{scenario.Kick, scenario.Ban, scenario.Leave} {
		for _, next := range []scenario.Verb{scenario.Reconnect, scenario.InviteToStage} {
			t.Run(fmt.Sprintf("%s, and then %s", verb, next), func(t *testing.T) {
				t.Parallel()
				r := played(t, native(t, serve(t)), fmt.Sprintf(`
name: most of them go
cast:
  - {role: host, count: 1, audio: audio/host.ogg}
  - {role: listener, count: 8, arrive: {within: 100ms}}
timeline:
  - {at: 200ms, who: listener, count: 4, do: %s}
  - {at: 1200ms, who: listener, count: 4, do: %s}
hold: 2s
`, verb, next))
				assert.Empty(t, r.Problems)
			})
		}
	}
}

func TestTimelineLosesNothing(t *testing.T) {
	t.Parallel()
	r := played(t, native(t, serve(t)), `
name: an evening in short
room: {capacity: 8, slots: 3}
cast:
  - {role: host, count: 1, audio: audio/host.ogg}
  - {role: speaker, count: 1, audio: audio/speech.ogg}
  - {role: listener, count: 8, arrive: {within: 500ms, shape: poisson}}
timeline:
  - {at: 200ms, who: listener, count: 3, do: raise-hand}
  - {at: 500ms, who: listener, count: 1, do: lower-hand}
  - {at: 800ms, who: listener, count: 1, do: promote}
  - {at: 1500ms, who: speaker, count: 2, do: mute}
  - {at: 2000ms, who: speaker, count: 1, do: unmute}
  - {at: 2500ms, who: speaker, count: 1, do: demote}
  - {at: 3000ms, who: listener, count: 2, do: leave}
  - {at: 3500ms, do: end}
hold: 4500ms
join_deadline: 30s
`)
	requireComplete(t, r)
	assert.EqualValues(t, 8, rateOf(t, r, "joined").Total)

	var delivered metric.Rate
	var arrivals, left int
	for _, p := range r.Series.Points {
		delivered.Passes += p.Delivered.Passes
		delivered.Total += p.Delivered.Total
		arrivals += p.Arrivals
		left = p.Left
	}
	assert.Equal(t, rateOf(t, r, "delivered"), delivered, "the series has all of it")
	assert.Equal(t, 8, arrivals)
	assert.Equal(t, 8, left, "two left, and the end of the room made the others leave")
	var marks []string
	for _, m := range r.Marks {
		marks = append(marks, m.Name)
	}
	assert.Equal(t, []string{
		"arrivals", "steady", "raise-hand 3 listeners", "lower-hand 1 listener", "promote 1 listener", "mute 2 speakers",
		"unmute 1 speaker", "demote 1 speaker", "leave 2 listeners", "end",
	}, marks)
}

func TestFullRoomCountsRefusedListenersAsLoss(t *testing.T) {
	t.Parallel()
	r := played(t, native(t, serve(t)), `
name: too small
room: {capacity: 3, slots: 1}
cast:
  - {role: speaker, count: 1, audio: audio/speech.ogg}
  - {role: listener, count: 5, arrive: {within: 200ms, shape: linear}}
hold: 6s
join_deadline: 2s
`)
	assert.Equal(t, metric.Rate{Passes: 3, Total: 5}, rateOf(t, r, "joined"))
	require.Len(t, r.Problems, 1)
	assert.Equal(t, 2, r.Problems[0].Count)
	assert.Contains(t, r.Problems[0].Error, "room_full")
	delivered := rateOf(t, r, "delivered")
	assert.Greater(t, delivered.Share(), 0.55, "two of five heard nothing, and are owed it from their deadlines on")
	assert.Less(t, delivered.Share(), 0.85)
}

func TestRoomEndIsLossUntilEndOfRun(t *testing.T) {
	t.Parallel()
	url := serve(t)
	d := native(t, url)
	s := written(t, `
name: the room ends too early
room: {capacity: 8, slots: 1}
cast:
  - {role: speaker, count: 1, audio: audio/speech.ogg}
  - {role: listener, count: 3, arrive: {within: 200ms, shape: linear}}
hold: 3s
`)
	var ended bool
	r, err := loadgen.Run(t.Context(), loadgen.Config{Scenario: s, Driver: d, Progress: func(p loadgen.Progress) {
		if p.Phase != "steady" || p.InPhase < 500*time.Millisecond || ended {
			return
		}
		ended = true
		// An operator ends all rooms behind the scenario's back.
		endRooms(t, url)
	}})
	require.NoError(t, err)
	assert.True(t, ended)
	delivered := rateOf(t, r, "delivered")
	assert.Less(t, delivered.Share(), 0.9)
	assert.NotZero(t, delivered.Passes)
}

func TestWHEPDriverLosesNothingOnOwnServer(t *testing.T) {
	t.Parallel()
	url := serve(t)
	d, err := whep.New(url+"/rooms/{room}/whip", url+"/rooms/{room}/whep", "", nil)
	require.NoError(t, err)
	requireComplete(t, played(t, d, `
name: by WHIP and WHEP
rooms: 2
room: {capacity: 5, slots: 3}
cast:
  - {role: speaker, count: 1, audio: [audio/speech.ogg, audio/reader.ogg]}
  - {role: listener, count: 4, arrive: {within: 300ms, shape: s-curve}}
timeline:
  - {at: 1s, who: listener, count: 1, do: leave}
hold: 2s
`))
}

// A section that a new talker takes goes on with the sequence of the one before: nothing of that is out
// of order.
func TestNewTalkerOfASectionIsInOrder(t *testing.T) {
	t.Parallel()
	r := played(t, native(t, serve(t)), `
name: two who take turns
room: {capacity: 6, slots: 1}
cast:
  - {role: speaker, count: 2, audio: [audio/speech.ogg, audio/reader.ogg], turns: {talk: 300ms}}
  - {role: listener, count: 4, arrive: {within: 200ms}}
hold: 2s
`)
	turns, ok := r.Values["onset_clip"].(*metric.Trend)
	require.True(t, ok)
	assert.Greater(t, turns.Count(), uint64(8), "there were new talkers")
	assert.Equal(t, metric.Counter(0), r.Values["out_of_order"])
	assert.Zero(t, rateOf(t, r, "unrecognised").Passes)
}

func TestWHEPDriverPlaysToForeignServer(t *testing.T) {
	t.Parallel()
	url := foreign(t)
	d, err := whep.New(url+"/whip/{room}", url+"/whep/{room}", "secret", nil)
	require.NoError(t, err)
	requireDelivered(t, played(t, d, `
name: somebody else's
room: {capacity: 8, slots: 1}
cast:
  - {role: speaker, count: 1, audio: audio/guest.ogg}
  - {role: listener, count: 8, arrive: {within: 300ms, shape: linear}}
hold: 2s
`), ofForeign)
}

func TestUnsupportedScenarioIsRefusedBeforeStart(t *testing.T) {
	d, err := whep.New("http://127.0.0.1:9/whip", "http://127.0.0.1:9/whep", "", nil)
	require.NoError(t, err)
	_, err = loadgen.Run(t.Context(), loadgen.Config{Driver: d, Scenario: written(t, `
name: hands
room: {capacity: 8, slots: 1}
cast:
  - {role: speaker, count: 1, audio: audio/guest.ogg}
  - {role: listener, count: 3, arrive: {shape: burst}}
timeline:
  - {at: 1s, who: listener, count: 1, do: raise-hand}
hold: 2s
`)})
	assert.ErrorIs(t, err, driver.ErrUnsupported)
}

func TestSimulatedNetworkShowsInFigures(t *testing.T) {
	t.Parallel()
	r := played(t, native(t, serve(t)), `
name: far away
room: {capacity: 8, slots: 1}
cast:
  - {role: speaker, count: 1, audio: audio/speech.ogg}
  - {role: listener, count: 8, arrive: {within: 300ms}, network: {name: far, delay: 60ms, down: {delay: 90ms, loss: 0.1}}}
hold: 5s
`)
	assert.Empty(t, r.Problems)
	joined := rateOf(t, r, "joined")
	assert.Equal(t, joined.Total, joined.Passes)
	latency, ok := r.Values["latency"].(*metric.Trend)
	require.True(t, ok)
	assert.GreaterOrEqual(t, latency.Summary().Min, 90.0, "nobody hears anything sooner than the network allows")
	delivered, recovered := rateOf(t, r, "delivered"), rateOf(t, r, "recovered")
	lost := float64(recovered.Total) / float64(delivered.Total)
	assert.Greater(t, lost, 0.07, "what is lost is asked for")
	assert.Less(t, lost, 0.3, "and little else, such as what is late on a busy machine")
	assert.Greater(t, recovered.Share(), 0.7, "and comes again, if it is not lost again and again")
	assert.Greater(t, delivered.Share(), 0.96)
	assert.Zero(t, rateOf(t, r, "unrecognised").Passes)
	assert.Equal(t, metric.Counter(0), r.Values["unauthentic"])
	assert.Zero(t, r.Generator.SocketDrops)
}

func TestListenerWithNewAddressIsFollowed(t *testing.T) {
	t.Parallel()
	r := played(t, native(t, serve(t)), `
name: from the WLAN into the street
room: {capacity: 8, slots: 1}
cast:
  - {role: speaker, count: 1, audio: audio/speech.ogg}
  - {role: listener, count: 6, arrive: {within: 300ms}, network: {name: moves, rebinds: [1s]}}
hold: 8s
`)
	assert.Empty(t, r.Problems)
	// They go on once their next consent check, 3 s later at the most, tells the
	// server where they are.
	gap, ok := r.Values["audio_gap"].(*metric.Trend)
	require.True(t, ok)
	assert.Greater(t, gap.Summary().Max, 100.0, "what goes to the old address is lost")
	delivered := rateOf(t, r, "delivered")
	assert.Greater(t, delivered.Share(), 0.55)
	assert.Less(t, delivered.Share(), 1.0)
}

// A room that holds its audience's packets delivers all of them, later; people on
// stage get theirs at once.
func TestAudienceHoldDelaysTheAudienceAlone(t *testing.T) {
	t.Parallel()
	s := written(t, `
name: held
room: {capacity: 8, slots: 1, audience_hold: 200ms}
cast:
  - {role: speaker, count: 1, audio: audio/speech.ogg}
  - {role: host, count: 1}
  - {role: listener, count: 4}
hold: 3s
thresholds:
  latency{role:host}: p(50) < 10s
`)
	r, err := loadgen.Run(t.Context(), loadgen.Config{Scenario: s, Driver: native(t, serve(t))})
	require.NoError(t, err)
	delivered := rateOf(t, r, "delivered")
	assert.Positive(t, delivered.Total)
	assert.Equal(t, delivered.Total, delivered.Passes)
	audience, ok := r.Values["latency"].(*metric.Trend)
	require.True(t, ok)
	stage, ok := r.Values["latency{role:host}"].(*metric.Trend)
	require.True(t, ok)
	assert.Greater(t, audience.Summary().Max, 190.0, "the first of ten frames waits for nine others")
	assert.Less(t, stage.Quantile(0.5), audience.Quantile(0.5))
}
