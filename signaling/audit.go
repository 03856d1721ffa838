package signaling

import (
	"github.com/earshot-audio/earshot/room"
	"github.com/earshot-audio/earshot/store"
)

// audit notes who did what in a room. It is called with the room's lock held, and
// does not wait. The audience's coming and going is not noted, and neither is what
// the API did, which notes it itself, with whose token it was.
func (h *hub) audit(e room.Event) {
	did := deed(e)
	if did == "" {
		return
	}
	who := "member:" + string(e.By)
	if e.By == room.Operator {
		who = "server"
	}
	entry := store.AuditEntry{At: e.At.UTC(), Actor: who, Action: did, Room: e.Room, Target: string(e.Member.ID), Detail: describe(e.Member)}
	switch e.Kind {
	case room.Promoted, room.Demoted, room.Joined:
		entry.Detail += " as " + e.Member.Role.String()
	case room.PlaceReserved, room.ReservationReleased, room.ReservationExpired:
		entry.Target, entry.Detail = e.Reservation.Key, e.Reservation.Name
	case room.Unblocked:
		entry.Target, entry.Detail = string(e.Block.Member), e.Block.Name
	case room.Ended, room.RulesSet:
		entry.Target, entry.Detail = "", ""
	}
	h.cfg.Store.Audit(entry)
}

// deed names what an event is in the audit trail; empty: nothing to note.
func deed(e room.Event) string {
	byAPI := e.By == room.Operator
	switch e.Kind {
	case room.Joined:
		if e.Member.Role.OnStage() {
			return "stage.join"
		}
	case room.Left:
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
		if !byAPI {
			return "room.end"
		}
	}
	return ""
}
