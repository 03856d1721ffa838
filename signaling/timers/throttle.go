package timers

import (
	"sync"
	"time"
)

// A Throttle runs a function after it was triggered, at most once an interval: the
// first trigger after a quiet time at once, later ones together at the end of the
// interval. The function never runs twice at the same time. It is safe for
// concurrent use.
type Throttle struct {
	interval func() time.Duration
	run      func()

	mu      sync.Mutex
	closed  bool
	pending bool
	last    time.Time
	timer   *time.Timer
	running sync.WaitGroup
	// single is held while the function runs.
	single sync.Mutex
}

// NewThrottle returns a throttle of run, with the interval that there is at each trigger.
func NewThrottle(interval func() time.Duration, run func()) *Throttle {
	return &Throttle{interval: interval, run: run}
}

// Trigger asks for a run and returns at once. It may be called with locks held that
// the function takes.
func (t *Throttle) Trigger() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed || t.pending {
		return
	}
	t.pending = true
	t.running.Add(1)
	wait := t.interval() - time.Since(t.last)
	t.timer = time.AfterFunc(wait, t.fire) // at once if the wait is not positive
}

func (t *Throttle) fire() {
	defer t.running.Done()
	// A run may take longer than the interval.
	t.single.Lock()
	defer t.single.Unlock()

	t.mu.Lock()
	if t.closed {
		t.mu.Unlock()
		return
	}
	// Reset before the run, so that a trigger during it is not lost.
	t.pending = false
	t.last = time.Now()
	t.mu.Unlock()
	t.run()
}

// Close prevents further runs and waits for one under way. It must not be called
// with a lock held that the function takes.
func (t *Throttle) Close() {
	t.mu.Lock()
	t.closed = true
	if t.pending && t.timer.Stop() {
		t.pending = false
		t.running.Done()
	}
	t.mu.Unlock()
	t.running.Wait()
}
