package room

import "time"

// MemberID names a person within a room. The room treats it as opaque; it is
// unique among those present. The empty id is nobody's: as an actor it stands
// for [Operator].
type MemberID string

// Operator is the actor of what the server's operator does, rather than anyone
// in the room. The operator may do everything a host may.
const Operator MemberID = ""

// JoinRequest describes a person who wants to join. Whether they are who they say, and
// may have the role, is the caller's business (a token, an invite, open mode).
type JoinRequest struct {
	ID   MemberID
	Name string
	Role Role
	Identity
	// ClubMember reports whether they have an account of the club.
	ClubMember bool
	// Invited reports whether an invite to this room or the operator brought them.
	Invited bool
	// MediaOnly reports whether they have no signaling, only one media session
	// (WHIP, WHEP): they can't be host, be invited to the stage, or reconnect.
	MediaOnly bool
	// Reservation is the key of the [Reservation] made for them; empty if none.
	Reservation string
	// Owner reports whether they made the room.
	Owner bool
	// InvitedBy lists who invited them, and who invited those: accounts and token
	// families, with spaces between them. Empty: nobody, or the operator.
	InvitedBy string
	Sponsors  []Sponsor
	// OrListener reports whether a seat in the audience will do if the stage is full.
	OrListener bool
}

// Identity is what a person is recognised by.
type Identity struct {
	// Account is the person's account; empty: none. An account is in a room once.
	Account string
	// TokenFamily identifies the token that they joined with and all its refreshes;
	// empty if none.
	TokenFamily string `json:"Pass"`
	// Invite is the invite by which they came; empty if none.
	Invite string `json:",omitempty"`
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

	// Muted reports whether the person's mic must not be heard. It is only true on
	// stage: leaving the stage ends a mute.
	Muted bool
	// MutedBy is who muted the person: their own id, a host's, or [Operator].
	// It means nothing unless Muted is true.
	MutedBy MemberID

	// HandRaisedAt is when the person raised their hand; zero while it is down. It is
	// only ever set in the audience.
	HandRaisedAt time.Time `json:"Hand"`

	// Invitation is an invitation to the stage that the person has not answered. It
	// is only set in the audience.
	Invitation Invitation

	// DisconnectedAt is when the person's connection was lost; zero while they are
	// connected. They keep their seat and role for [Config.ReconnectWindow].
	DisconnectedAt time.Time `json:"Away"`

	// JoinedAt is when the person came in. Changes of role leave it alone.
	JoinedAt time.Time
}

// HandUp reports whether the person's hand is raised.
func (m Member) HandUp() bool { return !m.HandRaisedAt.IsZero() }

// HasInvitation reports whether an invitation to the stage waits for an answer.
func (m Member) HasInvitation() bool { return m.Invitation != Invitation{} }

// Connected reports whether the person is connected.
func (m Member) Connected() bool { return m.DisconnectedAt.IsZero() }
