package metric

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/earshot-audio/earshot/internal/atomicmax"
	"github.com/earshot-audio/earshot/loadgen/histogram"
)

// The size of a trend's histogram, an HDR histogram of three digits: values
// of 11 bits, up to 2047, have a counter each.
const (
	countsBits = 11
	countsLen  = (26 - countsBits + 2) << 10 // 26 bits hold trendMax
)

// Counts is a distribution of durations that many goroutines record into at
// once, without a lock and without waiting: the packet path's. It holds what a
// [Trend] in ms holds, at half the memory, and is read by [Trend.Take] once
// nobody records any more.
//
// The zero Counts is empty and ready. It must not be copied after its first
// use. 2³² records of one value overflow.
type Counts struct {
	counts [countsLen]atomic.Uint32
	sum    atomic.Int64 // ns
	// The greatest value in ns and one more, and leastBias less the least: 0 is
	// none, and both only rise.
	most, least atomic.Int64

	mu      sync.Mutex
	outside Trend // of the values that have no counter
}

// Record enters one value, with a resolution of 1 µs.
func (c *Counts) Record(d time.Duration) {
	v := (int64(d) + 500) / 1000
	if d < 0 || v > trendMax {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.outside.Record(InMilliseconds(d))
		return
	}
	c.counts[histogram.Index(v, countsBits)].Add(1)
	c.sum.Add(int64(d))
	atomicmax.Raise(&c.most, int64(d)+1)
	atomicmax.Raise(&c.least, leastBias-int64(d))
}

// leastBias is above every duration with a counter, so that the least of them
// is a greatest, too.
const leastBias = int64(trendMax+1) * 1000

// Freeze returns what c holds in little memory, and empties it. Nobody may
// record meanwhile.
func (c *Counts) Freeze() *Frozen {
	f := &Frozen{sum: c.sum.Swap(0)}
	for i := range c.counts {
		if c.counts[i].Load() == 0 {
			continue
		}
		n := c.counts[i].Swap(0)
		f.index = append(f.index, uint16(i))
		f.counts = append(f.counts, n)
		f.count += uint64(n)
	}
	most, least := c.most.Swap(0), c.least.Swap(0)
	if most > 0 {
		f.min = InMilliseconds(time.Duration(leastBias - least))
		f.max = InMilliseconds(time.Duration(most - 1))
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.outside.count > 0 {
		f.outside = new(Trend)
		f.outside.Merge(&c.outside)
		c.outside = Trend{}
	}
	return f
}

// Frozen is a distribution that has been recorded, in memory by the number of
// its different values. It is not changed any more and safe for concurrent use.
type Frozen struct {
	index    []uint16
	counts   []uint32
	count    uint64
	sum      int64 // ns
	min, max float64
	outside  *Trend
}

// Constant is n samples of one value.
func Constant(v float64, n uint64) *Frozen {
	t := &Trend{}
	t.RecordN(v, n)
	return t.Frozen()
}

// Frozen is a copy of what t holds that does not change any more.
func (t *Trend) Frozen() *Frozen {
	f := &Frozen{outside: new(Trend)}
	f.outside.Merge(t)
	return f
}

// Count is the number of samples; a nil Frozen has none.
func (f *Frozen) Count() uint64 {
	if f == nil {
		return 0
	}
	n := f.count
	if f.outside != nil {
		n += f.outside.count
	}
	return n
}

// Max is the greatest sample; 0 if there is none.
func (f *Frozen) Max() float64 {
	if f == nil {
		return 0
	}
	greatest := f.max
	if f.outside != nil && f.outside.count > 0 {
		greatest = max(greatest, f.outside.max)
	}
	return greatest
}

// Take adds all that f holds; of a nil Frozen nothing.
func (t *Trend) Take(f *Frozen) {
	if f == nil {
		return
	}
	if f.outside != nil {
		t.Merge(f.outside)
	}
	if f.count == 0 {
		return
	}
	t.extend(f.min, f.max)
	t.count += f.count
	t.sum.addWhole(f.sum)
	t.open()
	for i, index := range f.index {
		t.histogram.Record(histogram.Least(int(index), countsBits), uint64(f.counts[i]))
	}
}
