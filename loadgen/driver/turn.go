package driver

import (
	"context"
	"sync/atomic"
	"time"
)

// Turns lets a few of the joins that have begun compute at a time. Otherwise hundreds of
// them would be ahead of the packets of those who are in already, and of the speakers'
// frames, in the scheduler's queue. A join may wait for a while; what a full socket drops is
// lost. While a join waits for the server it takes no turn, so that a slow server holds
// nobody else up.
type Turns struct{ slots chan struct{} }

// NewTurns lets n joins compute at a time, at least one.
func NewTurns(n int) *Turns { return &Turns{make(chan struct{}, max(n, 1))} }

// Turn returns a join's place among the others. waited is told of each wait for a turn
// when it is over: that time is the generator's own doing.
func (t *Turns) Turn(waited func(time.Duration)) *Turn {
	return &Turn{slots: t.slots, waited: waited}
}

// A Turn is one join's place among the others. A driver takes it before it works for a
// join, and gives it back before it waits for the server. A nil Turn does nothing. All
// methods may be called from any goroutine.
type Turn struct {
	slots  chan struct{}
	waited func(time.Duration)
	state  atomic.Int32
}

const (
	turnGiven int32 = iota
	turnTaken
	turnEnded
)

// Take waits for a turn, unless it is taken already, has ended, or ctx is done.
func (t *Turn) Take(ctx context.Context) {
	if t == nil || t.state.Load() != turnGiven {
		return
	}
	select {
	case t.slots <- struct{}{}:
	default:
		began := time.Now()
		select {
		case t.slots <- struct{}{}:
			t.waited(time.Since(began))
		case <-ctx.Done():
			t.waited(time.Since(began))
			return
		}
	}
	if !t.state.CompareAndSwap(turnGiven, turnTaken) {
		<-t.slots // it has ended meanwhile
	}
}

// Give lets others take their turn.
func (t *Turn) Give() {
	if t != nil && t.state.CompareAndSwap(turnTaken, turnGiven) {
		<-t.slots
	}
}

// End gives the turn back for good.
func (t *Turn) End() {
	if t != nil && t.state.Swap(turnEnded) == turnTaken {
		<-t.slots
	}
}

type turnKey struct{}

// WithTurn returns a context for [RoomClient.Join] and [Participant.Listen] in which they
// take turns with other joins, if the driver knows how.
func WithTurn(ctx context.Context, t *Turn) context.Context {
	return context.WithValue(ctx, turnKey{}, t)
}

// TurnOf returns the turn of a context, or nil.
func TurnOf(ctx context.Context) *Turn {
	t, _ := ctx.Value(turnKey{}).(*Turn)
	return t
}
