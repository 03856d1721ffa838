package signaling

import (
	"sync"
	"time"
)

// alarm rings at a time that can be changed until then. It is safe for
// concurrent use, and costs nothing while it is not set.
type alarm struct {
	ring func()

	mu      sync.Mutex
	closed  bool
	at      time.Time // zero: not set
	timer   *time.Timer
	running sync.WaitGroup
}

func newAlarm(ring func()) *alarm { return &alarm{ring: ring} }

// set makes the alarm ring at a time, and not before; zero: not at all. It may be
// called with locks held that ring takes.
func (a *alarm) set(at, now time.Time) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.closed || at.Equal(a.at) {
		return
	}
	a.cancel()
	if at.IsZero() {
		return
	}
	a.at = at
	a.running.Add(1)
	a.timer = time.AfterFunc(at.Sub(now), func() {
		defer a.running.Done()
		if a.due(at) {
			a.ring()
		}
	})
}

// due takes the alarm back that is for a time. It is false if that is not what it
// is set for any more.
func (a *alarm) due(at time.Time) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.closed || !at.Equal(a.at) {
		return false
	}
	a.at, a.timer = time.Time{}, nil
	return true
}

func (a *alarm) cancel() {
	if a.timer != nil && a.timer.Stop() {
		a.running.Done()
	}
	a.at, a.timer = time.Time{}, nil
}

// close takes the alarm back and waits for a ring that is under way. Do not call
// it with a lock held that ring takes.
func (a *alarm) close() {
	a.mu.Lock()
	a.closed = true
	a.cancel()
	a.mu.Unlock()
	a.running.Wait()
}
