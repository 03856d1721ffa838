package record

import (
	"time"

	"github.com/earshot-audio/earshot/loadgen/doubt"
)

// resends is what became of packets that listeners asked for again and did not get, as far as
// that may be the generator's doing.
type resends struct {
	excused uint64
	losses  []doubt.Losses // in order, those that a drop may have caused
}

// LostResends enters that so many packets did not come within a time that listeners had asked for
// again. It is called with rising times, when all is booked that puts them in doubt.
func (a *Aggregator) LostResends(n uint64, from, until time.Duration) {
	t := a.Doubts.Times(from, until)
	// Who is withheld from running asks late, too.
	inDoubt := max(t[doubt.Stalled], t[doubt.Withheld]) >= doubt.LateLoss || a.Doubts.Cores.Lossy(from, until)
	r := a.record
	r.mu.Lock()
	defer r.mu.Unlock()
	if inDoubt {
		r.resends.excused += n
		return
	}
	r.resends.losses = r.drops.Keep(r.resends.losses, doubt.Losses{From: from, Until: until, Cells: []uint64{n}})
}

// ExcusedResends is how many of the packets entered by [Aggregator.LostResends] may have come but
// for the generator: no more were lost by its drops than it dropped.
func (a *Aggregator) ExcusedResends() uint64 {
	r := a.record
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.resends.excused + r.drops.Pair(r.resends.losses, func(l doubt.Losses) uint64 { return l.Cells[0] })
}
