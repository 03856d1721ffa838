package room

import "time"

// MemberID names a person within a room. The room treats it as opaque; it is
// unique among those present. The empty id is nobody's: as an actor it stands
// for [Operator].
type MemberID string

// Operator is the actor of what the server's operator does, rather than anyone
// in the room. The operator may do everything a host may.
const Operator MemberID = ""

// Member is a person in a room at one moment. It is a value: changing it changes
// nothing in the room.
type Member struct {
	ID   MemberID
	Name string
	Role Role

	// Muted tells that the person's mic must not be heard. It is only ever true
	// on stage: who leaves the stage leaves the mute there.
	Muted bool
	// MutedBy is who muted the person: their own id, a host's, or [Operator].
	// It means nothing unless Muted is true.
	MutedBy MemberID

	// Hand is when the person raised their hand; zero while it is down. It is
	// only ever set in the audience.
	Hand time.Time

	// JoinedAt is when the person came in. Changes of role leave it alone.
	JoinedAt time.Time
}

// HandUp tells whether the person's hand is raised.
func (m Member) HandUp() bool { return !m.Hand.IsZero() }
