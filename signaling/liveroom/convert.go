package liveroom

import (
	"time"

	"github.com/earshot-audio/earshot/room"
	"github.com/earshot-audio/earshot/signaling/wire"
)

// WireRole returns the protocol's name of a role.
func WireRole(role room.Role) wire.Role { return wire.Role(role.String()) }

// RoomRole returns the role that the protocol calls so; the zero value for any
// other text.
func RoomRole(role wire.Role) room.Role {
	switch role {
	case wire.RoleListener:
		return room.Listener
	case wire.RoleSpeaker:
		return room.Speaker
	case wire.RoleHost:
		return room.Host
	}
	return 0
}

var (
	wireHands = map[room.HandPolicy]wire.Hands{
		room.HandsEveryone: wire.HandsEveryone, room.HandsInvited: wire.HandsInvited, room.HandsOff: wire.HandsOff,
	}
	wireVisibility = map[room.Visibility]wire.Visibility{
		room.Open: wire.VisibleOpen, room.MembersOnly: wire.VisibleMembers, room.Closed: wire.VisibleClosed,
	}
)

// goodbyes maps the reasons for which a member leaves to those that their
// connection is told.
var goodbyes = map[room.Reason]wire.GoodbyeReason{
	room.ReasonLeft: wire.GoodbyeLeft, room.ReasonRemoved: wire.GoodbyeRemoved, room.ReasonBanned: wire.GoodbyeBanned,
	room.ReasonReplaced: wire.GoodbyeReplaced, room.ReasonNoHost: wire.GoodbyeEnded,
}

// wireRules returns rules in the protocol's form.
func wireRules(r room.Rules) wire.Rules {
	return wire.Rules{
		Hands: wireHands[r.Hands], SelfUnmute: r.SelfUnmute, Visibility: wireVisibility[r.Visibility],
		AudienceHold: int(r.AudienceHold.Milliseconds()),
	}
}

// UpdateRules returns rules with those replaced that a valid request names.
func UpdateRules(rules room.Rules, m wire.SetRules) room.Rules {
	for policy, name := range wireHands {
		if name == m.Hands {
			rules.Hands = policy
		}
	}
	if m.SelfUnmute != nil {
		rules.SelfUnmute = *m.SelfUnmute
	}
	if v, ok := RoomVisibility(m.Visibility); ok {
		rules.Visibility = v
	}
	if m.AudienceHold != nil {
		rules.AudienceHold = time.Duration(*m.AudienceHold) * time.Millisecond
	}
	return rules
}

// WireVisibility returns what the protocol calls a visibility.
func WireVisibility(v room.Visibility) wire.Visibility { return wireVisibility[v] }

// RoomVisibility returns the visibility that the protocol calls so.
func RoomVisibility(v wire.Visibility) (room.Visibility, bool) {
	for visibility, name := range wireVisibility {
		if name == v {
			return visibility, true
		}
	}
	return 0, false
}
