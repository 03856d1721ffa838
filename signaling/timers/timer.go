package timers

import (
	"sync"
	"time"
)

// A Timer calls a function at a time that can be changed until then. It is safe for
// concurrent use.
type Timer struct {
	run func()

	mu      sync.Mutex
	closed  bool
	at      time.Time // zero: not set
	timer   *time.Timer
	running sync.WaitGroup
}

// NewTimer returns a timer that is not set.
func NewTimer(run func()) *Timer { return &Timer{run: run} }

// Set sets the time, replacing the one that was set; zero: not at all. It may be
// called with locks held that the function takes.
func (t *Timer) Set(at, now time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed || at.Equal(t.at) {
		return
	}
	t.cancel()
	if at.IsZero() {
		return
	}
	t.at = at
	t.running.Add(1)
	t.timer = time.AfterFunc(at.Sub(now), func() {
		defer t.running.Done()
		if t.expire(at) {
			t.run()
		}
	})
}

// expire unsets the timer and reports whether it was still set to the given time.
func (t *Timer) expire(at time.Time) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed || !at.Equal(t.at) {
		return false
	}
	t.at, t.timer = time.Time{}, nil
	return true
}

func (t *Timer) cancel() {
	if t.timer != nil && t.timer.Stop() {
		t.running.Done()
	}
	t.at, t.timer = time.Time{}, nil
}

// Close unsets the timer and waits for a call under way. It must not be called
// with a lock held that the function takes.
func (t *Timer) Close() {
	t.mu.Lock()
	t.closed = true
	t.cancel()
	t.mu.Unlock()
	t.running.Wait()
}
