package push

import (
	"context"
	"fmt"
	"sync"
	"time"
)

const (
	// Interval is how often a run's figures are sent.
	Interval = 5 * time.Second
	// patience is how long a push may take. The next one waits for it, so that never more
	// than one is in memory.
	patience = 10 * time.Second
)

// A Sender sends the figures as they are now to one receiver. It is used by one goroutine
// at a time.
type Sender interface {
	// Send returns when the receiver has taken the figures, has refused them, or ctx ends.
	Send(ctx context.Context) error
	// Close lets go of the receiver. Nothing is sent any more.
	Close(ctx context.Context) error
}

// A Pusher sends a run's figures to a receiver from time to time.
//
// It is safe for concurrent use. Its goroutine ends with Close.
type Pusher struct {
	sender Sender
	end    chan struct{}
	ended  chan struct{}

	sending sync.Mutex // held while the sender is used

	mu           sync.Mutex
	sent, failed int
	last         error // of the last push that failed
}

// Start sends once, so that a receiver that can't be reached or refuses the figures is known
// before a run, and then at each interval until Close. It closes the sender if it fails.
func Start(ctx context.Context, sender Sender, interval time.Duration) (*Pusher, error) {
	p := &Pusher{sender: sender, end: make(chan struct{}), ended: make(chan struct{})}
	if err := p.Push(ctx); err != nil {
		_ = p.release(context.WithoutCancel(ctx)) // the first error says why
		return nil, err
	}
	go p.run(context.WithoutCancel(ctx), interval) // ends with Close
	return p, nil
}

// run pushes until Close. An interval that passes during a push is left out.
func (p *Pusher) run(ctx context.Context, interval time.Duration) {
	defer close(p.ended)
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
			_ = p.Push(ctx) // it is counted
		case <-p.end:
			return
		}
	}
}

// Push sends the figures as they are now. It gives up after ten seconds.
func (p *Pusher) Push(ctx context.Context) error {
	p.sending.Lock()
	defer p.sending.Unlock()
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	err := p.sender.Send(ctx)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.sent++
	if err != nil {
		p.failed++
		p.last = err
	}
	return err
}

// Warning says how many pushes failed; "" if none did.
func (p *Pusher) Warning() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.failed == 0 {
		return ""
	}
	return fmt.Sprintf("%d of %d pushes failed; the last that did: %v", p.failed, p.sent, p.last)
}

// Close ends the pushes, after the one that is under way.
func (p *Pusher) Close() error {
	close(p.end)
	<-p.ended
	return p.release(context.Background())
}

func (p *Pusher) release(ctx context.Context) error {
	p.sending.Lock()
	defer p.sending.Unlock()
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	return p.sender.Close(ctx)
}
