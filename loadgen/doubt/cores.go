package doubt

import (
	"sync"
	"time"

	"github.com/earshot-audio/earshot/loadgen/timebase"
)

// DeprivedLoss is for how long a server has to have waited for a core before it is
// in doubt whose fault its losses are. Its buffers hold more.
const DeprivedLoss = 100 * time.Millisecond

// Cores is what is known of the cores of the server's machine: for how long others took them. It is safe
// for concurrent use.
type Cores struct {
	mu     sync.Mutex
	waits  []deprivation // of a run of hours neighbours are one
	thefts []Theft       // the same
	// competitions are the same, once there was one.
	competitions []Competition
	// For how long cores were taken in all, and the server waited for cores that it shared.
	stolen, competed time.Duration
}

// Deprive books that the server waited for its machine's cores, since others took them,
// for so long in all: by no more can a packet of that time be late through them. It is
// called within a second.
func (c *Cores) Deprive(from, until, wait time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.waits = entered(c.waits, deprivation{period{from, until}, wait}, func(a, b deprivation) deprivation {
		return deprivation{a.and(b.period), a.wait + b.wait}
	})
}

// A deprivation is for how long the server waited for cores within a time.
type deprivation struct {
	period
	wait time.Duration
}

// Deprived is for how long the server waited for cores in [from, until) at most.
func (c *Cores) Deprived(from, until time.Duration) (sum time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for w := range overlapping(c.waits, from, until) {
		sum += w.wait
	}
	return sum
}

// Lossy reports whether others, or a hypervisor, had the server's cores for so long in [from, until) that it
// may have lost packets for it.
func (c *Cores) Lossy(from, until time.Duration) bool {
	if c.Deprived(from, until) >= DeprivedLoss {
		return true
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for t := range overlapping(c.thefts, from, until) {
		if t.Long() {
			return true
		}
	}
	for one := range overlapping(c.competitions, from, until) {
		if one.Lossy() {
			return true
		}
	}
	return false
}

// disturb reports whether a jitter buffer may have learnt in [from, until) from what others took of the cores.
func (c *Cores) disturb(from, until time.Duration) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, behind, _ := c.competition(from, until); behind >= timebase.BinLength { // a jitter buffer holds a frame at least
		return true
	}
	for t := range overlapping(c.thefts, from, until) {
		if t.Long() { // what a shorter one may have done is counted by the frame
			return true
		}
	}
	return false
}

// sums are for how long cores were taken in all, and for how long the server waited for those that it shared.
func (c *Cores) sums() (stolen, competed time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.stolen, c.competed
}
