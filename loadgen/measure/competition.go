package measure

import (
	"time"

	"github.com/earshot-audio/earshot/loadgen/timebase"
)

// A competition is that a server waited for cores of its machine in a time, while the generator or
// others ran on them: for how long, and by how much it may have been behind for that. Always means that it
// may have been behind all the time.
type competition struct {
	period
	waited, behind time.Duration
	always         bool
}

// competeLag is how long a thread may have waited before that is known.
const competeLag = 100 * time.Millisecond

// lossy reports whether it was behind for so long that the buffers may have been full that hold what waits. A
// moment in which a core is free now and then is not.
func (c competition) lossy() bool { return c.always && c.behind >= deprivedLoss }

// Compete books that a server waited for cores of its machine for so long in [from, until), summed over
// its threads, while the generator or others ran on them, and by how much it may be behind for that: by no
// more can a packet of that time be late through them. What waits is kept, as long as buffers hold it. What a
// thread waited is known when it runs again, so that it may have been in the competeLag before.
//
// Always means that it may have been behind all the time, since no core was free. It is called within a second, and also where
// the server is not behind.
func (a *Aggregator) Compete(from, until, waited, behind time.Duration, always bool) {
	always = always && behind > 0
	one := competition{period{max(0, from-competeLag), until}, waited, behind, always}
	d := &a.doubts
	d.mu.Lock()
	d.competed += waited
	if behind > 0 || len(d.competitions) > 0 {
		d.competitions = entered(d.competitions, one, func(a, b competition) competition {
			return competition{a.and(b.period), a.waited + b.waited, max(a.behind, b.behind), a.always && b.always}
		})
	}
	d.mu.Unlock()
	if behind >= timebase.BinLength {
		d.any.Store(true)
	}
	a.eachBucket(one.from, until-1, func(e *bucketEvents) {
		if !always {
			e.calm.Store(true)
		}
		if one.lossy() {
			e.overrun.Store(true)
		}
		for was := e.behind.Load(); int64(behind) > was && !e.behind.CompareAndSwap(was, int64(behind)); {
			was = e.behind.Load()
		}
	})
}

// competition sums up [from, until): for how long the server waited, and by how much it was behind at
// most. Always means that it was behind all the time.
func (d *doubts) competition(from, until time.Duration) (waited, behind time.Duration, always bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.compete(from, until)
}

// compete is competition; d.mu is held.
func (d *doubts) compete(from, until time.Duration) (waited, behind time.Duration, always bool) {
	always = true
	for c := range overlapping(d.competitions, from, until) {
		waited, behind, always = waited+c.waited, max(behind, c.behind), always && c.always
	}
	return waited, behind, always && behind > 0
}

// Behind is by how much the server may have been behind in [from, until) at most, since others had its cores.
func (a *Aggregator) Behind(from, until time.Duration) time.Duration {
	_, behind, _ := a.doubts.competition(from, until)
	return behind
}

// HeldBack is by how much what came to pass in [from, until) may have come later by the doing of the generator or
// its machine: as in [Aggregator.Slowed], or the server waited for cores that others had.
func (a *Aggregator) HeldBack(from, until time.Duration) time.Duration {
	return a.doubts.heldBack(from, until)
}

// HeldBackToHear is the same of what ends with a packet that somebody receives.
func (a *Aggregator) HeldBackToHear(from, until time.Duration) time.Duration {
	return a.doubts.heldBackToHear(from, until)
}

// heldBack is [Aggregator.HeldBack]. Each of several steps may have waited in a server that was behind, but
// together for no longer than its threads did, and the first for what had gathered before.
func (d *doubts) heldBack(from, until time.Duration) time.Duration {
	t := d.times(from, until)
	waited, behind, _ := d.competition(from, until)
	t[Contended] = max(t[Contended], waited, behind) // which counts waits of the same threads
	return max(stalledIn(t, until-from), t[Dropped])
}

// heldBackToHear is [Aggregator.HeldBackToHear]: around a step of the wall clock a packet counts as received
// when it was read.
func (d *doubts) heldBackToHear(from, until time.Duration) time.Duration {
	return max(d.heldBack(from, until), d.times(from, until)[Stepped])
}
