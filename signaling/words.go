package signaling

import (
	"github.com/earshot-audio/earshot/room"
	"github.com/earshot-audio/earshot/signaling/wire"
)

// wireRole returns the protocol's word for a role. They are the same words.
func wireRole(role room.Role) wire.Role { return wire.Role(role.String()) }

// ruleRole returns the rules' value for a role of the protocol, which has been
// validated; the zero value for none.
func ruleRole(role wire.Role) room.Role {
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

// stageRole is ruleRole for a role on stage: speaker, if none is given.
func stageRole(role wire.Role) room.Role {
	if role == "" {
		return room.Speaker
	}
	return ruleRole(role)
}

var (
	wireHands = map[room.HandPolicy]wire.Hands{
		room.HandsEveryone: wire.HandsEveryone, room.HandsInvited: wire.HandsInvited, room.HandsOff: wire.HandsOff,
	}
	wireVisibility = map[room.Visibility]wire.Visibility{
		room.Open: wire.VisibleOpen, room.MembersOnly: wire.VisibleMembers, room.Closed: wire.VisibleClosed,
	}
)

// wireRules returns rules in the protocol's words.
func wireRules(r room.Rules) wire.Rules {
	return wire.Rules{Hands: wireHands[r.Hands], SelfUnmute: r.SelfUnmute, Visibility: wireVisibility[r.Visibility]}
}

// changed returns the rules with those replaced that a request names; it has been
// validated.
func changed(rules room.Rules, m wire.SetRules) room.Rules {
	for rule, word := range wireHands {
		if word == m.Hands {
			rules.Hands = rule
		}
	}
	if m.SelfUnmute != nil {
		rules.SelfUnmute = *m.SelfUnmute
	}
	if as, ok := ruleVisibility(m.Visibility); ok {
		rules.Visibility = as
	}
	return rules
}

// ruleVisibility returns the rules' value for a visibility of the protocol.
func ruleVisibility(v wire.Visibility) (room.Visibility, bool) {
	for rule, word := range wireVisibility {
		if word == v {
			return rule, true
		}
	}
	return 0, false
}

// goodbyes tells what a session is told of why its person left.
var goodbyes = map[room.Reason]wire.GoodbyeReason{
	room.ReasonLeft: wire.GoodbyeLeft, room.ReasonRemoved: wire.GoodbyeRemoved, room.ReasonBanned: wire.GoodbyeBanned,
	room.ReasonReplaced: wire.GoodbyeReplaced, room.ReasonNoHost: wire.GoodbyeEnded,
}
