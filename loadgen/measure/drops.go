package measure

import (
	"slices"
	"time"
)

// A drop is that the generator's side dropped so many packets. It was noticed within a time.
type drop struct {
	From  time.Duration `json:"from"`
	Until time.Duration `json:"until"`
	N     uint64        `json:"n"`
}

// A bucketLosses is what listeners lost of a bucket, and what the generator may have dropped
// of it: a number for each cell.
type bucketLosses struct {
	from, until time.Duration // when the packets can have come that were lost
	phases      uint64
	cells       []uint64
}

// drops knows what the generator's side dropped, and shares it out over what was lost: all
// listeners together have lost no more packets by it than it dropped. Its memory does not grow
// with the length of the run.
//
// It is known roughly when a packet was dropped, and not whose it was. So for some listeners and
// some time there are as many that may be the generator's doing as can be paired: each loss
// with a drop of a time in which the lost packet can have come.
type drops struct {
	all    []drop         // by their ends
	losses []bucketLosses // in order, those that a drop may have caused
	resent []bucketLosses // the same of packets that came, perhaps since they were sent again
	// longest is the greatest length of a drop.
	longest time.Duration
}

// maxDrops bounds the lists of drops and of losses. Beyond, neighbours become one: then more
// of them can be paired, and none less.
const maxDrops = 4096

// enter enters a drop.
func (d *drops) enter(one drop) {
	d.longest = max(d.longest, one.Until-one.From)
	d.all = entered(d.all, one, func(a, b drop) drop {
		both := a.when().and(b.when())
		d.longest = max(d.longest, both.until-both.from)
		return drop{both.from, both.until, a.N + b.N}
	})
}

// thinned returns a list that has grown beyond maxDrops with its neighbours made one, two by
// two, where they can be.
func thinned[T any](all []T, join func(a, b T) (T, bool)) []T {
	if len(all) <= maxDrops {
		return all
	}
	thin := all[:0]
	for i := 0; i < len(all); i++ {
		one := all[i]
		if i+1 < len(all) {
			if both, can := join(one, all[i+1]); can {
				one = both
				i++
			}
		}
		thin = append(thin, one)
	}
	clear(all[len(thin):])
	return thin
}

func (one drop) when() period { return period{one.From, one.Until} }

// may reports whether the drop may have been of a bucket's packets.
func (one drop) may(l bucketLosses) bool { return one.From <= l.until && one.Until >= l.from }

// mayBe reports whether any drop may have been of a bucket's packets.
func (d *drops) mayBe(l bucketLosses) bool {
	return slices.ContainsFunc(d.all, func(one drop) bool { return one.may(l) })
}

// within is how many packets may have been dropped in a time.
func (d *drops) within(from, until time.Duration) (n uint64) {
	for _, one := range d.all {
		if one.may(bucketLosses{from: from, until: until}) {
			n += one.N
		}
	}
	return n
}

// keep adds what was lost of a bucket to a list: buckets come in order, with all drops that may
// concern them.
func (d *drops) keep(list []bucketLosses, l bucketLosses) []bucketLosses {
	if !d.mayBe(l) {
		return list
	}
	return thinned(append(list, l), func(a, b bucketLosses) (bucketLosses, bool) {
		if a.phases != b.phases {
			return a, false
		}
		return a.and(b), true
	})
}

// and is the losses of two buckets that follow one another, as one.
func (l bucketLosses) and(next bucketLosses) bucketLosses {
	sum := bucketLosses{l.from, max(l.until, next.until), l.phases, make([]uint64, max(len(l.cells), len(next.cells)))}
	for _, cells := range [][]uint64{l.cells, next.cells} {
		for i, n := range cells {
			sum.cells[i] += n
		}
	}
	return sum
}

// lossesOf chooses what the listeners of some cells lost of a bucket, which may be of before a cell.
func lossesOf(cells []*cell) func(bucketLosses) uint64 {
	return func(l bucketLosses) (n uint64) {
		for _, c := range cells {
			if c.number < len(l.cells) {
				n += l.cells[c.number]
			}
		}
		return n
	}
}

// pair pairs losses of buckets, in order, with drops, as many as can be: each takes the drop
// that ends first of those that it may be. Choose says how many losses of a bucket are meant.
func (d *drops) pair(losses []bucketLosses, choose func(bucketLosses) uint64) (paired uint64) {
	if len(d.all) == 0 {
		return 0
	}
	left := make([]uint64, len(d.all))
	for i, one := range d.all {
		left[i] = one.N
	}
	first := 0
	for _, l := range losses {
		n := choose(l)
		for first < len(d.all) && d.all[first].Until < l.from {
			first++
		}
		for i := first; n > 0 && i < len(d.all) && d.all[i].Until-d.longest <= l.until; i++ {
			if left[i] == 0 || !d.all[i].may(l) {
				continue
			}
			taken := min(n, left[i])
			n, left[i], paired = n-taken, left[i]-taken, paired+taken
		}
	}
	return paired
}

// Drop books packets that the generator's side dropped, as was noticed in a time. It is called
// within a second.
func (a *Aggregator) Drop(n uint64, from, until time.Duration) {
	if n == 0 {
		return
	}
	a.doubts.drops.Add(n)
	a.Doubt(Dropped, from, until)
	a.record.mu.Lock()
	a.record.drops.enter(drop{from, until, n})
	if out := a.record.outbox; out != nil {
		out.drops = append(out.drops, drop{from, until, n})
	}
	a.record.mu.Unlock()
	// It is not known which of the packets of that time they were,
	a.eachBucket(from, until, func(e *bucketEvents) { e.drops.Add(n) })
	// nor for how long a packet had been on its way.
	a.eachBucket(from-Lateness, until, func(e *bucketEvents) { e.dropsSoon.Add(n) })
}

// dropsIn is how many packets the generator's side dropped in a time whose buckets are open.
func (a *Aggregator) dropsIn(from, until time.Duration) (n uint64) {
	a.eachBucket(from, until, func(e *bucketEvents) { n += e.drops.Load() })
	return n
}
