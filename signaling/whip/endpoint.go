package whip

import (
	"context"
	"net/http"
	"time"

	"github.com/earshot-audio/earshot/internal/sdp"
)

// Kind is the direction of a session.
type Kind int

const (
	// Publish: media flows from the client to the server (WHIP).
	Publish Kind = iota + 1
	// Play: media flows from the server to the client (WHEP).
	Play
)

// String returns "whip" or "whep", as the paths spell them.
func (k Kind) String() string {
	switch k {
	case Publish:
		return "whip"
	case Play:
		return "whep"
	default:
		return "unknown"
	}
}

// Endpoint makes and finds sessions. Its methods are called from many goroutines
// at once.
//
// An error that is (errors.As) a [wire.Error] is answered with its code's HTTP
// status and its text; any other is logged and answered with a bare 500. An
// error that also has a method RetryAfter() time.Duration sets Retry-After.
type Endpoint interface {
	// Open makes a session from an offer. The offer parsed as SDP, has ICE
	// credentials and a section in which media can flow in the direction of kind; Open
	// checks the rest. bearer is the token of the Authorization
	// header, empty if there was none. r is the request, for its query and its
	// remote address; its body has been read.
	//
	// The answer must hold all of the server's candidates (RFC 9725, section 4.3.2).
	// A session whose client is gone before it could be told of it is closed.
	Open(ctx context.Context, kind Kind, room, bearer string, r *http.Request, offer string) (Resource, error)

	// Find returns an open session, the bearer being checked as by Open. One that
	// does not exist, has ended, or belongs to another room or kind is
	// wire.CodeNotFound.
	Find(kind Kind, room, id, bearer string) (Resource, error)
}

// Resource is one session. Its methods are called from many goroutines at once.
type Resource interface {
	// ID names the session in its URL. It is unguessable, because on a server that
	// needs no token it is all that protects a session from being ended by others (RFC
	// 9725, section 5). It is unique for the life of the server and does not change.
	ID() string
	// Answer is the SDP answer. It is called once, after Open.
	Answer() string
	// AddCandidate adds ICE candidates that the client found later, as an
	// application/trickle-ice-sdpfrag (RFC 8840, section 9). Its syntax has been
	// checked, and candidates that are of no use here have been removed.
	AddCandidate(sdpFragment string) error
	// ICE are the client's credentials in the present ICE session: those of its offer, or
	// of its latest restart.
	ICE() sdp.Credentials
	// Restart begins another ICE session with the client's credentials in a fragment,
	// whose syntax has been checked, and returns the fragment with the server's. If it
	// fails, the ICE session goes on.
	Restart(sdpFragment string) (string, error)
	// Close ends the session and frees what it holds. It is no error if the session
	// has ended.
	Close(ctx context.Context) error
}

// retrier is an error that says when to try again.
type retrier interface{ RetryAfter() time.Duration }
