package metric

import (
	"math"
	"sort"

	"github.com/earshot-audio/earshot/loadgen/histogram"
)

// A trend keeps thousandths of its unit (1 µs, for the metrics in ms) from 0 up
// to 60,000 units, to three significant digits, in 140 KB at most: of values up to 16, in 40 KB.
const (
	trendScale  = 1000
	trendMax    = 60_000 * trendScale
	trendDigits = 3
	// Range is the greatest value that a trend's histogram has a place for, in the metric's
	// unit.
	Range = trendMax / trendScale
	// sumScale is what sums are kept in parts of.
	sumScale = 1_000_000
	// A coarse trend keeps two digits, in 17 KB at most.
	coarseDigits = 2
)

// A Trend is a distribution of values in bounded memory: an HDR histogram with
// the exact count, sum, least and greatest value beside it. A quantile is the
// true one to the nearest thousandth of a unit, or up to 0.1 % above it.
//
// Nothing that is recorded disappears. Values above 60,000 are counted in Over, and
// of a quantile that falls among them only the bounds are known. Negative values,
// which a step of the wall clock can cause, are counted in Negative; quantiles
// see them as 0, Avg and Min as they are. Values that are not finite are
// counted in Invalid and are not samples.
//
// The zero Trend is empty and ready. A Trend must not be copied after its first
// use and is not safe for concurrent use; [Stripes] is. Its methods record (this file), and
// go over the wire (wire.go, counts.go).
type Trend struct {
	histogram *histogram.Histogram // of the values up to trendMax; nil while there are none
	coarse    bool
	count     uint64
	sum       exactSum // in millionths of the unit: ns, for the metrics in ms
	min, max  float64

	over, negative, invalid uint64
}

// Summary is what is reported of a trend, in the metric's unit. It is all zero
// if there were no samples. Percentiles are as [Trend.Quantile] has them.
type Summary struct {
	Count                        uint64
	Avg, Min, Med, P90, P95      float64
	P99, P999 /* p(99.9) */, Max float64
}

// NewCoarseTrend makes an empty trend whose quantiles are up to 1 % above the
// true ones, in 17 KB at most.
func NewCoarseTrend() *Trend { return &Trend{coarse: true} }

// Record enters one value.
func (t *Trend) Record(v float64) { t.RecordN(v, 1) }

// RecordN enters the same value n times.
func (t *Trend) RecordN(v float64, n uint64) {
	if n == 0 {
		return
	}
	if math.IsNaN(v) || math.IsInf(v*sumScale, 0) {
		t.invalid += n
		return
	}
	t.extend(v, v)
	t.count += n
	t.sum.addTimes(v*sumScale, n)
	if v < 0 {
		t.negative += n
		v = 0
	}
	if v > Range {
		t.over += n
		return
	}
	t.open()
	t.histogram.Record(int64(math.Round(v*trendScale)), n)
}

// Merge adds all that o holds; o is left as it was.
func (t *Trend) Merge(o *Trend) {
	t.over += o.over
	t.negative += o.negative
	t.invalid += o.invalid
	if o.count == 0 {
		return
	}
	t.extend(o.min, o.max)
	t.count += o.count
	t.sum.merge(o.sum)
	if o.histogram != nil {
		t.open()
		t.histogram.Merge(o.histogram)
	}
}

// extend is called before count changes.
func (t *Trend) extend(low, high float64) {
	if t.count == 0 {
		t.min, t.max = low, high
		return
	}
	t.min, t.max = min(t.min, low), max(t.max, high)
}

func (t *Trend) open() {
	if t.histogram == nil {
		t.histogram = histogram.New(trendMax, t.digits())
	}
}

func (t *Trend) digits() int {
	if t.coarse {
		return coarseDigits
	}
	return trendDigits
}

// Kind implements [Value].
func (t *Trend) Kind() Kind { return KindTrend }

// Count is the number of samples.
func (t *Trend) Count() uint64 { return t.count }

// Over is how many samples were above 60,000.
func (t *Trend) Over() uint64 { return t.over }

// Negative is how many samples were below 0.
func (t *Trend) Negative() uint64 { return t.negative }

// Invalid is how many values were not finite; they are not samples.
func (t *Trend) Invalid() uint64 { return t.invalid }

// Quantile is the p-th percentile, 0 ≤ p ≤ 100: the least value that at least
// p % of the samples do not exceed. Of one among values above 60,000 it is the least
// that it can be: see [Trend.QuantileBounds]. It is NaN if there are no samples or p is
// out of range.
func (t *Trend) Quantile(p float64) float64 {
	least, _ := t.QuantileBounds(p)
	return least
}

// QuantileBounds returns the least and the most that the p-th percentile can be. They
// differ only where it is among several different values above 60,000.
func (t *Trend) QuantileBounds(p float64) (least, most float64) {
	if t.count == 0 || !(p >= 0 && p <= 100) {
		return math.NaN(), math.NaN()
	}
	rank, within := t.rank(p), t.count-t.over
	switch {
	case rank <= 1:
		return t.min, t.min
	case rank == t.count:
		return t.max, t.max
	case rank > within:
		return max(Range, t.min), t.max
	}
	known := min(max(float64(t.histogram.AtRank(rank))/trendScale, t.min), t.max)
	return known, known
}

// AtMost is how many samples are no greater than v.
func (t *Trend) AtMost(v float64) uint64 {
	n := int(t.Count())
	return uint64(sort.Search(n, func(i int) bool { return t.Quantile(100*float64(i+1)/float64(n)) > v }))
}

// BeyondRange reports whether the p-th percentile is among values that the histogram has
// no place for, so that only its bounds are known.
func (t *Trend) BeyondRange(p float64) bool {
	least, most := t.QuantileBounds(p)
	return least < most
}

// rank is the place, from 1, of the p-th percentile among the sorted samples.
func (t *Trend) rank(p float64) uint64 {
	n := float64(t.count)
	// p/100·n is meant to be whole for the likes of p(99.9) of 1000, which
	// floating point misses by less than this.
	rank := math.Ceil(p/100*n - 1e-12*n)
	return uint64(min(max(rank, 1), n))
}

// Summary is the figures that are reported.
func (t *Trend) Summary() Summary {
	if t.count == 0 {
		return Summary{}
	}
	return Summary{
		Count: t.count,
		Avg:   t.average(),
		Min:   t.min, Max: t.max,
		Med: t.Quantile(50), P90: t.Quantile(90), P95: t.Quantile(95),
		P99: t.Quantile(99), P999: t.Quantile(99.9),
	}
}

// average is the mean; there has to be a sample.
func (t *Trend) average() float64 { return t.sum.value() / sumScale / float64(t.count) }

func (t *Trend) empty() bool { return t == nil || t.count == 0 }
