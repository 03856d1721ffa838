package signaling

import "sync"

// idleHands is how many goroutines a crew keeps that have nothing to do: enough
// for a breath of a broadcast.
const idleHands = breath

// crew runs short jobs in goroutines that it keeps for the next: their stacks
// have grown to what the work takes, while thousands of sessions that wait have
// none. Every job is begun at once, however many there are, since each may block
// on a slow client. Its methods may be called from any goroutine.
type crew struct {
	mu     sync.Mutex
	closed bool
	// idle are the doors of those that wait for a job, the last one first.
	idle []chan func()
	// hands are all of its goroutines.
	hands sync.WaitGroup
}

// do begins a job. It never blocks, and may be called with locks held that the
// job takes.
func (c *crew) do(job func()) {
	c.mu.Lock()
	if n := len(c.idle); n > 0 {
		door := c.idle[n-1]
		c.idle = c.idle[:n-1]
		c.mu.Unlock()
		door <- job // it has room for one
		return
	}
	c.mu.Unlock()
	c.hands.Go(func() { c.work(job) })
}

// work does a job, and others for as long as the crew keeps it.
func (c *crew) work(job func()) {
	var door chan func()
	for job != nil {
		job()
		if door == nil {
			door = make(chan func(), 1)
		}
		c.mu.Lock()
		if c.closed || len(c.idle) >= idleHands {
			c.mu.Unlock()
			return
		}
		c.idle = append(c.idle, door)
		c.mu.Unlock()
		job = <-door // nil when the crew is closed
	}
}

// close lets the idle ones go. Those at work go when they have done it, which
// hands waits for; jobs that come later are done, too.
func (c *crew) close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closed = true
	for _, door := range c.idle {
		close(door)
	}
	c.idle = nil
}
