package room

import (
	"fmt"
	"time"
)

// A room that has had a host always has one, or a grace period runs, after which
// somebody on stage becomes host or the room ends. A room that has had no host
// yet waits for one, and so does a room that everybody has left.

// TransferHost makes another member host, and the host who does it a speaker. A
// new host from the audience needs a free place on stage. If the operator does
// it, nobody loses a role.
func (r *Room) TransferHost(by, id MemberID, now time.Time) ([]Event, error) {
	e, err := r.remembered(by, id, false, now)
	if err != nil {
		return nil, err
	}
	if e.Role == Host {
		return nil, fmt.Errorf("member %q is host: %w", string(id), ErrOnStage)
	}
	if r.samePerson(by, e) {
		return nil, fmt.Errorf("member %q is host in another session: %w", string(id), ErrOnStage)
	}
	if err := r.checkStageRole(e, Host); err != nil {
		return nil, err
	}
	if err := r.checkStagePlace(e); err != nil {
		return nil, err
	}
	events := r.promote(e, Host, by, ReasonTransferred, now)
	if by != Operator {
		host := r.members[by]
		for _, h := range append([]*entry{host}, r.sessions(host)...) {
			if h.Role != Host || h == e {
				continue
			}
			r.setRole(h, Speaker, h.ID, now)
			ev := r.event(SteppedDown, h, by, now)
			ev.Was = Host
			events = append(events, ev)
		}
	}
	return r.updateHost(now, events), nil
}

// HasHost reports whether a host is connected.
func (r *Room) HasHost() bool {
	for _, e := range r.stage {
		if e.canHost() && e.Role == Host {
			return true
		}
	}
	return false
}

// Grace returns when the grace period ends; zero if none runs.
func (r *Room) Grace() time.Time { return r.grace }

// canHost reports whether a member can act as host: they are connected and have
// signaling.
func (e *entry) canHost() bool { return e.Connected() && !e.MediaOnly }

// updateHost adds what a change means for the role of host: a successor, or the
// start or end of the grace period.
func (r *Room) updateHost(now time.Time, events []Event) []Event {
	switch {
	case r.ended:
	case r.HasHost():
		r.hadHost, r.grace = true, time.Time{}
	case len(r.members) == 0:
		r.hadHost, r.grace = false, time.Time{}
	case !r.hadHost || !r.grace.IsZero():
	case r.hostAway():
		r.grace = now.Add(r.cfg.Grace)
	default:
		// The last host left on purpose, so the room does not wait.
		if successor := r.successor(); successor != nil {
			return append(events, r.promoteSuccessor(successor, now)...)
		}
		r.grace = now.Add(r.cfg.Grace)
	}
	return events
}

// hostAway reports whether a host might reconnect.
func (r *Room) hostAway() bool {
	for _, e := range r.stage {
		if e.Role == Host && !e.Connected() {
			return true
		}
	}
	return false
}

// successor returns who has been on stage longest of those who can be host.
func (r *Room) successor() *entry {
	for _, e := range r.stage {
		if e.canHost() {
			return e
		}
	}
	return nil
}

func (r *Room) promoteSuccessor(successor *entry, now time.Time) []Event {
	return r.updateHost(now, r.promote(successor, Host, Operator, ReasonSucceeded, now))
}

// endGrace ends the grace period, if it is over: somebody becomes host, or, if
// nobody on stage can and nobody may still reconnect, the room ends.
func (r *Room) endGrace(now time.Time) []Event {
	if r.ended || r.grace.IsZero() || r.grace.After(now) {
		return nil
	}
	if successor := r.successor(); successor != nil {
		return r.promoteSuccessor(successor, now)
	}
	for _, e := range r.stage {
		if until := e.DisconnectedAt.Add(r.cfg.ReconnectWindow); !e.Connected() && until.After(r.grace) {
			r.grace = until
		}
	}
	if r.grace.After(now) {
		return nil
	}
	return r.end(Operator, ReasonNoHost, now)
}

// Tick does what is due at a time: it removes members who were disconnected for
// too long, expires invitations and reservations, and ends the grace period.
func (r *Room) Tick(now time.Time) []Event {
	if r.checkCall(now) != nil {
		return nil
	}
	events := r.removeDisconnected(now)
	events = append(events, r.expireInvitations(now)...)
	events = append(events, r.expireReservations(now)...)
	return append(events, r.endGrace(now)...)
}

// NextTick returns the next time at which [Room.Tick] has something to do; zero
// if there is none.
func (r *Room) NextTick() time.Time {
	if r.ended {
		return time.Time{}
	}
	next := r.grace
	sooner := func(t time.Time) {
		if next.IsZero() || t.Before(next) {
			next = t
		}
	}
	if a, ok := r.firstDisconnection(); ok {
		sooner(a.since.Add(r.cfg.ReconnectWindow))
	}
	if len(r.invited) > 0 {
		sooner(r.invited[0].Invitation.Until)
	}
	for _, h := range r.reservations {
		sooner(h.Until)
	}
	return next
}
