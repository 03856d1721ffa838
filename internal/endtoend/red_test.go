package endtoend_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/earshot-audio/earshot/loadgen"
	"github.com/earshot-audio/earshot/loadgen/metric"
)

// TestREDRepairsBothWays: a fifth of the packets of a mic that sends redundant audio is lost,
// and the server fills most of it in, for everybody. A fifth of what listeners get is lost, which
// is told from what reached them in copies.
func TestREDRepairsBothWays(t *testing.T) {
	t.Parallel()
	const cast = `
name: redundant audio
cast:
  - {role: speaker, count: 1, audio: audio/speech.ogg, network: {name: up, up: {loss: 0.2}}, repair: red}
  - {role: listener, count: 4, arrive: {within: 100ms}, network: {name: plain}, repair: none}
  - {role: listener, count: 4, arrive: {within: 100ms}, network: {name: red, down: {loss: 0.2}}, repair: red}
hold: 4s
`
	r, err := loadgen.Run(t.Context(), loadgen.Config{Scenario: written(t, cast), Driver: native(t, serve(t))})
	require.NoError(t, err)
	require.Contains(t, r.Values, "mic_loss")
	assert.InDelta(t, 20, r.Values["mic_loss"].(*metric.Trend).Summary().Max, 10, "percent, which the server counts without what the copies made up for")
	delivered := map[string]float64{}
	for _, g := range r.Groups {
		if g.By == "network" {
			delivered[g.Name] = g.Values["delivered"].(metric.Rate).Share()
		}
	}
	assert.Greater(t, delivered["plain"], 0.9, "a twenty-fifth of two losses in a row is left of a fifth")
	assert.InDelta(t, 0.8*delivered["plain"], delivered["red"], 0.1, "a copy is no packet")
	recovered := rateOf(t, r, "recovered{by:red}")
	assert.Greater(t, recovered.Total, uint64(50))
	assert.Greater(t, recovered.Share(), 0.3, "four fifths, but a busy machine plays a frame before its copy is read")
	assert.NotContains(t, r.Values, "recovered", "nobody asks again")
	assert.Zero(t, r.Values["duplicates"])
	assert.Empty(t, r.Problems)
}
