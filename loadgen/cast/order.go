package cast

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/earshot-audio/earshot/loadgen/driver"
	"github.com/earshot-audio/earshot/loadgen/link"
	"github.com/earshot-audio/earshot/loadgen/problem"
	"github.com/earshot-audio/earshot/loadgen/scenario"
)

// A room has one moderator, as in a run of one process: a worker owns the room and moderates
// it, for the people of the other workers by their orders.

// errModerator means that the generator's own moderator, in another process, may be to blame for
// what failed.
var errModerator = errors.New("the worker that moderates the room")

// orderPatience is for how long the owner's answer may be on its way, beside what the server
// takes.
const orderPatience = 2 * time.Second

// order has the owner of the room do something to a participant. It returns by how much earlier
// than now the server may have acknowledged it.
func (h *roomRun) order(ctx context.Context, on driver.Remote, verb scenario.Verb, who driver.Participant) (behind time.Duration, err error) {
	c := h.cast
	member, err := on.Member(who)
	if err != nil {
		return 0, err
	}
	// The owner knows best why something takes too long: its answer may come after our time.
	waiting, cancel := context.WithTimeout(context.WithoutCancel(ctx), actTimeout+orderPatience)
	defer cancel()
	defer context.AfterFunc(ctx, func() {
		if errors.Is(ctx.Err(), context.Canceled) {
			cancel()
		}
	})()
	o, err := c.others.Order(waiting, c.Share.Owner(h.number), link.Order{Room: h.number, Verb: verb, Member: member})
	switch {
	case ctx.Err() != nil && errors.Is(ctx.Err(), context.Canceled):
		return 0, ctx.Err()
	case err != nil:
		return 0, fmt.Errorf("%w: %w", errModerator, err)
	case o.InDoubt:
		return 0, fmt.Errorf("%w was held up: %s", errModerator, o.Error)
	case o.Unanswered:
		return 0, fmt.Errorf("%w within %v: %s", problem.ErrUnanswered, actTimeout, o.Error)
	case o.Refused:
		return 0, driver.Declined(o.Error)
	case o.Error != "":
		return 0, errors.New(o.Error)
	}
	return max(0, c.Clock.Now()-o.At) + o.Slowed + c.others.ClockBound() + o.Bound, nil
}

// Obey carries out another worker's order in a room that this one owns.
func (c *Cast) Obey(ctx context.Context, o link.Order) link.Outcome {
	if o.Room < 0 || o.Room >= len(c.Rooms) || c.Rooms[o.Room] == nil || !c.Share.Owns(o.Room) {
		return link.Outcome{Error: fmt.Sprintf("there is no room %d here to moderate", o.Room), InDoubt: true}
	}
	on, ok := c.Rooms[o.Room].client.(driver.Remote)
	if !ok {
		return link.Outcome{Error: driver.ErrUnsupported.Error(), InDoubt: true}
	}
	ctx, cancel := context.WithTimeout(ctx, actTimeout)
	defer cancel()
	ctx, done := c.Rooms[o.Room].moderator.ask(ctx, c.Setting, o.Verb.Spec())
	defer done()
	asked := c.Clock.Now()
	err := on.ActOn(ctx, o.Verb, o.Member)
	out := link.Outcome{At: c.Clock.Now(), Bound: c.others.ClockBound()}
	out.Slowed = c.Aggregator.Doubts.Slowed(asked, out.At)
	if err == nil {
		return out
	}
	i := c.failed(asked, err)
	out.Error, out.Refused = err.Error(), i.Refused
	switch late := errors.Is(err, context.DeadlineExceeded); {
	case i.InDoubt(&c.Aggregator.Doubts), problem.AtLimit(err):
		out.InDoubt = true
	case late:
		out.Unanswered = true
	}
	return out
}
