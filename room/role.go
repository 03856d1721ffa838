package room

import "strconv"

// Role is what a person is in a room. A person has exactly one. The zero value
// is no role and is refused by every call that takes one.
type Role uint8

const (
	// Listener sits in the audience: hears, may raise a hand, has no mic.
	Listener Role = iota + 1
	// Speaker is on stage and may be heard.
	Speaker
	// Host is on stage, may be heard, and moderates.
	Host
)

// OnStage reports whether people in this role are on stage.
func (r Role) OnStage() bool { return r == Speaker || r == Host }

// Valid reports whether r is one of the roles.
func (r Role) Valid() bool { return r >= Listener && r <= Host }

// String returns "listener", "speaker" or "host", as the protocol spells them,
// and "role(N)" for anything else.
func (r Role) String() string {
	switch r {
	case Listener:
		return "listener"
	case Speaker:
		return "speaker"
	case Host:
		return "host"
	default:
		return "role(" + strconv.Itoa(int(r)) + ")"
	}
}
