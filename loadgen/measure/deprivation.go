package measure

import "time"

// deprivedLoss is for how long a server has to have waited for a core before it is
// in doubt whose fault its losses are. Its buffers hold more.
const deprivedLoss = 100 * time.Millisecond

// Deprive books that the server waited for its machine's cores, since others took them,
// for so long in all: by no more can a packet of that time be late through them. It is
// called within a second.
func (a *Aggregator) Deprive(from, until, wait time.Duration) {
	d := &a.doubts
	d.mu.Lock()
	if len(d.waits) == maxWaits {
		d.waits = append(d.waits[:0], d.waits[1:]...)
	}
	d.waits = append(d.waits, deprivation{from, until, wait})
	d.mu.Unlock()
	a.eachBucket(from, until, func(e *bucketEvents) {
		// What a thread has waited is known when it runs again, so that two
		// neighbours may both have a part of it.
		e.deprived.Add(int64(wait))
	})
}

// A deprivation is for how long the server waited for cores within a time.
type deprivation struct{ from, until, wait time.Duration }

// maxWaits is how many deprivations are known: those of the last minutes.
const maxWaits = 256

// deprived is for how long the server waited for cores in [from, until) at most.
func (d *doubts) deprived(from, until time.Duration) (sum time.Duration) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, w := range d.waits {
		if w.from < until && w.until > from {
			sum += w.wait
		}
	}
	return sum
}
