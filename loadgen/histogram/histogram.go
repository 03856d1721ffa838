// Package histogram counts whole numbers in bounded memory, to so many significant digits: the
// counters of an HDR histogram (https://hdrhistogram.org), as large as the greatest number needs.
//
// The library's has room for the greatest number that may ever come, and goes over all of that whenever
// two are merged. A load test keeps many, most of which hold some milliseconds of a minute. Its counters are
// those of the library, which writes them and reads them: see metric.Trend.
//
// There is no goroutine here, and no lock: who shares a histogram locks it.
package histogram

import (
	"math"
	"math/bits"
)

// A Histogram is made by [New].
//
// Numbers of so many bits have a counter each, and from there on each doubling of the number has half
// as many counters: a row.
type Histogram struct {
	counts []uint64 // whole rows, up to that of the greatest number that was recorded
	total  uint64
	bits   int
	most   int // counters, at most
}

// A Counter is the numbers that are counted as one.
type Counter struct {
	Index       int
	Least, Most int64 // of these numbers
	Count       uint64
}

// New makes an empty histogram of numbers from 0 to a greatest, to so many significant digits.
func New(greatest int64, digits int) *Histogram {
	h := &Histogram{bits: bits.Len64(2*uint64(math.Pow10(digits)) - 1)}
	h.most = h.rowEnd(h.index(greatest))
	return h
}

func (h *Histogram) rowEnd(index int) int { return (index>>(h.bits-1) + 1) << (h.bits - 1) }

func (h *Histogram) index(v int64) int { return Index(v, h.bits) }

// Index is the place of a number's counter where numbers of so many bits have a counter each.
func Index(v int64, width int) int {
	shift := bits.Len64(uint64(v)|(1<<width-1)) - width
	return shift<<(width-1) + int(v>>shift)
}

// Least is the least number of a counter.
func Least(index, width int) int64 {
	if index < 1<<width {
		return int64(index)
	}
	half := 1 << (width - 1)
	return int64(index&(half-1)+half) << (index>>(width-1) - 1)
}

// counter is the numbers that are counted at an index.
func (h *Histogram) counter(index int) Counter {
	return Counter{index, Least(index, h.bits), Least(index+1, h.bits) - 1, h.counts[index]}
}

// Record counts a number n times. It has to be one that the histogram was made for.
func (h *Histogram) Record(v int64, n uint64) { h.Add(h.index(v), n) }

// Add counts the numbers of a counter n times, and returns whether there is such a counter, and room: 2⁶³ are
// too many.
func (h *Histogram) Add(index int, n uint64) bool {
	if index < 0 || index >= h.most || n > math.MaxInt64-h.total {
		return false
	}
	h.grow(h.rowEnd(index))
	h.counts[index] += n
	h.total += n
	return true
}

func (h *Histogram) grow(size int) {
	if size > len(h.counts) {
		h.counts = append(h.counts, make([]uint64, size-len(h.counts))...)
	}
}

// Merge counts all that another has counted. It may have other digits, and then lands where the least of the
// numbers of its counters does.
func (h *Histogram) Merge(o *Histogram) {
	if h.bits != o.bits || h.most != o.most || o.total > math.MaxInt64-h.total {
		for _, c := range o.Counters() {
			h.Record(c.Least, c.Count)
		}
		return
	}
	h.grow(len(o.counts))
	into := h.counts[:len(o.counts)]
	for i, n := range o.counts {
		into[i] += n
	}
	h.total += o.total
}

// Total is how much was counted.
func (h *Histogram) Total() uint64 { return h.total }

// Counters are those that have counted something, the least first.
func (h *Histogram) Counters() []Counter {
	used := 0
	for _, n := range h.counts {
		if n > 0 {
			used++
		}
	}
	all := make([]Counter, 0, used)
	for i, n := range h.counts {
		if n > 0 {
			all = append(all, h.counter(i))
		}
	}
	return all
}

// AtRank is the greatest number that the one at a place may have been, of all that were counted from the least
// on. The first place is 1.
func (h *Histogram) AtRank(rank uint64) (v int64) {
	upTo := uint64(0)
	for i, n := range h.counts {
		if n == 0 {
			continue
		}
		v = h.counter(i).Most
		if upTo += n; upTo >= rank {
			break
		}
	}
	return v
}
