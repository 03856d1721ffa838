package metric

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func saved(t require.TestingT, trend *Trend) Saved {
	text, err := trend.Histogram()
	require.NoError(t, err)
	s := trend.Summary()
	return Saved{Histogram: text, Count: s.Count, Avg: s.Avg, Min: s.Min, Max: s.Max}
}

// Trends of several runs that were saved and added come to what one trend of
// all samples would have.
func TestSavedTrendsAddUp(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		all, sum := new(Trend), new(Trend)
		for range rapid.IntRange(1, 3).Draw(rt, "runs") {
			one := new(Trend)
			for _, v := range rapid.SliceOfN(rapid.Float64Range(-5, 70_000), 0, 20).Draw(rt, "values") {
				one.Record(v)
				all.Record(v)
			}
			again, err := saved(rt, one).Restore()
			require.NoError(rt, err)
			sum.Merge(again)
		}
		require.Equal(rt, all.Count(), sum.Count())
		assert.Equal(rt, all.Over(), sum.Over())
		if all.Count() == 0 {
			return
		}
		assert.Equal(rt, all.min, sum.min)
		assert.Equal(rt, all.max, sum.max)
		assert.InDelta(rt, all.Summary().Avg, sum.Summary().Avg, 1e-6)
		for _, p := range []float64{1, 50, 95, 99.9} {
			assert.Equal(rt, all.Quantile(p), sum.Quantile(p))
		}
	})
}

func TestRestoreRefuses(t *testing.T) {
	one := new(Trend)
	one.Record(3)
	good := saved(t, one)
	for name, tt := range map[string]struct {
		change func(*Saved)
		err    string
	}{
		"no base64":                 {func(s *Saved) { s.Histogram = "*" }, "read a histogram: illegal base64"},
		"no histogram":              {func(s *Saved) { s.Histogram = "AAAA" }, "read a histogram: "},
		"half a histogram":          {func(s *Saved) { s.Histogram = s.Histogram[:len(s.Histogram)/8*4] }, "read a histogram: "},
		"more samples than counted": {func(s *Saved) { s.Count = 1; s.Histogram = twice(t) }, "it has more samples than its count says"},
	} {
		t.Run(name, func(t *testing.T) {
			s := good
			tt.change(&s)
			_, err := s.Restore()
			assert.ErrorContains(t, err, tt.err)
		})
	}
}

func twice(t *testing.T) string {
	two := new(Trend)
	two.RecordN(3, 2)
	return saved(t, two).Histogram
}

func FuzzRestore(f *testing.F) {
	one := new(Trend)
	one.RecordN(3, 5)
	text, _ := one.Histogram()
	f.Add(text, uint64(5))
	f.Add("", uint64(1))
	f.Add("AAAA", uint64(1))
	f.Fuzz(func(t *testing.T, histogram string, count uint64) {
		trend, err := Saved{Histogram: histogram, Count: count, Max: 1}.Restore()
		if err != nil {
			return
		}
		require.Equal(t, count, trend.Count())
		if count > 0 {
			require.NotEmpty(t, trend.Summary())
		}
	})
}
