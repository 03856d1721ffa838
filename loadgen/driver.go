package loadgen

import (
	"context"
	"errors"
	"net"
	"net/url"

	"github.com/earshot-audio/earshot/loadgen/scenario"
)

// A Driver gets people into the rooms of one kind of server. It knows the
// server's signaling and nothing of media: offers and answers are SDP.
//
// A Driver and all that it opens are safe for concurrent use.
type Driver interface {
	// Name is the driver's name on the command line.
	Name() string
	// Target is the server's address, for people.
	Target() string
	// Loopback tells that the server is reached over the loopback interface.
	Loopback() bool
	// Moderates tells that rooms can Act.
	Moderates() bool
	// Sections is how many voices an ear is offered room for unless the
	// scenario says otherwise; 0 is as many as the room has slots.
	Sections() int
	// Open makes the run's room number i, counted from 0.
	Open(ctx context.Context, i int, room scenario.Room) (Room, error)
}

// A Room is one room on the server.
type Room interface {
	// Name is what the server calls the room.
	Name() string
	// Enter brings a person in.
	Enter(ctx context.Context, name string, role scenario.Role) (Visit, error)
	// Act has the room's moderator, or the person themselves, do something to
	// the person's visit. It returns when the server has acknowledged it.
	Act(ctx context.Context, verb scenario.Verb, who Visit) error
	// Close ends the room and returns when the server has acknowledged it.
	Close(ctx context.Context) error
}

// A Visit is one person's presence in a room.
type Visit interface {
	// Listen exchanges the offer of an ear for the server's answer. A server that
	// would rather offer itself gives a [*CounterOffer].
	Listen(ctx context.Context, offer string) (answer string, err error)
	// Publish exchanges the offer of a mic for the server's answer.
	Publish(ctx context.Context, offer string) (answer string, err error)
	// Leave ends the visit and returns when the server has acknowledged it.
	Leave(ctx context.Context) error
	// Gone is closed when the visit has ended, by whichever side.
	Gone() <-chan struct{}
}

// A CounterOffer is the error for an offer that a server refused with an offer
// of its own.
type CounterOffer struct {
	// SDP is the server's offer.
	SDP string
	// Answer takes the answer to it, and returns when the server has it.
	Answer func(ctx context.Context, answer string) error
}

func (*CounterOffer) Error() string { return "the server made an offer of its own" }

// ErrUnreachable tells that the target did not answer at all.
var ErrUnreachable = errors.New("the target cannot be reached")

// ErrUnsupported tells that a driver has no way to do what a scenario asks.
var ErrUnsupported = errors.New("the driver cannot do this")

// onLoopback reports whether a URL's host is this machine's loopback.
func onLoopback(u *url.URL) bool {
	host := u.Hostname()
	if host == "localhost" {
		return true
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}
