package histogram_test

import (
	"math"
	"runtime"
	"testing"

	hdr "github.com/HdrHistogram/hdrhistogram-go"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/earshot-audio/earshot/loadgen/histogram"
)

const greatest = 60_000_000

// used are the library's counters that have counted something.
func used(h *hdr.Histogram) (all []hdr.Bar) {
	for _, b := range h.Distribution() {
		if b.Count > 0 {
			all = append(all, b)
		}
	}
	return all
}

func equal(t require.TestingT, want *hdr.Histogram, got *histogram.Histogram) {
	bars, counters := used(want), got.Counters()
	require.Len(t, counters, len(bars))
	counts := want.Export().Counts
	for i, c := range counters {
		assert.Equal(t, bars[i], hdr.Bar{From: c.Least, To: c.Most, Count: int64(c.Count)})
		assert.EqualValues(t, counts[c.Index], c.Count, "the counter is at the library's place")
	}
	require.EqualValues(t, want.TotalCount(), got.Total())
}

// TestCountsAsTheLibraryDoes records in several histograms of each kind, and merges them.
func TestCountsAsTheLibraryDoes(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		digits := rapid.IntRange(2, 3).Draw(rt, "digits")
		wantAll, all := hdr.New(1, greatest, digits), histogram.New(greatest, digits)
		for range rapid.IntRange(1, 3).Draw(rt, "histograms") {
			of := rapid.IntRange(2, 3).Draw(rt, "their digits")
			want, got := hdr.New(1, greatest, of), histogram.New(greatest, of)
			top := rapid.SampledFrom([]int64{10, 3000, 500_000, greatest}).Draw(rt, "up to")
			for _, v := range rapid.SliceOfN(rapid.Int64Range(0, top), 0, 30).Draw(rt, "values") {
				n := rapid.Int64Range(1, 5).Draw(rt, "times")
				require.NoError(rt, want.RecordValues(v, n))
				got.Record(v, uint64(n))
			}
			equal(rt, want, got)
			require.Zero(rt, wantAll.Merge(want))
			all.Merge(got)
		}
		equal(rt, wantAll, all)
		for rank := range all.Total() {
			p := 100 * float64(rank+1) / float64(all.Total())
			assert.Equal(rt, wantAll.ValueAtPercentile(p), all.AtRank(rank+1), "rank %d", rank+1)
		}
	})
}

// TestEachCounterIsTheLibrarys records numbers of every counter.
func TestEachCounterIsTheLibrarys(t *testing.T) {
	for _, digits := range []int{2, 3} {
		want, got := hdr.New(1, greatest, digits), histogram.New(greatest, digits)
		// No counter of three digits has fewer numbers than a step, and none begins after the last.
		for v := int64(0); v < 1<<26; v += 1 + v>>11 {
			require.NoError(t, want.RecordValues(v, 1))
			got.Record(v, 1)
		}
		equal(t, want, got)
		assert.Len(t, got.Counters(), len(want.Export().Counts), "they fill it")
	}
}

// TestWhatHasNoCounterIsRefused is for counters that another process has written.
func TestWhatHasNoCounterIsRefused(t *testing.T) {
	for _, digits := range []int{2, 3} {
		h := histogram.New(greatest, digits)
		counters := len(hdr.New(1, greatest, digits).Export().Counts)
		assert.False(t, h.Add(-1, 1))
		assert.False(t, h.Add(counters, 1))
		assert.Zero(t, h.Total())
		assert.True(t, h.Add(counters-1, math.MaxInt64-1))
		assert.False(t, h.Add(0, 2), "more than can be counted")
		full := histogram.New(greatest, digits)
		full.Record(7, 5)
		full.Merge(h)
		assert.EqualValues(t, 5, full.Total(), "so is a merge")
		assert.True(t, h.Add(0, 1))
	}
}

// TestMemoryIsThatOfTheGreatestNumber is why this package is.
func TestMemoryIsThatOfTheGreatestNumber(t *testing.T) {
	for _, c := range []struct {
		sentence string
		record   int64
		rows     uint64
	}{
		{"a millisecond in µs", 1000, 1},
		{"some milliseconds", 20_000, 5},
		{"a minute", greatest, 17},
	} {
		t.Run(c.sentence, func(t *testing.T) {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			h := histogram.New(greatest, 3)
			h.Record(c.record, 1)
			runtime.ReadMemStats(&after)
			assert.Less(t, after.TotalAlloc-before.TotalAlloc, (c.rows+2)*8<<10)
		})
	}
}
