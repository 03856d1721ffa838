package doubt

import (
	"math"
	"time"
)

// A Theft is that a hypervisor kept cores from the machine within a time: for how long,
// summed over cores, and from which share of what happened then on it had nothing to do
// with it.
type Theft struct {
	period
	Took  time.Duration
	Reach float64
	// Gathered is for how long they were taken in the thefts before it, if all of them are pauses.
	Gathered time.Duration
	// Begun is when the first of these did.
	Begun time.Duration
}

// pauses reports whether it is so long that the machine may have been paused, and before and after it, too.
func (t Theft) pauses() bool { return 2*t.Took >= t.until-t.from }

// Long reports whether it is so long that a server may have lost packets for it, and that a jitter buffer has
// learnt from it.
func (t Theft) Long() bool { return t.Took >= DeprivedLoss }

// leastIdle is the least share of the time for which cores count as idle.
const leastIdle = 1e-6

// steal enters a theft.
func (c *Cores) steal(from, until, took time.Duration, idle float64) Theft {
	// A core that is idle half of the time takes as long again to catch up as it was taken.
	reach := min(1, took.Seconds()/(until-from).Seconds()/max(idle, leastIdle))
	c.mu.Lock()
	defer c.mu.Unlock()
	one := Theft{period{from, until}, took, reach, 0, from}
	for i := len(c.thefts) - 1; i >= 0 && one.pauses() && c.thefts[i].pauses() && c.thefts[i].until >= one.Begun; i-- {
		one.Gathered += c.thefts[i].Took
		one.Begun = c.thefts[i].from
	}
	c.thefts = entered(c.thefts, one, func(a, b Theft) Theft {
		return Theft{a.and(b.period), a.Took + b.Took, a.Reach + b.Reach, a.Gathered, a.Begun}
	})
	c.stolen += took
	return one
}

// Taken sums up for how long cores were taken in [from, until), and before it in the same pause, and whom that
// reached.
func (c *Cores) Taken(from, until time.Duration) (took time.Duration, reach float64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	var gathered time.Duration
	for t := range overlapping(c.thefts, from, until) {
		took, reach, gathered = took+t.Took, reach+t.Reach, t.Gathered // the oldest's, in the end
	}
	return took + gathered, min(reach, 1)
}

// Share is how many of n packets that is.
func Share(n uint64, of float64) uint64 { return min(n, uint64(math.Ceil(float64(n)*of))) }
