package loadgen

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
	r := h.run
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
	o, err := r.peers.link.Order(waiting, r.share.owner(h.number), link.Order{Room: h.number, Verb: verb, Member: member})
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
	return max(0, r.clock.Now()-o.At) + o.Slowed + r.peers.clockBound() + o.Bound, nil
}

// obey carries out another worker's order in a room that this one owns.
func (r *run) obey(ctx context.Context, o link.Order) link.Outcome {
	if o.Room < 0 || o.Room >= len(r.rooms) || r.rooms[o.Room] == nil || !r.share.owns(o.Room) {
		return link.Outcome{Error: fmt.Sprintf("there is no room %d here to moderate", o.Room), InDoubt: true}
	}
	on, ok := r.rooms[o.Room].client.(driver.Remote)
	if !ok {
		return link.Outcome{Error: driver.ErrUnsupported.Error(), InDoubt: true}
	}
	ctx, cancel := context.WithTimeout(ctx, actTimeout)
	defer cancel()
	asked := r.clock.Now()
	err := on.ActOn(ctx, o.Verb, o.Member)
	out := link.Outcome{At: r.clock.Now(), Bound: r.peers.clockBound()}
	out.Slowed = r.aggregator.Slowed(asked, out.At)
	if err == nil {
		return out
	}
	i := r.failed(asked, err)
	out.Error, out.Refused = err.Error(), i.Refused
	switch late := errors.Is(err, context.DeadlineExceeded); {
	case i.InDoubt(r.aggregator), problem.AtLimit(err):
		out.InDoubt = true
	case late:
		out.Unanswered = true
	}
	return out
}
