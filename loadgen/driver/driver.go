package driver

import (
	"context"
	"errors"

	"github.com/earshot-audio/earshot/loadgen/meter"
	"github.com/earshot-audio/earshot/loadgen/scenario"
)

// A Driver brings people into the rooms of one server.
//
// A Driver and everything that it opens are safe for concurrent use.
type Driver interface {
	// Target is the server's address, for people to read.
	Target() string
	// Loopback reports whether the server is reached over the loopback interface.
	Loopback() bool
	// Capabilities does not change while the driver is in use.
	Capabilities() Capabilities
	// Open creates room number i of the run, counted from 0.
	Open(ctx context.Context, i int, room scenario.RoomSpec) (RoomClient, error)
}

// Shared is a [Driver] whose rooms people of several processes may be in: one opens them,
// and the others enter with its tickets.
type Shared interface {
	Driver
	// Ticket lets another process into a room that this driver has opened. It is a secret.
	Ticket(room RoomClient) (string, error)
	// Enter returns room number i of the run, which another process has opened. Its Close
	// is for whoever opened it.
	Enter(ctx context.Context, i int, ticket string) (RoomClient, error)
}

// Capabilities says what a driver can do beyond exchanging offers and answers. The
// zero value is a driver that can do nothing more.
type Capabilities struct {
	// Driver is the driver's name on the command line: its [Kind]'s.
	Driver string
	// Acts are the verbs of a timeline that [RoomClient.Act] carries out, or
	// [Participant.RestartICE]. Without any, people can only leave.
	Acts []scenario.Verb
	// StageListens means that people on stage listen, too.
	StageListens bool
	// PublishOnly says why nobody can listen, and what to do about it; "" if people can.
	PublishOnly string
	// Resume means that [Participant.Resume] works.
	Resume bool
	// Nodes means that the server may be a cluster, whose nodes have numbers, from 1: rooms can
	// be opened on one ([scenario.RoomSpec]), and participants are [Placed].
	Nodes bool
	// Trickle means that the server may send its candidates after its answer:
	// [Participant.Trickle] works.
	Trickle bool
	// Sections is how many voices a listener offers to receive unless the scenario
	// says otherwise; 0 is as many as the room has slots. [AllVoices] is as many as the room has
	// mics, and a scenario can't have fewer.
	Sections int
	// Mixes means that the server sends everybody a mix of the others' voices, in packets of its own: only
	// a mark in the audio ([scenario.CheckMarker]) tells what a listener gets.
	Mixes bool
	// WholeClients reports, once a room is open, whether the server makes the offers of what
	// people receive and lets nobody stay whose client leaves out what it offers beside audio,
	// such as data channels: lean clients do not do. nil is a server that takes any.
	WholeClients func() bool
	// ICEServers returns the ICE servers that the server has named so far; nil if
	// it names none.
	ICEServers func() []ICEServer
	// Meter measures the server's process by what the server reports itself; nil if it
	// reports nothing.
	Meter meter.Meter
}

// AllVoices is [Capabilities.Sections] for a server that forwards every mic to everybody.
const AllVoices = -1

// A RoomClient is the generator's side of one room on the server.
type RoomClient interface {
	// Name is what the server calls the room.
	Name() string
	// Join brings a person in.
	Join(ctx context.Context, name string, role scenario.Role) (Participant, error)
	// Act has the room's moderator, or the person themselves, do something to a
	// participant, or to the room if who is nil. It returns when the server has
	// acknowledged it. The verb is one of [Capabilities.Acts].
	Act(ctx context.Context, verb scenario.Verb, who Participant) error
	// NoShows is how many invited guests the server has reported as not coming.
	NoShows() uint64
	// Close ends the room and returns when the server has acknowledged it.
	Close(ctx context.Context) error
}

// A Remote is a [RoomClient] that can moderate people whom another process has brought in.
type Remote interface {
	RoomClient
	// Member is what the server calls a participant.
	Member(who Participant) (string, error)
	// ActOn is Act of the room's moderator on a member.
	ActOn(ctx context.Context, verb scenario.Verb, member string) error
}

