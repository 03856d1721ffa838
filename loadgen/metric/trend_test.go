package metric

import (
	"math"
	"slices"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func TestTrendSummary(t *testing.T) {
	var trend Trend
	for i := 1; i <= 1000; i++ {
		trend.Record(float64(i) / 1000) // 1 µs to 1 ms: exact in the histogram
	}
	assert.Equal(t, Summary{
		Count: 1000, Avg: 0.5005, Min: 0.001, Med: 0.5,
		P90: 0.9, P95: 0.95, P99: 0.99, P999: 0.999, Max: 1,
	}, trend.Summary())
}

func TestEmptyTrend(t *testing.T) {
	var trend Trend
	assert.Zero(t, trend.Summary())
	assert.True(t, math.IsNaN(trend.Quantile(50)))
	trend.RecordN(3, 0)
	assert.Zero(t, trend.Count())
}

func TestTrendLosesNothing(t *testing.T) {
	var trend Trend
	trend.RecordN(1, 96)
	trend.Record(-2) // the clock was stepped
	trend.Record(60_000)
	trend.Record(60_001)
	trend.Record(90_000)
	trend.Record(math.NaN())
	trend.RecordN(math.Inf(1), 2)

	assert.EqualValues(t, 100, trend.Count(), "all but those that are no numbers are samples")
	assert.EqualValues(t, 1, trend.Negative())
	assert.EqualValues(t, 2, trend.Over())
	assert.EqualValues(t, 3, trend.Invalid())
	s := trend.Summary()
	assert.Equal(t, -2.0, s.Min)
	assert.Equal(t, 90_000.0, s.Max)
	assert.Equal(t, 1.0, s.Med)
	assert.InEpsilon(t, 60_000, trend.Quantile(98), 0.001)
	least, most := trend.QuantileBounds(99)
	assert.Equal(t, []float64{60_000, 90_000}, []float64{least, most}, "of a quantile among the values beyond the range the bounds are known")
	assert.Equal(t, 60_000.0, trend.Quantile(99), "and it is not the greatest value")
	assert.True(t, trend.BeyondRange(99))
	assert.False(t, trend.BeyondRange(98))
	assert.False(t, trend.BeyondRange(100), "the greatest value is known")
	assert.InDelta(t, (96.0-2+60_000+60_001+90_000)/100, s.Avg, 1e-9)
}

func TestTrendBeyondItsRangeOnly(t *testing.T) {
	var trend Trend
	trend.RecordN(70_000, 3)
	assert.Equal(t, Summary{Count: 3, Avg: 70_000, Min: 70_000, Med: 70_000, P90: 70_000, P95: 70_000, P99: 70_000, P999: 70_000, Max: 70_000}, trend.Summary())
}

func TestQuantileOutOfRangeIsNoNumber(t *testing.T) {
	var trend Trend
	trend.Record(1)
	for _, p := range []float64{-1, 100.5, math.NaN()} {
		assert.True(t, math.IsNaN(trend.Quantile(p)), "p(%v)", p)
	}
}

// The nearest rank of the sorted samples is the definition that a quantile of
// the histogram must meet.
func TestQuantileIsNearestRank(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		values := rapid.SliceOfN(rapid.Float64Range(0, 59_000), 1, 300).Draw(t, "values")
		p := rapid.OneOf(rapid.Float64Range(0, 100), rapid.SampledFrom([]float64{0, 50, 90, 95, 99, 99.9, 100})).Draw(t, "p")
		var trend Trend
		for _, v := range values {
			trend.Record(v)
		}
		slices.Sort(values)
		want := values[trend.rank(p)-1]
		got := trend.Quantile(p)
		if got < want-0.00051 || got > want*1.001+0.00051 {
			t.Fatalf("p(%v) of %d values is %v, not %v", p, len(values), got, want)
		}
		share := float64(trend.rank(p)) / float64(len(values)) * 100
		if share < p-1e-9 {
			t.Fatalf("rank %d of %d holds only %v %%", trend.rank(p), len(values), share)
		}
	})
}

func TestTrendMergeEqualsOneTrend(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		value := rapid.OneOf(rapid.Float64Range(-5, 100), rapid.Float64Range(50_000, 70_000), rapid.Just(math.NaN()))
		a := rapid.SliceOf(value).Draw(t, "a")
		b := rapid.SliceOf(value).Draw(t, "b")
		var all, left, right Trend
		for _, v := range a {
			all.Record(v)
			left.Record(v)
		}
		for _, v := range b {
			all.Record(v)
			right.Record(v)
		}
		before := right.Summary()
		left.Merge(&right)
		want, got := all.Summary(), left.Summary()
		if got != want {
			t.Fatalf("merged %+v, not %+v", got, want)
		}
		if left.Over() != all.Over() || left.Negative() != all.Negative() || left.Invalid() != all.Invalid() {
			t.Fatal("what does not fit the histogram was not merged")
		}
		if right.Summary() != before {
			t.Fatal("the merged trend was changed")
		}
	})
}

func TestStripesKeepEveryRecord(t *testing.T) {
	s := NewStripes()
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			for range 1000 {
				s.Record(float64(i))
			}
			s.RecordN(100, 5)
		})
	}
	s.Snapshot() // while they record
	all.Wait()
	got := s.Snapshot().Summary()
	assert.EqualValues(t, 8*1005, got.Count)
	assert.Equal(t, 0.0, got.Min)
	assert.Equal(t, 100.0, got.Max)
	first := s.Snapshot()
	s.Record(1)
	require.EqualValues(t, 8*1005, first.Count(), "a snapshot belongs to its caller")
}

func BenchmarkStripesRecord(b *testing.B) {
	s := NewStripes()
	b.RunParallel(func(p *testing.PB) {
		for p.Next() {
			s.Record(12.5)
		}
	})
}

func TestTrendCountsTheSamplesUpToAValue(t *testing.T) {
	trend := &Trend{}
	for i := range 500 {
		trend.Record(float64(i%7) * 10)
	}
	assert.EqualValues(t, 72, trend.AtMost(0))
	assert.EqualValues(t, 144, trend.AtMost(10.1))
	assert.EqualValues(t, 500, trend.AtMost(1000))
	assert.Zero(t, new(Trend).AtMost(1))
}
