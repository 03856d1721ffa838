package doubt

import (
	"slices"
	"time"
)

// A Drop is that the generator's side dropped so many packets. It was noticed within a time.
type Drop struct {
	From  time.Duration `json:"from"`
	Until time.Duration `json:"until"`
	N     uint64        `json:"n"`
}

// Losses are what listeners lost of a second, and what the generator may have dropped
// of it: a number for each cell.
type Losses struct {
	From, Until time.Duration // when the packets can have come that were lost
	Phases      uint64
	Cells       []uint64
}

// Drops knows what the generator's side dropped, and shares it out over what was lost: all
// listeners together have lost no more packets by it than it dropped. Its memory does not grow
// with the length of the run.
//
// It is known roughly when a packet was dropped, and not whose it was. So for some listeners and
// some time there are as many that may be the generator's doing as can be paired: each loss
// with a drop of a time in which the lost packet can have come.
type Drops struct {
	all    []Drop   // by their ends
	Losses []Losses // in order, those that a drop may have caused, and nothing else that is known
	Unseen []Losses // those that a drop may have caused, whatever else may have
	Resent []Losses // the same of packets that came, perhaps since they were sent again
	// longest is the greatest length of a drop.
	longest time.Duration
}

// Enter enters a drop.
func (d *Drops) Enter(one Drop) {
	d.longest = max(d.longest, one.Until-one.From)
	d.all = entered(d.all, one, func(a, b Drop) Drop {
		both := a.when().and(b.when())
		d.longest = max(d.longest, both.until-both.from)
		return Drop{both.from, both.until, a.N + b.N}
	})
}

func (one Drop) when() period { return period{one.From, one.Until} }

// may reports whether the drop may have been of losses.
func (one Drop) may(l Losses) bool { return one.From <= l.Until && one.Until >= l.From }

// mayBe reports whether any drop may have been of losses.
func (d *Drops) mayBe(l Losses) bool {
	return slices.ContainsFunc(d.all, func(one Drop) bool { return one.may(l) })
}

// Within is how many packets may have been dropped in a time.
func (d *Drops) Within(from, until time.Duration) (n uint64) {
	for _, one := range d.all {
		if one.may(Losses{From: from, Until: until}) {
			n += one.N
		}
	}
	return n
}

// Keep adds what was lost of a bucket to a list: buckets come in order, with all drops that may
// concern them.
func (d *Drops) Keep(list []Losses, l Losses) []Losses {
	if !d.mayBe(l) {
		return list
	}
	return thinned(append(list, l), func(a, b Losses) (Losses, bool) {
		if a.Phases != b.Phases {
			return a, false
		}
		return a.and(b), true
	})
}

// and is the losses of two buckets that follow one another, as one.
func (l Losses) and(next Losses) Losses {
	sum := Losses{l.From, max(l.Until, next.Until), l.Phases, make([]uint64, max(len(l.Cells), len(next.Cells)))}
	for _, cells := range [][]uint64{l.Cells, next.Cells} {
		for i, n := range cells {
			sum.Cells[i] += n
		}
	}
	return sum
}

// Pair pairs losses of buckets, in order, with drops, as many as can be: each takes the drop
// that ends first of those that it may be. Choose says how many losses of a bucket are meant.
func (d *Drops) Pair(losses []Losses, choose func(Losses) uint64) (paired uint64) {
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
		for first < len(d.all) && d.all[first].Until < l.From {
			first++
		}
		for i := first; n > 0 && i < len(d.all) && d.all[i].Until-d.longest <= l.Until; i++ {
			if left[i] == 0 || !d.all[i].may(l) {
				continue
			}
			taken := min(n, left[i])
			n, left[i], paired = n-taken, left[i]-taken, paired+taken
		}
	}
	return paired
}
