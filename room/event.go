package room

import (
	"strconv"
	"time"
)

// Kind is the kind of an [Event].
type Kind uint8

const (
	// Joined: Member joined, in Member.Role.
	Joined Kind = iota + 1
	// Left: Member is gone, for Reason.
	Left
	// Promoted: Member's role changed from Was to the higher Member.Role. If they
	// were in the audience, their seat is free and their hand is down.
	Promoted
	// Demoted: Member went from the stage, where they were Was, to the audience.
	// They are no longer muted, having no mic.
	Demoted
	// Muted: Member was muted, or their own mute was replaced by a host's, which
	// they may not be able to undo (see [Rules.SelfUnmute]).
	Muted
	// Unmuted: Member may be heard again.
	Unmuted
	// HandRaised: Member, in the audience, asks to speak.
	HandRaised
	// HandLowered: Member's hand went down without their going on stage.
	HandLowered
	// SteppedDown: Member, a host, is a speaker now.
	SteppedDown
	// Disconnected: Member's connection is lost, and they may reconnect.
	Disconnected
	// Reconnected: Member is connected again.
	Reconnected
	// StageInvited: Member, in the audience, is invited to the stage.
	StageInvited
	// StageInviteClosed: the invitation is over; Outcome says how.
	StageInviteClosed
	// Applauded: Member, on stage, applauds. It changes nothing.
	Applauded
	// RulesSet: the rules are now Rules. Member is empty.
	RulesSet
	// Blocked: Member, who was in the room on another server and has not come here, is kept
	// out, for Reason. See [Room.Recall].
	Blocked
	// Unblocked: the block in Block is removed. Member is empty.
	Unblocked
	// PlaceReserved: a place on stage is reserved, see Reservation. Member is empty.
	PlaceReserved
	// ReservationReleased: the reservation is over: the guest joined, or the invite
	// was revoked.
	ReservationReleased
	// ReservationExpired: the reservation is over: the guest did not join in time.
	ReservationExpired
	// Ended: the room is over. It is the last event of a room, after a [Left]
	// for everyone who was in it; Member is empty.
	Ended
)

var kindNames = [...]string{
	Joined: "joined", Left: "left", Promoted: "promoted", Demoted: "demoted",
	Muted: "muted", Unmuted: "unmuted", HandRaised: "hand-raised",
	HandLowered: "hand-lowered", SteppedDown: "yielded", Disconnected: "went-away", Reconnected: "came-back",
	StageInvited: "stage-invited", StageInviteClosed: "stage-invite-closed", Applauded: "applauded", RulesSet: "rules-set",
	Blocked: "barred", Unblocked: "unbarred", PlaceReserved: "held", ReservationReleased: "released", ReservationExpired: "guest-lapsed", Ended: "ended",
}

// String returns the kind in lower case with hyphens, and "event(N)" for a value
// that is no kind.
func (k Kind) String() string {
	if k >= Joined && int(k) < len(kindNames) {
		return kindNames[k]
	}
	return "event(" + strconv.Itoa(int(k)) + ")"
}

// Reason is why someone left, or how someone became host.
type Reason uint8

const (
	// ReasonLeft: of their own accord.
	ReasonLeft Reason = iota + 1
	// ReasonRemoved: a host or the operator removed them.
	ReasonRemoved
	// ReasonBanned: a host or the operator banned them.
	ReasonBanned
	// ReasonReplaced: their account has joined elsewhere.
	ReasonReplaced
	// ReasonLost: their connection was lost and they did not reconnect.
	ReasonLost
	// ReasonEnded: the room ended.
	ReasonEnded
	// ReasonNoHost: the room ended because nobody was left who can be host.
	ReasonNoHost
	// ReasonTransferred: a host transferred the role.
	ReasonTransferred
	// ReasonSucceeded: the last host was gone, and the member is the successor.
	ReasonSucceeded
)

var reasonNames = [...]string{
	ReasonLeft: "left", ReasonRemoved: "removed", ReasonBanned: "banned", ReasonReplaced: "replaced", ReasonLost: "lost",
	ReasonEnded: "ended", ReasonNoHost: "ungoverned", ReasonTransferred: "passed", ReasonSucceeded: "succeeded",
}

// String returns the reason in lower case, "" for the zero value and "reason(N)"
// for anything else.
func (r Reason) String() string {
	if int(r) < len(reasonNames) {
		return reasonNames[r]
	}
	return "reason(" + strconv.Itoa(int(r)) + ")"
}

// Event is one change of a room. Events of one room, applied in order to an
// empty roster, rebuild the room: each concerns one member (or none) and carries
// all of that member's state.
type Event struct {
	Kind Kind
	// Room is the room's name.
	Room string
	// Member is the person it concerns as they are after the change; for [Left],
	// as they last were.
	Member Member
	// Was is the role before the change, for [Promoted], [Demoted] and
	// [SteppedDown]; else zero.
	Was Role
	// By is who did it: the member's own id, a host's, or [Operator]. A lost
	// connection is the member's own.
	By MemberID
	// Reason is set for [Left], [Blocked] and [Ended], and for a [Promoted] that is not a
	// promotion by a host: [ReasonTransferred], [ReasonSucceeded].
	Reason Reason
	// Outcome is set for [StageInviteClosed] only.
	Outcome Outcome
	// Rules, Block and Reservation are set for the kinds that say so.
	Rules       Rules
	Block       Block
	Reservation Reservation
	// At is the time given to the call.
	At time.Time
}
