package room

import "time"

// MemberID names a person within a room. The room treats it as opaque; it is
// unique among those present. The empty id is nobody's: as an actor it stands
// for [Operator].
type MemberID string

// Operator is the actor of what the server's operator does, rather than anyone
// in the room. The operator may do everything a host may.
const Operator MemberID = ""

// Newcomer is somebody who wants to come in. Whether they are who they say, and
// may have the role, is the caller's business (a token, an invite, open mode).
type JoinRequest struct {
	ID   MemberID
	Name string
	Role Role
	Identity
	// Club tells that they have an account of the club's.
	ClubMember bool
	// Invited tells that an invite to this room brought them, or the operator did.
	Invited bool
	// Solo tells that they have no signaling, only one media session: they hear or
	// are heard, and cannot govern, be asked anything, or come back.
	MediaOnly bool
	// Hold is the key of the [Hold] that was made for them; empty: none.
	Reservation string
}

// Identity is by what somebody is known again.
type Identity struct {
	// Account is the person's account; empty: none. An account is in a room once.
	Account string
	// Pass is the token they came with, over all of its refreshes; empty: none.
	TokenFamily string `json:"Pass"`
}

// Member is a person in a room at one moment. It is a value: changing it changes
// nothing in the room.
type Member struct {
	ID   MemberID
	Name string
	Role Role
	Identity
	// Invited reports whether an invite or the operator brought them.
	Invited bool
	// MediaOnly reports whether they have no signaling, see [JoinRequest].
	MediaOnly bool `json:"Solo"`

	// Hall is the hall in which a listener sits: 0 is the room itself, the others
	// are its overflow halls. It is 0 for those on stage.
	Hall int

	// Muted tells that the person's mic must not be heard. It is only ever true
	// on stage: who leaves the stage leaves the mute there.
	Muted bool
	// MutedBy is who muted the person: their own id, a host's, or [Operator].
	// It means nothing unless Muted is true.
	MutedBy MemberID

	// Hand is when the person raised their hand; zero while it is down. It is
	// only ever set in the audience.
	HandRaisedAt time.Time `json:"Hand"`

	// Invitation is what the person has been asked and has not answered. It is
	// only ever set in the audience.
	Invitation Invitation

	// Away is when the person's connection was lost; zero while they are there.
	// Their seat and their role are held for [Config.Window].
	DisconnectedAt time.Time `json:"Away"`

	// JoinedAt is when the person came in. Changes of role leave it alone.
	JoinedAt time.Time
}

// HandUp reports whether the person's hand is raised.
func (m Member) HandUp() bool { return !m.HandRaisedAt.IsZero() }

// Asked reports whether an invitation to the stage waits for the person's answer.
func (m Member) HasInvitation() bool { return m.Invitation != Invitation{} }

// Present reports whether the person's connection is there.
func (m Member) Connected() bool { return m.DisconnectedAt.IsZero() }
