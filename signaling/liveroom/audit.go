package liveroom

import (
	"strconv"

	"github.com/earshot-audio/earshot/room"
	"github.com/earshot-audio/earshot/store"
)

// audit adds an event to the audit log, without waiting. Listeners who join and
// leave are not logged, and neither is what the API does, which logs it itself with
// the token's holder. It is called with the room's lock held.
func (r *Registry) audit(e room.Event) {
	action := auditAction(e)
	if action == "" {
		return
	}
	actor := "member:" + string(e.By)
	if e.By == room.Operator {
		actor = "server"
	}
	entry := store.AuditEntry{At: e.At.UTC(), Actor: actor, Action: action, Room: e.Room, Target: string(e.Member.ID), Detail: Describe(e.Member)}
	switch e.Kind {
	case room.Promoted, room.Demoted, room.Joined:
		entry.Detail += " as " + e.Member.Role.String()
	case room.PlaceReserved, room.ReservationReleased, room.ReservationExpired:
		entry.Target, entry.Detail = e.Reservation.Key, e.Reservation.Name
	case room.Unblocked:
		entry.Target, entry.Detail = string(e.Block.Member), e.Block.Name
	case room.Ended, room.RulesSet:
		entry.Target, entry.Detail = "", ""
		if e.Reason == room.ReasonNoHost {
			entry.Detail = "nobody was left who can be host"
		}
	}
	r.cfg.Store.Audit(entry)
}

// auditAction returns the name of an event in the audit log; empty: it is not
// logged.
func auditAction(e room.Event) string {
	byAPI := e.By == room.Operator
	switch e.Kind {
	case room.Joined:
		if e.Member.Role.OnStage() {
			return "stage.join"
		}
	case room.Left, room.Blocked:
		switch {
		case e.Reason == room.ReasonRemoved && !byAPI:
			return "member.remove"
		case e.Reason == room.ReasonBanned && !byAPI:
			return "member.ban"
		case e.Member.Role.OnStage() && !byAPI:
			return "stage.leave"
		}
	case room.Promoted:
		return "member.promote"
	case room.Demoted:
		return "member.demote"
	case room.Muted:
		if !byAPI && e.By != e.Member.ID {
			return "member.mute"
		}
	case room.Unmuted:
		if !byAPI && e.By != e.Member.ID {
			return "member.unmute"
		}
	case room.Unblocked:
		return "member.unban"
	case room.RulesSet:
		return "room.rules"
	case room.ReservationExpired:
		return "invite.lapse"
	case room.Ended:
		if !byAPI || e.Reason == room.ReasonNoHost {
			return "room.end"
		}
	}
	return ""
}

// Describe returns a member's name and account, for the audit log.
func Describe(m room.Member) string {
	text := strconv.Quote(m.Name)
	if m.Account != "" {
		text += " " + m.Account
	}
	return text
}
