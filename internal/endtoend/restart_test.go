package endtoend_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

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
