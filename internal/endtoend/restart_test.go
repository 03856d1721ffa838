package endtoend_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/earshot-audio/earshot/loadgen"
	"github.com/earshot-audio/earshot/loadgen/driver"
	"github.com/earshot-audio/earshot/loadgen/driver/whep"
)

// restarting has five listeners restart ICE twice while somebody speaks.
const restarting = `
name: listeners restart ICE
room: {capacity: 20, slots: 1}
cast:
  - {role: speaker, count: 1, audio: audio/speech.ogg}
  - {role: listener, count: 7, arrive: {within: 200ms}}
timeline:
  - {at: 500ms, who: listener, count: 5, do: ice-restart}
  - {at: 1500ms, who: listener, count: 5, do: ice-restart}
hold: 3s
thresholds: {joined: rate == 1}
`

// TestRestartICEOfListeners: with every kind of signaling, whoever restarts misses not one
// packet, and takes no second seat. The room is full with them.
func TestRestartICEOfListeners(t *testing.T) {
	t.Parallel()
	url := serve(t)
	web, err := whep.New(url+"/rooms/{room}/whip", url+"/rooms/{room}/whep", "", nil)
	require.NoError(t, err)
	for name, d := range map[string]driver.Driver{"WebSocket": native(t, url), "WHEP": web} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			requireComplete(t, played(t, d, restarting))
		})
	}
}

// TestRestartICERefused: a server that does not restart is named, and its listeners hear on.
func TestRestartICERefused(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		behavior behavior
		want     string
	}{
		"it refuses every PATCH":                    {behavior{noPatch: true}, "405 Method Not Allowed"},
		"it takes the fragment for more candidates": {behavior{}, "did not restart"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := played(t, serveForeign(t, row.behavior).driver(), restarting)
			all, count := "", 0
			for _, p := range r.Problems {
				all, count = all+p.Doing+": "+p.Error+"\n", count+p.Count
			}
			assert.Contains(t, all, row.want)
			assert.Equal(t, 10, count, all)
			delivered := rateOf(t, r, "delivered")
			assert.GreaterOrEqual(t, delivered.Share(), ofForeign)
		})
	}
}

// actsAtOnce has listeners and speakers reconnect at the moments at which other things are asked of the server
// over their connections, or about them.
const actsAtOnce = `
name: acts of one moment
room: {capacity: 20, slots: 2}
join_deadline: 1m
cast:
  - {role: speaker, count: 3, audio: audio/guest.ogg}
  - {role: listener, count: 9, arrive: {within: 200ms}}
timeline:
  - {at: 500ms, who: listener, count: 9, do: reconnect}
  - {at: 500ms, who: listener, count: 4, do: ice-restart}
  - {at: 500ms, who: listener, count: 9, do: raise-hand}
  - {at: 500ms, who: speaker, count: 3, do: reconnect}
  - {at: 500ms, who: speaker, count: 1, do: mute}
  - {at: 4s, who: listener, count: 4, do: ice-restart}
  - {at: 4s, who: listener, count: 9, do: lower-hand}
  - {at: 4s, who: listener, count: 9, do: reconnect}
  - {at: 4s, who: speaker, count: 1, do: unmute}
  - {at: 4s, who: speaker, count: 3, do: reconnect}
hold: 6s
thresholds: {joined: rate == 1}
`

// TestActsOfOneMomentDoNotCutEachOtherOff: a reconnect waits until what was asked over the connection is answered,
// and what is to be asked waits for the new connection. Else the timeline could not be played, by the
// generator's doing.
func TestActsOfOneMomentDoNotCutEachOtherOff(t *testing.T) {
	t.Parallel()
	s := written(t, actsAtOnce)
	for name, play := range map[string]func() (*loadgen.Result, error){
		"one process": func() (*loadgen.Result, error) {
			return loadgen.Run(t.Context(), loadgen.Config{Scenario: s, Driver: native(t, serve(t))})
		},
		"workers": func() (*loadgen.Result, error) { return playedByWorkers(t, 3, s, serve(t)) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := tried(t, play)
			for _, p := range r.Problems { // a busy machine may have others
				assert.NotContains(t, p.Error, "the connection has ended")
				assert.NotContains(t, p.Error, "WebSocket")
			}
			assert.Positive(t, trendOf(t, r.Values, "reconnect_duration").Count())
		})
	}
}
