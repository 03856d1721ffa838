package measure

import (
	"time"
)

// deprivedLoss is for how long a server has to have waited for a core before it is
// in doubt whose fault its losses are. Its buffers hold more.
const deprivedLoss = 100 * time.Millisecond

// Deprive books that the server waited for its machine's cores, since others took them,
// for so long in all: by no more can a packet of that time be late through them. It is
// called within a second.
func (a *Aggregator) Deprive(from, until, wait time.Duration) {
	d := &a.doubts
	d.mu.Lock()
	d.waits = entered(d.waits, deprivation{period{from, until}, wait}, func(a, b deprivation) deprivation {
		return deprivation{a.and(b.period), a.wait + b.wait}
	})
	d.mu.Unlock()
	a.eachBucket(from, until, func(e *bucketEvents) {
		// What a thread has waited is known when it runs again, so that two
		// neighbours may both have a part of it.
		e.deprived.Add(int64(wait))
	})
}

// A deprivation is for how long the server waited for cores within a time.
type deprivation struct {
	period
	wait time.Duration
}

// deprived is for how long the server waited for cores in [from, until) at most.
func (d *doubts) deprived(from, until time.Duration) (sum time.Duration) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for w := range overlapping(d.waits, from, until) {
		sum += w.wait
	}
	return sum
}

// lossy reports whether others, or a hypervisor, had the server's cores for so long in [from, until) that it
// may have lost packets for it.
func (d *doubts) lossy(from, until time.Duration) bool {
	if d.deprived(from, until) >= deprivedLoss {
		return true
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	for t := range overlapping(d.thefts, from, until) {
		if t.long() {
			return true
		}
	}
	for c := range overlapping(d.competitions, from, until) {
		if c.lossy() {
			return true
		}
	}
	return false
}
