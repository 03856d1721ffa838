package metric

import (
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/earshot-audio/earshot/loadgen/histogram"
)

// What many goroutines counted is what one recorded, to the last quantile.
func TestCountsEqualATrend(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		ns := rapid.SliceOf(rapid.OneOf(
			rapid.Int64Range(0, 5_000_000), rapid.Int64Range(0, 61_000_000_000), rapid.Int64Range(-1_000_000, 0),
		)).Draw(rt, "durations")
		var c Counts
		want, got := new(Trend), new(Trend)
		for _, n := range ns {
			c.Record(time.Duration(n))
			// A counter holds whole microseconds.
			want.Record(float64(n) / 1e6)
		}
		got.Take(c.Freeze())
		require.Equal(rt, want.Count(), got.Count())
		assert.Equal(rt, want.Over(), got.Over())
		assert.Equal(rt, want.Negative(), got.Negative())
		if want.Count() > 0 {
			assert.InDelta(rt, want.average(), got.average(), 1e-9)
		}
		assert.Equal(rt, want.min, got.min)
		assert.Equal(rt, want.max, got.max)
		for _, p := range []float64{0, 10, 50, 90, 99, 99.9, 100} {
			if want.Count() > 0 {
				assert.InDelta(rt, want.Quantile(p), got.Quantile(p), 0.0011+0.001*max(0, want.Quantile(p)))
			}
		}
		assert.Zero(rt, c.Freeze().Count(), "frozen, it is empty again")
	})
}

func TestCountsKeepTheValueOfEveryCounter(t *testing.T) {
	for i := range countsLen {
		require.Equal(t, i, histogram.Index(histogram.Least(i, countsBits), countsBits))
	}
	assert.Less(t, histogram.Index(trendMax, countsBits), countsLen)
}

func TestCountsAreSafeForConcurrentUse(t *testing.T) {
	var c Counts
	var all sync.WaitGroup
	for g := range 8 {
		all.Go(func() {
			for i := range 10_000 {
				c.Record(time.Duration(g*i) * time.Microsecond)
			}
		})
	}
	all.Wait()
	assert.EqualValues(t, 80_000, c.Freeze().Count())
}

func TestCoarseTrendIsWithinOnePercent(t *testing.T) {
	fine, coarse := new(Trend), NewCoarseTrend()
	for i := range 10_000 {
		v := float64(i*i) / 10_000
		fine.Record(v)
		coarse.Record(v)
	}
	for _, p := range []float64{1, 50, 95, 99, 99.9} {
		assert.InEpsilon(t, fine.Quantile(p), coarse.Quantile(p), 0.011)
	}
	assert.Equal(t, fine.Summary().Avg, coarse.Summary().Avg)
	both := NewCoarseTrend()
	both.Merge(fine)
	assert.Equal(t, fine.Count(), both.Count())
	assert.InEpsilon(t, fine.Quantile(99), both.Quantile(99), 0.011)
}

func BenchmarkCounts(b *testing.B) {
	var c Counts
	b.RunParallel(func(p *testing.PB) {
		d := 3 * time.Millisecond
		for p.Next() {
			c.Record(d)
			d = (d*7 + 13*time.Microsecond) % (20 * time.Millisecond)
		}
	})
}
