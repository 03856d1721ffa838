package record

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"pgregory.net/rapid"

	"github.com/earshot-audio/earshot/loadgen/metric"
)

// TestAllottedBoundsWhateverListenersLostByDrops allots drops to listeners as it may have been, and
// holds what is known of all of them at best against that.
func TestAllottedBoundsWhateverListenersLostByDrops(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		var truth, score metric.Trend
		var a allotted
		dropped := uint64(0)
		for range rapid.IntRange(1, 40).Draw(rt, "listeners") {
			lost := rapid.Uint64Range(0, 3000).Draw(rt, "lost")
			mine := rapid.Uint64Range(0, lost).Draw(rt, "dropped")
			if rapid.Bool().Draw(rt, "little") {
				mine /= 100
			}
			dropped += mine
			truth.Record(float64(lost - mine))
			score.Record(5 - float64(lost-mine)/1000)
			for i, each := range Allotments {
				left := lost - min(lost, each)
				a[i].losses.Record(float64(left))
				a[i].quality.Record(5 - float64(left)/1000)
			}
		}
		low := a.best(func(e *experiences) *metric.Trend { return &e.losses }, dropped, false)
		high := a.best(func(e *experiences) *metric.Trend { return &e.quality }, dropped, true)
		require.Equal(rt, truth.Count(), low.Count())
		require.Equal(rt, truth.Count(), high.Count())
		const rounding = 1e-9
		for p := 0.0; p <= 100; p += 2.5 {
			assert.LessOrEqual(rt, low.Quantile(p), truth.Quantile(p)+rounding, "p(%v)", p)
			assert.GreaterOrEqual(rt, high.Quantile(p), score.Quantile(p)-rounding, "p(%v)", p)
		}
		assert.LessOrEqual(rt, low.Summary().Avg, truth.Summary().Avg+rounding)
		assert.GreaterOrEqual(rt, high.Summary().Avg, score.Summary().Avg-rounding)
	})
}
