package protocol

import (
	"time"

	"github.com/earshot-audio/earshot/room"
	"github.com/earshot-audio/earshot/signaling/liveroom"
	"github.com/earshot-audio/earshot/signaling/wire"
)

// changeOf returns the change of the rules that a member requests.
func changeOf(me room.MemberID, m wire.ClientMessage) func(*room.Room, time.Time) ([]room.Event, error) {
	return func(rules *room.Room, now time.Time) ([]room.Event, error) {
		return applyChange(rules, me, m, now)
	}
}

func applyChange(rules *room.Room, me room.MemberID, m wire.ClientMessage, now time.Time) ([]room.Event, error) {
	// target is the member whom a request names, or oneself.
	target := func(member string) room.MemberID {
		if member == "" {
			return me
		}
		return room.MemberID(member)
	}
	switch m := m.(type) {
	case wire.Mute:
		if m.Muted {
			return rules.Mute(me, target(m.Member), now)
		}
		return rules.Unmute(me, target(m.Member), now)
	case wire.Promote:
		return rules.Promote(me, target(m.Member), stageRole(m.Role), now)
	case wire.Demote:
		return rules.Demote(me, target(m.Member), now)
	case wire.Remove:
		return rules.Remove(me, target(m.Member), now)
	case wire.RaiseHand:
		return rules.RaiseHand(me, now)
	case wire.Applaud:
		return rules.Applaud(me, now)
	case wire.LowerHand:
		return rules.LowerHand(me, target(m.Member), now)
	case wire.InviteToStage:
		return rules.InviteToStage(me, target(m.Member), stageRole(m.Role), now)
	case wire.AcceptStage:
		return rules.AcceptStage(me, now)
	case wire.DeclineStage:
		return rules.DeclineStage(me, target(m.Member), now)
	case wire.PassHost:
		return rules.TransferHost(me, target(m.Member), now)
	case wire.SetRules:
		return rules.SetRules(me, liveroom.UpdateRules(rules.Rules(), m), now)
	case wire.Ban:
		return rules.Ban(me, target(m.Member), now)
	case wire.Unban:
		return rules.Unban(me, target(m.Member), now)
	}
	return nil, wire.NewError(wire.CodeUnknownType, "")
}

// stageRole returns a role on stage: speaker, if the request names none.
func stageRole(role wire.Role) room.Role {
	if role == "" {
		return room.Speaker
	}
	return liveroom.RoomRole(role)
}
