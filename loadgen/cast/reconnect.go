package cast

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/earshot-audio/earshot/loadgen/driver"
	"github.com/earshot-audio/earshot/loadgen/scenario"
	"github.com/earshot-audio/earshot/loadgen/tally"
)

// errGone means that somebody is not there any more for what they were chosen for, or is somebody else.
var errGone = errors.New("another act of the timeline came first, after which they can't")

// reconnect drops a person's signaling connection and resumes on a new one. What is asked over the
// connection is answered before, and what is to be asked waits for the new one: of acts of one moment the
// generator itself would cut off the one by the other.
func (p *person) reconnect(ctx context.Context) error {
	if !p.room.cast.clients.capabilities.Resume {
		return fmt.Errorf("%w: reconnect", driver.ErrUnsupported)
	}
	ctx, done := p.room.cast.hold(ctx, p.connection.Lock, p.connection.Unlock)
	defer done()
	p.mu.Lock()
	participant, gone := p.participant, p.left || p.away
	p.mu.Unlock()
	if gone {
		p.room.cast.moderation.NotPlayed(scenario.Reconnect.Spec(), 1) // another act has come first
		return errGone
	}
	stats, clock := &p.room.cast.moderation, p.room.cast.Clock
	lost := clock.Now()
	next, err := participant.Resume(ctx)
	if err != nil {
		if p.room.cast.Scenario.Nodes() > 0 {
			defer p.connectionLost(false) // nothing is left of it that could be lost
		}
		// It took at least as long as it had: a server that refuses is not fast.
		if !errors.Is(ctx.Err(), context.Canceled) { // by the end of the run
			stats.Reconnected(p.room.cast.failed(lost, err))
		}
		return err
	}
	stats.Reconnected(tally.Interval{From: lost, Until: clock.Now()})
	if p.enter(next); p.hasLeft() { // who leaves leaves by the connection that they had then
		return next.Leave(ctx)
	}
	return nil
}

// connected waits until the person's connection is not being cut, and keeps it from being cut until
// done is called. The context is for what is asked over it.
func (p *person) connected(ctx context.Context) (_ context.Context, done func()) {
	return p.room.cast.hold(ctx, p.connection.RLock, p.connection.RUnlock)
}

// hold takes a lock, and returns a context that ends by as much later as that took: the server is not
// to blame for it. Done gives the lock back.
func (s Setting) hold(ctx context.Context, lock, unlock func()) (_ context.Context, done func()) {
	began := s.Clock.Now()
	lock()
	deadline, limited := ctx.Deadline()
	waited := s.Clock.Now() - began
	if !limited || waited < time.Millisecond {
		return ctx, unlock
	}
	longer, cancel := context.WithDeadline(context.WithoutCancel(ctx), deadline.Add(waited))
	stop := context.AfterFunc(ctx, func() {
		if errors.Is(ctx.Err(), context.Canceled) {
			cancel()
		}
	})
	return longer, func() {
		stop()
		cancel()
		unlock()
	}
}
