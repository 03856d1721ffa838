package signaling

import (
	"github.com/earshot-audio/earshot/room"
	"github.com/earshot-audio/earshot/signaling/wire"
)

// apply carries out what the rules have decided, and notes what is left to be
// done without the lock. The caller holds it, and has hushed who loses their
// media.
func (l *live) apply(events []room.Event, rest *after) {
	for _, e := range events {
		l.hub.audit(e)
		switch e.Kind {
		case room.Ended:
			rest.ended = true
			// Here and not where the goroutine starts: a shutdown that finds the
			// room ended must find it counted.
			l.hub.teardowns.Add(1)
		case room.RulesSet:
			l.news.rules = true
		case room.ReservationExpired:
			l.tellHosts(wire.GuestLapsed{Name: e.Reservation.Name, Role: wireRole(e.Reservation.Role)})
		default:
			if p, ok := l.people[e.Member.ID]; ok {
				l.carryOut(p, e, rest)
			}
		}
	}
	if !rest.ended && len(events) > 0 {
		l.presence.kick()
	}
	if l.rules.Len() == 0 && len(events) > 0 {
		l.emptySince = events[len(events)-1].At
	}
}

// carryOut does what has been decided about one person.
func (l *live) carryOut(p *person, e room.Event, rest *after) {
	switch e.Kind {
	case room.Joined:
		l.hub.log.Debug("joined", "room", l.id, "member", p.id, "role", e.Member.Role, "hall", e.Member.Hall)
		if p.onStage {
			l.onStage(e.Member, false)
		}
	case room.Left:
		l.depart(p, e)
	case room.Promoted, room.Demoted, room.SteppedDown:
		l.rise(p, e, rest)
	case room.Muted, room.Unmuted:
		l.media.Mute(p.talker, e.Member.Muted)
		p.tell(wire.Muted{Muted: e.Member.Muted, MayUnmute: l.rules.MayUnmute(p.id), By: string(e.By)})
		l.onStage(e.Member, false)
	case room.Disconnected, room.Reconnected:
		if p.onStage {
			l.onStage(e.Member, false)
		}
	case room.HandRaised, room.HandLowered:
		l.news.hands = true
	case room.StageInvited:
		p.tell(*l.inviteOf(e.Member))
	case room.StageInviteClosed:
		over := wire.StageInviteClosed{
			Member: string(e.Member.ID), Name: e.Member.Name, Outcome: wire.StageOutcome(e.Outcome.String()),
		}
		l.tellHosts(over)
		p.tell(over)
	}
}

// onStage notes the new state of somebody who is on stage, or leaves it.
func (l *live) onStage(m room.Member, gone bool) {
	change := wire.StageChange{StageMember: l.stageMember(m), Gone: gone}
	l.journal.note(change)
	l.news.stage(change)
}

// tellHosts queues a message for the hosts.
func (l *live) tellHosts(m wire.ServerMessage) {
	for _, host := range l.rules.Stage() {
		if host.Role == room.Host {
			l.people[host.ID].tell(m)
		}
	}
}

// depart takes a person who has left out of the room.
func (l *live) depart(p *person, e room.Event) {
	l.hub.log.Debug("left", "room", l.id, "member", p.id, "reason", e.Reason)
	if p.onStage {
		l.onStage(e.Member, true)
		// A talker's number is not given again, but what is muted is remembered.
		l.media.Mute(p.talker, false)
	}
	if e.Member.HandUp() {
		l.news.hands = true
	}
	p.member, p.onStage = false, false
	delete(l.people, p.id)
	l.hub.accounts.remove(p.Account, p)
	if p.out == nil {
		return
	}
	if e.Reason == room.ReasonEnded {
		p.out.finish(l.farewell)
	} else if reason, ok := goodbyes[e.Reason]; ok {
		p.out.finish(reason)
	}
}

// rise carries out a change of role.
func (l *live) rise(p *person, e room.Event, rest *after) {
	wasOnStage := p.onStage
	p.onStage, p.hall = e.Member.Role.OnStage(), e.Member.Hall
	if !e.Was.OnStage() || !p.onStage {
		// Hands go to those on stage only: a newcomer there has seen none, and a
		// raised hand may just have been answered.
		l.news.hands = true
	}
	p.tell(wire.RoleChanged{Role: wireRole(e.Member.Role), By: string(e.By)})
	if wasOnStage && !p.onStage {
		// A later mic of this person must not start muted.
		l.media.Mute(p.talker, false)
		if len(rest.media) > 0 {
			p.tell(wire.MediaClosed{Media: wire.MediaMic, Reason: wire.CloseDemoted})
		}
	}
	if p.ear != nil && wasOnStage != p.onStage {
		l.media.SetOwner(p.ear, p.owner())
	}
	l.onStage(e.Member, !p.onStage)
	if e.Reason == room.ReasonTransferred || e.Reason == room.ReasonSucceeded {
		rest.said = append(rest.said, wire.HostChanged{
			Member: string(p.id), Name: e.Member.Name, Reason: wire.HostReason(e.Reason.String()), By: string(e.By),
		})
		rest.to = l.everybody()
	}
}

// everybody returns the queues of all who have a WebSocket.
func (l *live) everybody() []*sender {
	to := make([]*sender, 0, len(l.people))
	for _, p := range l.people {
		if p.out != nil {
			to = append(to, p.out)
		}
	}
	return to
}
