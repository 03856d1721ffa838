package measure

import (
	"slices"
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
	d.waits = inOrder(d.waits, deprivation{from, until, wait}, func(w deprivation) time.Duration { return w.until })
	d.waits = thinned(d.waits, func(a, b deprivation) (deprivation, bool) {
		return deprivation{min(a.from, b.from), b.until, a.wait + b.wait}, true
	})
	d.mu.Unlock()
	a.eachBucket(from, until, func(e *bucketEvents) {
		// What a thread has waited is known when it runs again, so that two
		// neighbours may both have a part of it.
		e.deprived.Add(int64(wait))
	})
}

// A deprivation is for how long the server waited for cores within a time.
type deprivation struct{ from, until, wait time.Duration }

// inOrder inserts one into a list that is in the order of when they ended.
func inOrder[T any](all []T, one T, ended func(T) time.Duration) []T {
	i := len(all)
	for i > 0 && ended(all[i-1]) > ended(one) {
		i--
	}
	return slices.Insert(all, i, one)
}

// deprived is for how long the server waited for cores in [from, until) at most.
func (d *doubts) deprived(from, until time.Duration) (sum time.Duration) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, w := range slices.Backward(d.waits) {
		if w.until <= from {
			break
		}
		if w.from < until {
			sum += w.wait
		}
	}
	return sum
}
