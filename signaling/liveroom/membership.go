package liveroom

import (
	"errors"
	"time"

	"github.com/earshot-audio/earshot/room"
	"github.com/earshot-audio/earshot/signaling/wire"
)

// ErrNothingToResume refuses to resume where there is no such room, member or key.
var ErrNothingToResume = wire.NewError(wire.CodeNotFound, "there is nothing to resume: join")

// errOvertaken refuses an account that has come in elsewhere later, while it was on its way in.
var errOvertaken = wire.NewError(wire.CodeConflict, "the account has come in elsewhere meanwhile")

// Membership brings people into a room and out of it. Its methods may be called
// from any goroutine, like those of its [LiveRoom].
type Membership struct{ room *LiveRoom }

// join admits a newcomer, or reconnects a participant whom the room knows and whose
// WebSocket is lost. It returns who they are: p, or the participant they were.
// reply is called with a snapshot of the room, with the lock held, before any
// broadcast can reach them.
func (m *Membership) join(p *Participant, request room.JoinRequest, reply func(wire.Joined)) (*Participant, error) {
	me := p
	request.ID, request.Identity, request.MediaOnly = p.ID, p.Identity, p.mediaOnly != ""
	err := m.room.Change(func(rules *room.Room, now time.Time) ([]room.Event, error) {
		if old := m.room.roster.reconnecting(rules, p); old != nil {
			if p.arrival.before(old.arrival) {
				return nil, errOvertaken
			}
			me = old
			old.arrival = p.arrival
			return m.reconnect(old, p.conn, now)
		}
		events, err := rules.Join(request, now)
		if err != nil {
			return nil, err
		}
		m.admit(p)
		return events, nil
	}, func() {
		if reply != nil {
			reply(view{m.room}.joined(me))
		}
	})
	if errors.Is(err, errNotSaved) {
		_ = m.Lost(me) // nobody has been told that they are in
	}
	return me, err
}

// admit adds a participant whom the rules have let in. The caller holds the lock.
func (m *Membership) admit(p *Participant) {
	member, _ := m.room.rules.Member(p.ID)
	m.room.roster.add(p, member)
	m.room.registry.accounts.add(p.Account, seat{m.room, p})
	if member.Muted {
		m.room.Media.mute(p.talker, true)
	}
}

// reconnect gives a participant a new WebSocket, in place of one that may still be
// there. The caller holds the lock.
func (m *Membership) reconnect(p *Participant, conn Connection, now time.Time) ([]room.Event, error) {
	events, err := m.room.rules.Reconnect(p.ID, now)
	if err != nil {
		return nil, err
	}
	if p.conn != nil {
		p.conn.Finish(wire.GoodbyeReplaced)
	}
	p.conn, p.restored = conn, false
	return events, nil
}

// Resume reconnects a participant over a new WebSocket. The request needs the key
// of the participant's ticket. reply is called with what they have missed, with the
// lock held, before any broadcast can reach them.
func (m *Membership) Resume(request wire.Resume, who room.Identity, conn Connection, reply func(wire.Resumed)) (*Participant, error) {
	if !validResumeKey(m.room.registry.cfg.Key, request) {
		return nil, ErrNothingToResume
	}
	var me *Participant
	err := m.room.Change(func(rules *room.Room, now time.Time) ([]room.Event, error) {
		p, ok := m.room.roster.participants[room.MemberID(request.Member)]
		if !ok || p.mediaOnly != "" || p.Account != who.Account || rules.Blocked(who) {
			return nil, ErrNothingToResume
		}
		me = p
		return m.reconnect(p, conn, now)
	}, func() { reply(view{m.room}.resumed(me, request.Rev)) })
	return me, err
}

// Leave removes a participant at their own request. It is [room.ErrNotMember] if
// they have left already.
func (m *Membership) Leave(p *Participant, reply func()) error {
	return m.remove(p, (*room.Room).Leave, reply)
}

// Lost removes a participant whose connection is lost for good. It is
// [room.ErrNotMember] if they have left already.
func (m *Membership) Lost(p *Participant) error { return m.remove(p, (*room.Room).TimeOut, nil) }

// replace removes a participant whose account has joined elsewhere. That they have left already is no failure. It returns
// when they hear nothing any more and are not heard, whichever servers have their media.
func (m *Membership) replace(p *Participant) { m.replaceIf(p, func() bool { return true }) }

// replaceBefore is replace for a participant who has come in before a moment. The caller does not hold the lock.
func (m *Membership) replaceBefore(p *Participant, a Arrival) {
	m.replaceIf(p, func() bool { return p.arrival.before(a) })
}

func (m *Membership) replaceIf(p *Participant, is func() bool) {
	err := m.remove(p, func(rules *room.Room, id room.MemberID, now time.Time) ([]room.Event, error) {
		if !is() {
			return nil, room.ErrNotMember
		}
		return rules.Replace(id, now)
	}, nil)
	if err == nil {
		m.room.Media.relay.Settle()
	}
}

func (m *Membership) remove(p *Participant, how func(*room.Room, room.MemberID, time.Time) ([]room.Event, error), reply func()) error {
	return m.room.Change(func(rules *room.Room, now time.Time) ([]room.Event, error) {
		if !p.joined {
			return nil, room.ErrNotMember
		}
		return how(rules, p.ID, now)
	}, reply)
}

// Disconnect notes that a participant's WebSocket is lost. They may reconnect,
// unless final is true. If they have another WebSocket by now, or have left,
// nothing happens.
func (m *Membership) Disconnect(p *Participant, conn Connection, final bool) {
	_ = m.room.Change(func(rules *room.Room, now time.Time) ([]room.Event, error) {
		switch {
		case !p.joined || p.conn != conn:
			return nil, nil
		case final:
			return rules.TimeOut(p.ID, now)
		}
		events, err := rules.Disconnect(p.ID, now)
		if err == nil {
			p.conn = nil
		}
		return events, err
	}, nil)
}

// mayReconnect reports whether a participant is in and their WebSocket is lost.
func (m *Membership) mayReconnect(p *Participant) bool {
	m.room.mu.Lock()
	defer m.room.mu.Unlock()
	return p.joined && p.disconnected()
}

// restoreStage adds those who were on stage before a restart. The room is not
// visible to others yet.
func (m *Membership) restoreStage() {
	for _, member := range m.room.rules.Stage() {
		p := &Participant{ID: member.ID, Identity: member.Identity, restored: true}
		m.admit(p)
	}
	m.room.setTimer(m.room.registry.cfg.Clock())
}
