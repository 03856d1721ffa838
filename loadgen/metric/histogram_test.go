package metric

import (
	"strings"
	"testing"

	hdr "github.com/HdrHistogram/hdrhistogram-go"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// Whoever has the histograms of several runs and adds them, with the library of
// any language, has that of all their samples.
func TestHistogramsAddUp(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		all := new(Trend)
		sum := hdr.New(1, trendMax, trendDigits)
		for range rapid.IntRange(1, 3).Draw(rt, "runs") {
			one := new(Trend)
			for _, v := range rapid.SliceOfN(rapid.Float64Range(-5, 70_000), 0, 20).Draw(rt, "values") {
				one.Record(v)
				all.Record(v)
			}
			text, err := one.Histogram()
			require.NoError(rt, err)
			if text == "" {
				require.Equal(rt, one.Count(), one.Over(), "there is nothing to add")
				continue
			}
			h, err := hdr.Decode([]byte(text))
			require.NoError(rt, err)
			require.Zero(rt, sum.Merge(h), "none is out of range")
		}
		require.EqualValues(rt, all.Count()-all.Over(), sum.TotalCount())
		if sum.TotalCount() == 0 {
			return
		}
		text, err := all.Histogram()
		require.NoError(rt, err)
		one, err := hdr.Decode([]byte(text))
		require.NoError(rt, err)
		for _, p := range []float64{1, 50, 95, 99.9} {
			assert.Equal(rt, one.ValueAtPercentile(p), sum.ValueAtPercentile(p))
		}
	})
}

func TestParseHistogramReadsWhatHistogramWrites(t *testing.T) {
	trend := &Trend{}
	trend.RecordN(0.25, 3)
	trend.RecordN(20, 2)
	text, err := trend.Histogram()
	require.NoError(t, err)
	buckets, err := ParseHistogram(text)
	require.NoError(t, err)
	require.Len(t, buckets, 2)
	assert.InDelta(t, 0.25, buckets[0].Value, 0.001)
	assert.EqualValues(t, 3, buckets[0].Count)
	assert.InDelta(t, 20, buckets[1].Value, 0.02)
	assert.EqualValues(t, 2, buckets[1].Count)
	for _, bad := range []string{"", "x", "AAAA", strings.Repeat("A", maxHistogramBytes+1)} {
		_, err := ParseHistogram(bad)
		assert.Error(t, err)
	}
}
