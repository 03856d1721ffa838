package endtoend_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"github.com/earshot-audio/earshot/loadgen"
	"github.com/earshot-audio/earshot/loadgen/coordinator"
	"github.com/earshot-audio/earshot/loadgen/driver"
	"github.com/earshot-audio/earshot/loadgen/meter"
	"github.com/earshot-audio/earshot/loadgen/report"
	"github.com/earshot-audio/earshot/loadgen/scenario"
	"github.com/earshot-audio/earshot/loadgen/workers"
	"github.com/earshot-audio/earshot/signaling/wire"
)

// moderated is whom the moderator of a server asked to do something about, and who raised their
// hands, by their names in the cast. It is safe for concurrent use.
type moderated struct {
	mu    sync.Mutex
	names map[string]string // by what the server calls them
	acts  map[string][]string
}

func newModerated() *moderated {
	return &moderated{names: map[string]string{}, acts: map[string][]string{}}
}

// watch is a tap for each connection.
func (m *moderated) watch() signalingTap { return &watched{all: m} }

// played are the names of each act, in their order.
func (m *moderated) played() map[string][]string {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, names := range m.acts {
		slices.Sort(names)
	}
	return m.acts
}

// watched is a connection of somebody whose name is known.
type watched struct {
	all  *moderated
	name string
}

func (w *watched) fromClient(m message) (answer any, pass, open bool) {
	w.all.mu.Lock()
	defer w.all.mu.Unlock()
	act := func(name string) {
		what := string(m.Type)
		if m.Type == wire.TypeMute {
			what = fmt.Sprintf("%s %v", what, m.Muted)
		}
		w.all.acts[what] = append(w.all.acts[what], name)
	}
	switch m.Type {
	case wire.TypeJoin:
		w.name = m.Name
	case wire.TypeRaiseHand:
		act(w.name)
	case wire.TypeMute, wire.TypePromote, wire.TypeDemote, wire.TypeRemove, wire.TypeBan:
		act(w.all.names[m.Member])
	}
	return nil, true, true
}

func (w *watched) fromServer(m message) {
	w.all.mu.Lock()
	defer w.all.mu.Unlock()
	if m.Type == wire.TypeJoined {
		w.all.names[m.Member] = w.name
	}
}

// playedByWorkers has several workers play a scenario, all in this process; the configuration of each may be
// changed. It returns an error if one of them could not play its part.
func playedByWorkers(t *testing.T, n int, s *scenario.Scenario, url string, change ...func(worker int, cfg *loadgen.Config)) (*loadgen.Result, error) {
	t.Helper()
	return playedByWorkersOf(t, n, s, func() driver.Driver { return native(t, url) }, change...)
}

// playedByWorkersOf does so with other drivers: each process has its own.
func playedByWorkersOf(t *testing.T, n int, s *scenario.Scenario, drive func() driver.Driver, change ...func(worker int, cfg *loadgen.Config)) (*loadgen.Result, error) {
	t.Helper()
	c, err := workers.NewCoordinator(workers.Config{Listen: "127.0.0.1:0", Plan: workers.Plan{Workers: n, Scenario: s}})
	require.NoError(t, err)
	defer func() { assert.NoError(t, c.Close()) }()
	ctx, cancel := context.WithCancel(t.Context())
	var playing errgroup.Group
	defer func() { _ = playing.Wait() }() // if the test has failed
	defer cancel()
	for i := range n {
		d := drive()
		playing.Go(func() error {
			m, err := workers.Join(ctx, workers.Enrolment{URL: c.JoinURL(), Secret: c.Secret(), Wait: patience, Name: fmt.Sprint(i)})
			if err != nil {
				return err
			}
			defer m.Close()
			cfg := loadgen.Config{Scenario: m.Plan.Scenario, Driver: d}
			for _, c := range change {
				c(i, &cfg)
			}
			return m.Play(ctx, cfg)
		})
	}
	cfg := loadgen.Config{Scenario: s, Driver: drive()}
	require.NoError(t, c.Wait(t.Context(), patience))
	stage, err := coordinator.OpenStage(t.Context(), cfg)
	require.NoError(t, err)
	defer func() { assert.NoError(t, stage.Close()) }()
	clock, err := c.Start(stage.Tickets)
	require.NoError(t, err)
	result, err := coordinator.Run(t.Context(), cfg, clock, c)
	if err = errors.Join(err, playing.Wait()); err != nil {
		return nil, err
	}
	if result.Overrun != "" {
		err = errors.New(result.Overrun)
	}
	for _, w := range result.Workers {
		if w.Lost != "" {
			err = errors.Join(err, fmt.Errorf("worker %s: %s", w.Name, w.Lost))
		}
	}
	return result, err
}

