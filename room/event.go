package room

import (
	"strconv"
	"time"
)

// Kind tells what an [Event] reports.
type Kind uint8

const (
	// Joined: Member came in, in Member.Role.
	Joined Kind = iota + 1
	// Left: Member is gone, for Reason.
	Left
	// Promoted: Member rose from the role Was to Member.Role. If they came out of
	// the audience their seat is free and their hand is down.
	Promoted
	// Demoted: Member went from the stage, where they were Was, to the audience.
	// They are no longer muted, having no mic.
	Demoted
	// Muted: Member was muted, or a mute was taken over by someone who can hold
	// it against the member's will (see [Config.SelfUnmute]).
	Muted
	// Unmuted: Member may be heard again.
	Unmuted
	// HandRaised: Member, in the audience, asks to speak.
	HandRaised
	// HandLowered: Member's hand went down without their going on stage.
	HandLowered
	// Ended: the room is over. It is the last event of a room, after a [Left]
	// for everyone who was in it; Member is empty.
	Ended
)

var kindNames = [...]string{
	Joined: "joined", Left: "left", Promoted: "promoted", Demoted: "demoted",
	Muted: "muted", Unmuted: "unmuted", HandRaised: "hand-raised",
	HandLowered: "hand-lowered", Ended: "ended",
}

// String returns the kind in lower case with hyphens, and "event(N)" for a value
// that is no kind.
func (k Kind) String() string {
	if k >= Joined && int(k) < len(kindNames) {
		return kindNames[k]
	}
	return "event(" + strconv.Itoa(int(k)) + ")"
}

// Reason tells why someone left.
type Reason uint8

const (
	// ReasonLeft: of their own accord.
	ReasonLeft Reason = iota + 1
	// ReasonRemoved: a host or the operator removed them.
	ReasonRemoved
	// ReasonLost: their connection went and did not come back.
	ReasonLost
	// ReasonEnded: the room ended.
	ReasonEnded
)

// String returns "left", "removed", "lost" or "ended", "" for the zero value
// (which is that of every event but [Left]), and "reason(N)" for anything else.
func (r Reason) String() string {
	switch r {
	case 0:
		return ""
	case ReasonLeft:
		return "left"
	case ReasonRemoved:
		return "removed"
	case ReasonLost:
		return "lost"
	case ReasonEnded:
		return "ended"
	default:
		return "reason(" + strconv.Itoa(int(r)) + ")"
	}
}

// Event is one change of a room. Events of one room, applied in order to an
// empty roster, rebuild the room: each concerns one member (or, [Ended], none)
// and carries all of that member's state.
type Event struct {
	Kind Kind
	// Room is the room's name.
	Room string
	// Member is the person it concerns as they are after the change; for [Left],
	// as they last were.
	Member Member
	// Was is the role before the change, for [Promoted] and [Demoted]; else zero.
	Was Role
	// By is who did it: the member's own id, a host's, or [Operator]. A lost
	// connection is the member's own.
	By MemberID
	// Reason is set for [Left] only.
	Reason Reason
	// At is the time given to the call.
	At time.Time
}
