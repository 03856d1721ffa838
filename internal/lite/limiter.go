package lite

import (
	"context"
	"runtime"
	"sync"
	"time"
)

// tenure is how long a handshake keeps its place in a limiter: several times
// what one takes over a slow network. One whose peer has stalled goes on without
// a place, so that peers who begin handshakes and say no more keep nobody out
// for longer.
const tenure = time.Second

const (
	// turnWait is how long a handshake waits for its turn before it goes on
	// without: many times what the others take to compute, so that it is only
	// needed if somebody keeps theirs.
	turnWait = 200 * time.Millisecond
)

// Limiter caps how many DTLS handshakes run at the same time in all the
// endpoints that share it, but for those that have stalled. Those over the cap
// wait, with what they received so far; they are as many as there are peers with
// an authenticated check.
//
// Of those that run, one a core computes at a time. Dozens that have their
// datagrams would stand before everybody else in the scheduler's queue, and media
// with them; a join has seconds, a packet has not.
type Limiter struct {
	slots chan struct{}
	turns chan struct{} // to compute
}

// NewLimiter makes a limiter for n handshakes, at least one.
func NewLimiter(n int) *Limiter {
	return &Limiter{
		slots: make(chan struct{}, max(n, 1)),
		turns: make(chan struct{}, runtime.GOMAXPROCS(0)),
	}
}

// acquire waits for a place. It is given back by release, or after its tenure;
// release may be called at any time, and from any goroutine.
func (l *Limiter) acquire(ctx context.Context) (release func(), err error) {
	select {
	case l.slots <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	free := sync.OnceFunc(func() { <-l.slots })
	stalled := time.AfterFunc(tenure, free)
	return func() {
		stalled.Stop()
		free()
	}, nil
}
