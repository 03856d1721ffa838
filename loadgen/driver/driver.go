package driver

import (
	"context"
	"errors"

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
	Open(ctx context.Context, i int, room scenario.Room) (RoomClient, error)
}

// A Room is one room on the server.
type RoomClient interface {
	// Name is what the server calls the room.
	Name() string
	// Enter brings a person in.
	Join(ctx context.Context, name string, role scenario.Role) (Participant, error)
	// Act has the room's moderator, or the person themselves, do something to
	// the person's visit. It returns when the server has acknowledged it.
	Act(ctx context.Context, verb scenario.Verb, who Participant) error
	// Close ends the room and returns when the server has acknowledged it.
	Close(ctx context.Context) error
}

// A Visit is one person's presence in a room.
type Participant interface {
	// Listen exchanges the offer of an ear for the server's answer. A server that
	// would rather offer itself gives a [*CounterOffer].
	Listen(ctx context.Context, offer string) (answer string, err error)
	// Publish exchanges the offer of a mic for the server's answer.
	Publish(ctx context.Context, offer string) (answer string, err error)
	// Leave ends the visit and returns when the server has acknowledged it.
	Leave(ctx context.Context) error
	// Gone is closed when the visit has ended, by whichever side.
	Done() <-chan struct{}
}

// A Media is which of a visit's sessions is meant.
type Media string

const (
	Ear Media = "ear"
	Mic Media = "mic"
)

// A Trickler is a Visit whose server may tell its candidates after its answer.
type Trickler interface {
	// Trickle sends a fragment of SDP with the client's candidates (RFC 8840
	// §4.4) and returns the server's, which may be empty.
	Trickle(ctx context.Context, of Media, fragment string) (string, error)
}

// A resumer is a visit that can lose its signaling and take it up again.
type Resumer interface {
	// Resume cuts the visit's signaling without a word and takes the visit up
	// again; the visit is over, and the one that is returned goes on.
	Resume(ctx context.Context) (Participant, error)
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

// An ICEServer is a STUN or TURN server that clients gather candidates by.
type ICEServer struct {
	URL                  string
	Username, Credential string // of TURN
}

// ErrUnreachable tells that the target did not answer at all.
var ErrUnreachable = errors.New("the target cannot be reached")

// ErrUnsupported tells that a driver has no way to do what a scenario asks.
var ErrUnsupported = errors.New("the driver cannot do this")