// tried plays a run up to three times: a busy machine may not let all of it be played.
func tried(t *testing.T, play func() (*loadgen.Result, error)) *loadgen.Result {
	t.Helper()
	var all error
	for range 3 {
		r, err := play()
		if err == nil {
			return r
		}
		all = errors.Join(all, err)
	}
	require.NoError(t, all)
	return nil
}

// workersHere is how many workers fit into a process that looks for races. How people are chosen does not
// depend on how many there are.
const workersHere = 5

// Workers have one moderator, who does to the same people of the cast what that of one process does. Some
// have nobody on stage.
func TestManyWorkersModerateWhomOneProcessDoes(t *testing.T) {
	t.Parallel()
	s := written(t, `
name: an evening of many
seed: 11
room: {capacity: 20, slots: 4}
cast:
  - {role: speaker, count: 4, audio: audio/guest.ogg}
  - {role: listener, count: 14, arrive: {within: 500ms}}
timeline:
  - {at: 500ms, who: listener, count: 5, do: raise-hand}
  - {at: 1s, who: speaker, count: 2, do: mute}
  - {at: 2s, who: listener, count: 3, do: kick}
  - {at: 4s, who: listener, count: 2, do: promote}
  - {at: 7s, who: listener, count: 2, do: ban}
  - {at: 7s, who: speaker, count: 2, do: demote}
hold: 9s
`)
	one := newModerated()
	alone, err := loadgen.Run(t.Context(), loadgen.Config{Scenario: s, Driver: native(t, proxySignaling(t, serve(t), one.watch))})
	require.NoError(t, err)
	require.Empty(t, alone.Problems)
	want := one.played()
	for act, people := range map[string]int{"raise-hand": 5, "mute true": 2, "remove": 3, "promote": 2, "ban": 2, "demote": 2} {
		require.Len(t, want[act], people, act)
	}

	var many *moderated
	together := tried(t, func() (*loadgen.Result, error) {
		many = newModerated()
		return playedByWorkers(t, workersHere, s, proxySignaling(t, serve(t), many.watch))
	})
	assert.Empty(t, together.Problems)
	assert.Len(t, together.Workers, workersHere)
	assert.Equal(t, want, many.played())
	for _, name := range []string{"mute_silence", "kick_silence", "promote_duration"} {
		assert.Equal(t, trendOf(t, alone.Values, name).Count(), trendOf(t, together.Values, name).Count(), name)
	}
}

// slowAtTheEnd is the meter of a server that takes its time to say what it uses, when it is asked at the end
// of the steady state.
type slowAtTheEnd struct {
	meter.Meter
	takes time.Duration
	asked atomic.Int32
}

func (m *slowAtTheEnd) Details(ctx context.Context) (meter.Details, error) {
	if m.asked.Add(1) > 1 {
		select {
		case <-time.After(m.takes):
		case <-ctx.Done():
		}
	}
	return meter.Details{}, nil
}

// A worker that is held up at the end of the steady state ends it with the others, and is not lost: what it
// measured and what they did belongs to the same seconds.
func TestAWorkerThatIsLateToTheEndIsNotLost(t *testing.T) {
	t.Parallel()
	const takes = 7 * time.Second // longer than a packet may be late
	s := written(t, `
name: late to the end
room: {capacity: 10, slots: 2}
cast:
  - {role: speaker, count: 2, audio: audio/guest.ogg}
  - {role: listener, count: 6, arrive: {within: 500ms}}
hold: 3s
thresholds: {joined: rate == 1}
`)
	r := tried(t, func() (*loadgen.Result, error) {
		return playedByWorkers(t, 2, s, serve(t), func(worker int, cfg *loadgen.Config) {
			if worker == 1 {
				cfg.Server = &slowAtTheEnd{Meter: meter.Process{PID: os.Getpid()}, takes: takes}
			}
		})
	})
	assert.GreaterOrEqual(t, r.Steady, s.Hold.Duration()+takes, "the others go on as long")
	assert.Positive(t, rateOf(t, r, "delivered").Passes)
	assert.NotEqual(t, report.Fail, report.Judge(r, s.Thresholds).Verdict)
}