// A Participant is one person's presence in a room.
type Participant interface {
	// Listen exchanges the offer of a receiving client for the server's answer. A
	// server that prefers to make the offer itself returns a [*CounterOffer].
	Listen(ctx context.Context, offer string) (answer string, err error)
	// Publish exchanges the offer of a sending client for the server's answer.
	Publish(ctx context.Context, offer string) (answer string, err error)
	// Trickle sends an SDP fragment with the client's candidates (RFC 8840, section
	// 4.4) and returns the server's fragment, which may be empty. It needs
	// [Capabilities.Trickle].
	Trickle(ctx context.Context, of Media, fragment string) (string, error)
	// Resume drops the signaling connection without a goodbye and resumes on a new one.
	// The returned Participant replaces this one. It needs [Capabilities.Resume].
	Resume(ctx context.Context) (Participant, error)
	// RestartICE sends an SDP fragment with a client's new ICE credentials and returns the
	// server's (RFC 9725, section 4.3.3). It needs the verb [scenario.RestartICE] among
	// [Capabilities.Acts].
	RestartICE(ctx context.Context, of Media, fragment string) (string, error)
	// OnMediaClosed sets what is called when the server says that it has closed a media
	// connection, and the person is still in the room: they may offer it again. closed must
	// not block. Drivers whose servers do not say so never call it.
	OnMediaClosed(closed func(of Media))
	// OnEarMoving sets what is called when the server says that the ear will be closed soon: the
	// person opens another, while the old one plays on. moving must not block. Drivers whose
	// servers do not say so never call it.
	OnEarMoving(moving func())
	// OnLost sets what is called when the presence has ended though nobody wanted that: the
	// connection was lost, or the server has gone or has sent the person elsewhere. They may come
	// again by Resume or [RoomClient.Join]. moved means that the server has said where the room is now, and their
	// media plays on for a moment. lost must not block. Drivers without [Capabilities.Resume] never call it.
	OnLost(lost func(moved bool))
	// Leave ends the presence and returns when the server has acknowledged it.
	Leave(ctx context.Context) error
	// Done is closed when the presence has ended, whichever side ended it.
	Done() <-chan struct{}
}

// A Negotiator is a [Participant] whose server needs further offers of a receiving client,
// or makes them, to begin or end to send a voice: it subscribes the client to voices by and by.
type Negotiator interface {
	Participant
	// Negotiate says who makes or answers the further offers. It is called when the client has
	// taken the answer that Listen returned, or has answered the server's own offer.
	Negotiate(Negotiation)
}

// Placed is a [Participant] of a cluster, who may say which node is to serve them.
type Placed interface {
	Participant
	// ListenAt is Listen with the number of the node that is to have the ear. It is an error if
	// that does not take it.
	ListenAt(ctx context.Context, node int, offer string) (answer string, err error)
}

// A Negotiation is a receiving client's part in further offers. The driver calls one of its
// functions at a time, and not after the participant has left.
type Negotiation struct {
	// Offer makes another offer, of so many sections more than the one before.
	Offer func(ctx context.Context, more int) (string, error)
	// Accept takes the server's answer to it.
	Accept func(answer string)
	// Answer answers an offer of a server that has made the first one, too: it gives the answer to
	// send, and returns when that has sent it.
	Answer func(ctx context.Context, offer string, send func(answer string) error) error
	// Candidate takes a candidate of such a server's, which may be known: an attribute without
	// "a=".
	Candidate func(attribute string)
}

// A Media is one of the two media connections of a participant.
type Media string

const (
	Ear Media = "ear" // receives
	Mic Media = "mic" // sends
)

// UnsupportedRoom implements what a [RoomClient] without moderation can't do. Embed
// it.
type UnsupportedRoom struct{}

// Act implements RoomClient.
func (UnsupportedRoom) Act(context.Context, scenario.Verb, Participant) error {
	return ErrUnsupported
}

// NoShows implements RoomClient.
func (UnsupportedRoom) NoShows() uint64 { return 0 }

// UnsupportedParticipant implements what a [Participant] can't do whose driver has
// neither [Capabilities.Trickle] nor [Capabilities.Resume] nor restarts of ICE, and whose server
// does not say which media it has closed. Embed it.
type UnsupportedParticipant struct{}

// Trickle implements Participant.
func (UnsupportedParticipant) Trickle(context.Context, Media, string) (string, error) {
	return "", ErrUnsupported
}

// Resume implements Participant.
func (UnsupportedParticipant) Resume(context.Context) (Participant, error) {
	return nil, ErrUnsupported
}

// RestartICE implements Participant.
func (UnsupportedParticipant) RestartICE(context.Context, Media, string) (string, error) {
	return "", ErrUnsupported
}

// OnMediaClosed implements Participant.
func (UnsupportedParticipant) OnMediaClosed(func(Media)) {}

// OnEarMoving implements Participant.
func (UnsupportedParticipant) OnEarMoving(func()) {}

// OnLost implements Participant.
func (UnsupportedParticipant) OnLost(func(bool)) {}

// A CounterOffer is the error for an offer that the server refused with an offer of
// its own.
type CounterOffer struct {
	// SDP is the server's offer.
	SDP string
	// Answer sends the answer to it and returns when the server has it.
	Answer func(ctx context.Context, answer string) error
}

func (*CounterOffer) Error() string { return "the server made an offer of its own" }

// An ICEServer is a STUN or TURN server by which clients gather candidates.
type ICEServer struct {
	URL                  string
	Username, Credential string // for TURN
}

var (
	// ErrUnreachable means that the target did not answer at all.
	ErrUnreachable = errors.New("the target cannot be reached")
	// ErrUnsupported means that the driver can't do what the scenario asks for.
	ErrUnsupported = errors.New("the driver cannot do this")
)
