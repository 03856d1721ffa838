package lite

import (
	"runtime"
	"sync"
	"time"
)

// slotTimeout is how long a handshake holds its slot: several times what one
// takes over a slow network. A stalled handshake goes on without a slot, so that
// peers who begin handshakes and go silent block nobody for longer.
const slotTimeout = time.Second

const (
	// cpuSlotTimeout is how long a handshake waits for a CPU slot before it
	// computes without one: many times what the others take, so that it only
	// matters if a slot is not given back.
	cpuSlotTimeout = 200 * time.Millisecond
)

// Limiter caps how many DTLS handshakes run at the same time in the endpoints
// that share it; stalled ones do not count. Handshakes over the cap wait, and
// keep what they received so far. There are at most as many as peers with an
// authenticated check.
//
// Of those that run, one per core computes at a time (CPU slots). Otherwise
// dozens of handshakes would be ahead of media in the scheduler's queue. A join
// may take seconds; a packet may not.
type Limiter struct {
	slots    chan struct{}
	cpuSlots chan struct{} // to compute
}

// NewLimiter makes a limiter for n handshakes, at least one.
func NewLimiter(n int) *Limiter {
	return &Limiter{
		slots:    make(chan struct{}, max(n, 1)),
		cpuSlots: make(chan struct{}, runtime.GOMAXPROCS(0)),
	}
}

// acquire waits for a slot, until closed is. release gives it back, and so does slotTimeout.
// release may be called at any time, and from any goroutine.
func (l *Limiter) acquire(closed <-chan struct{}) (release func(), err error) {
	select {
	case l.slots <- struct{}{}:
	case <-closed:
		return nil, ErrClosed
	}
	free := sync.OnceFunc(func() { <-l.slots })
	stalled := time.AfterFunc(slotTimeout, free)
	return func() {
		stalled.Stop()
		free()
	}, nil
}
