package loadgen

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/earshot-audio/earshot/loadgen/driver"
	"github.com/earshot-audio/earshot/loadgen/scenario"
)

// A room has one moderator, as in a run of one process: a worker owns the room and moderates
// it, for the people of the other workers by their orders.

// An Order is what one worker asks the owner of a room to do to somebody there.
type Order struct {
	Room   int           `json:"room"`
	Verb   scenario.Verb `json:"verb"`
	Member string        `json:"member"` // what the server calls them
}

// An Outcome is what came of an order.
type Outcome struct {
	// At is when the server had acknowledged it, on the run's clock, which the owner's may differ from by
	// Bound, and Slowed for how long at most the owner was in the way.
	At     time.Duration `json:"at"`
	Bound  time.Duration `json:"bound,omitempty"`
	Slowed time.Duration `json:"slowed,omitempty"`
	// Error is why it came to nothing. Refused means that the server said no, Unanswered that
	// it said nothing though the owner ran, and InDoubt that the owner may be to blame.
	Error      string `json:"error,omitempty"`
	Refused    bool   `json:"refused,omitempty"`
	Unanswered bool   `json:"unanswered,omitempty"`
	InDoubt    bool   `json:"in_doubt,omitempty"`
}

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
	o, err := r.peers.link.Order(waiting, r.share.owner(h.number), Order{Room: h.number, Verb: verb, Member: member})
	switch {
	case ctx.Err() != nil && errors.Is(ctx.Err(), context.Canceled):
		return 0, ctx.Err()
	case err != nil:
		return 0, fmt.Errorf("%w: %w", errModerator, err)
	case o.InDoubt:
		return 0, fmt.Errorf("%w was held up: %s", errModerator, o.Error)
	case o.Unanswered:
		return 0, fmt.Errorf("%w within %v: %s", errUnanswered, actTimeout, o.Error)
	case o.Refused:
		return 0, driver.Declined(o.Error)
	case o.Error != "":
		return 0, errors.New(o.Error)
	}
	return max(0, r.clock.Now()-o.At) + o.Slowed + r.peers.clockBound() + o.Bound, nil
}

// obey carries out another worker's order in a room that this one owns.
func (r *run) obey(ctx context.Context, o Order) Outcome {
	if o.Room < 0 || o.Room >= len(r.rooms) || r.rooms[o.Room] == nil || !r.share.owns(o.Room) {
		return Outcome{Error: fmt.Sprintf("there is no room %d here to moderate", o.Room), InDoubt: true}
	}
	on, ok := r.rooms[o.Room].client.(driver.Remote)
	if !ok {
		return Outcome{Error: driver.ErrUnsupported.Error(), InDoubt: true}
	}
	ctx, cancel := context.WithTimeout(ctx, actTimeout)
	defer cancel()
	asked := r.clock.Now()
	err := on.ActOn(ctx, o.Verb, o.Member)
	out := Outcome{At: r.clock.Now(), Bound: r.peers.clockBound()}
	out.Slowed = r.aggregator.Doubts.Slowed(asked, out.At)
	if err == nil {
		return out
	}
	i := r.failed(asked, err)
	out.Error, out.Refused = err.Error(), i.refused
	switch late := errors.Is(err, context.DeadlineExceeded); {
	case i.atBest(&r.aggregator.Doubts) < i.had, atLimit(err):
		out.InDoubt = true
	case late:
		out.Unanswered = true
	}
	return out
}
