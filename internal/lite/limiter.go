package lite

import "context"

// Limiter caps how many DTLS handshakes run at the same time in all the
// endpoints that share it. Those over the cap wait, with what they received so
// far; they are as many as there are peers with an authenticated check.
type Limiter struct{ slots chan struct{} }

// NewLimiter makes a limiter for n handshakes, at least one.
func NewLimiter(n int) *Limiter { return &Limiter{slots: make(chan struct{}, max(n, 1))} }

func (l *Limiter) acquire(ctx context.Context) error {
	select {
	case l.slots <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (l *Limiter) release() { <-l.slots }
