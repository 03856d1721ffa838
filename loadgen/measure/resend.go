package measure

import "time"

// resends is what became of packets that listeners asked for again and did not get, as far as
// that may be the generator's doing.
type resends struct {
	excused uint64
	losses  []bucketLosses // in order, those that a drop may have caused
}

// LostResends enters that so many packets did not come within a time that listeners had asked for
// again. It is called with rising times, when all is booked that puts them in doubt.
func (a *Aggregator) LostResends(n uint64, from, until time.Duration) {
	t := a.doubts.times(from, until)
	// Who is withheld from running asks late, too.
	inDoubt := max(t[Stalled], t[Withheld]) >= LateLoss || a.doubts.lossy(from, until)
	r := a.record
	r.mu.Lock()
	defer r.mu.Unlock()
	if inDoubt {
		r.resends.excused += n
		return
	}
	if one := (bucketLosses{from: from, until: until, cells: []uint64{n}}); r.drops.mayBe(one) {
		r.resends.losses = thinned(append(r.resends.losses, one), func(a, b bucketLosses) (bucketLosses, bool) { return a.and(b), true })
	}
}

// ExcusedResends is how many of the packets entered by [Aggregator.LostResends] may have come but
// for the generator: no more were lost by its drops than it dropped.
func (a *Aggregator) ExcusedResends() uint64 {
	r := a.record
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.resends.excused + r.drops.pair(r.resends.losses, func(l bucketLosses) uint64 { return l.cells[0] })
}
