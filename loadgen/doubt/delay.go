package doubt

import (
	"slices"
	"time"
)

// delaySpan is in which time what a server waited is added up: that of a bucket of the record.
const delaySpan = time.Second

// Delay is by how much a packet of a room that was under way in [from, until) may have come later by the
// generator's doing, or its machine's. More means that a delay may not have been all of it: packets may be missing, or it
// is not known how late they were.
func (d *Register) Delay(room int, from, until time.Duration) (most time.Duration, more bool) {
	late, stopped, contended := time.Duration(0), time.Duration(0), time.Duration(0)
	if d.any.Load() {
		d.mu.Lock()
		list := slices.Clone(d.list)
		d.mu.Unlock()
		for _, one := range list {
			if !one.concerns(room, from, until) {
				continue
			}
			switch one.kind {
			case Late: // of many frames only one was that packet's
				late = max(late, one.took)
			case Stalled:
				stopped += one.took
				more = more || one.took >= LateLoss
			case Contended:
				if one.took < LateLoss {
					contended += one.took
				} else if !d.Cores.weighs(one.until) {
					more = true
				}
			case Dropped, Stepped:
				more = true
			case Withheld, Starved: // of them, thefts alone delay packets
			}
		}
	}
	waited, lossy := d.Cores.delay(from, until)
	stolen, _ := d.Cores.Taken(from, until)
	return late + stopped + max(contended, waited) + stolen, more || lossy || late >= LateLoss
}

// weighs reports whether it is known how long the server waited in contended time that ended then.
func (c *Cores) weighs(until time.Duration) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.ContainsFunc(c.waits, func(w deprivation) bool { return w.until == until })
}

// delay is for how long a packet may have waited in [from, until) for the server, which waited for cores, and
// whether it, or a theft, was so long that packets may be missing.
func (c *Cores) delay(from, until time.Duration) (waited time.Duration, lossy bool) {
	for at := from; at < until; at += delaySpan {
		waited = max(waited, c.Deprived(at, min(at+delaySpan, until)))
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	_, behind, _ := c.competition(from, until)
	waited, lossy = max(waited, behind), max(waited, behind) >= DeprivedLoss
	for t := range overlapping(c.thefts, from, until) {
		lossy = lossy || t.Long()
	}
	return waited, lossy
}
