package signaling

import (
	"sync"
	"time"
)

// coalescer runs a function after it was kicked, at most once an interval: the
// first kick after a quiet time at once, those that follow together. It costs
// nothing while nobody kicks. The function never runs twice at the same time.
type coalescer struct {
	every func() time.Duration
	run   func()

	mu      sync.Mutex
	closed  bool
	pending bool
	last    time.Time
	timer   *time.Timer
	running sync.WaitGroup
	turn    sync.Mutex
}

func newCoalescer(every func() time.Duration, run func()) *coalescer {
	return &coalescer{every: every, run: run}
}

// kick asks for a run. It returns at once and may be called from anywhere, also
// with locks held that the function takes.
func (c *coalescer) kick() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed || c.pending {
		return
	}
	c.pending = true
	c.running.Add(1)
	// Zero or less runs at once.
	wait := c.every() - time.Since(c.last)
	c.timer = time.AfterFunc(wait, c.fire)
}

func (c *coalescer) fire() {
	defer c.running.Done()
	// A run that takes longer than the interval must not meet the next one.
	c.turn.Lock()
	defer c.turn.Unlock()

	c.mu.Lock()
	if c.closed {
		c.mu.Unlock()
		return
	}
	// Taken back before the run, so that a kick during it is not lost.
	c.pending = false
	c.last = time.Now()
	c.mu.Unlock()
	c.run()
}

// close stops future runs and waits for one under way. Do not call it with a
// lock held that the function takes.
func (c *coalescer) close() {
	c.mu.Lock()
	c.closed = true
	if c.pending && c.timer.Stop() {
		c.pending = false
		c.running.Done()
	}
	c.mu.Unlock()
	c.running.Wait()
}
