package liveroom

import (
	"errors"
	"time"

	"github.com/earshot-audio/earshot/room"
	"github.com/earshot-audio/earshot/signaling/wire"
)

// ErrNothingToResume refuses to resume where there is no such room, member or key.
var ErrNothingToResume = wire.NewError(wire.CodeNotFound, "there is nothing to resume: join")

// join admits a newcomer, or reconnects a participant whom the room knows and whose
// WebSocket is lost. It returns who they are: p, or the participant they were.
// reply is called with a snapshot of the room, with the lock held, before any
// broadcast can reach them.
func (l *LiveRoom) join(p *Participant, request room.JoinRequest, reply func(wire.Joined)) (*Participant, error) {
	me := p
	request.ID, request.Identity, request.MediaOnly = p.ID, p.Identity, p.mediaOnly != ""
	err := l.Change(func(rules *room.Room, now time.Time) ([]room.Event, error) {
		if old := l.roster.reconnecting(rules, p); old != nil {
			me = old
			return l.reconnect(old, p.conn, now)
		}
		events, err := rules.Join(request, now)
		if err != nil {
			return nil, err
		}
		l.admit(p)
		return events, nil
	}, func() {
		if reply != nil {
			reply(view{l}.joined(me))
		}
	})
	if errors.Is(err, errNotSaved) {
		_ = l.Lost(me) // nobody has been told that they are in
	}
	return me, err
}

// admit adds a participant whom the rules have let in. The caller holds the lock.
func (l *LiveRoom) admit(p *Participant) {
	m, _ := l.rules.Member(p.ID)
	l.roster.add(p, m)
	l.registry.accounts.add(p.Account, seat{l, p})
}

// reconnect gives a participant a new WebSocket, in place of one that may still be
// there. The caller holds the lock.
func (l *LiveRoom) reconnect(p *Participant, conn Connection, now time.Time) ([]room.Event, error) {
	events, err := l.rules.Reconnect(p.ID, now)
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
func (l *LiveRoom) Resume(m wire.Resume, who room.Identity, conn Connection, reply func(wire.Resumed)) (*Participant, error) {
	if !validResumeKey(l.registry.cfg.Key, m) {
		return nil, ErrNothingToResume
	}
	var me *Participant
	err := l.Change(func(_ *room.Room, now time.Time) ([]room.Event, error) {
		p, ok := l.roster.participants[room.MemberID(m.Member)]
		if !ok || p.mediaOnly != "" || p.Account != who.Account {
			return nil, ErrNothingToResume
		}
		me = p
		return l.reconnect(p, conn, now)
	}, func() { reply(view{l}.resumed(me, m.Rev)) })
	return me, err
}

// Leave removes a participant at their own request. It is [room.ErrNotMember] if
// they have left already.
func (l *LiveRoom) Leave(p *Participant, reply func()) error {
	return l.remove(p, (*room.Room).Leave, reply)
}

// Lost removes a participant whose connection is lost for good. It is
// [room.ErrNotMember] if they have left already.
func (l *LiveRoom) Lost(p *Participant) error { return l.remove(p, (*room.Room).TimeOut, nil) }

// replace removes a participant whose account has joined elsewhere. That they have
// left already is no failure.
func (l *LiveRoom) replace(p *Participant) { _ = l.remove(p, (*room.Room).Replace, nil) }

func (l *LiveRoom) remove(p *Participant, how func(*room.Room, room.MemberID, time.Time) ([]room.Event, error), reply func()) error {
	return l.Change(func(rules *room.Room, now time.Time) ([]room.Event, error) {
		if !p.joined {
			return nil, room.ErrNotMember
		}
		return how(rules, p.ID, now)
	}, reply)
}

// Disconnect notes that a participant's WebSocket is lost. They may reconnect,
// unless final is true. If they have another WebSocket by now, or have left,
// nothing happens.
func (l *LiveRoom) Disconnect(p *Participant, conn Connection, final bool) {
	_ = l.Change(func(rules *room.Room, now time.Time) ([]room.Event, error) {
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
func (l *LiveRoom) mayReconnect(p *Participant) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return p.joined && p.disconnected()
}

// restoreStage adds those who were on stage before a restart. The room is not
// visible to others yet.
func (l *LiveRoom) restoreStage() {
	for _, m := range l.rules.Stage() {
		p := &Participant{ID: m.ID, Identity: m.Identity, restored: true}
		l.admit(p)
		l.Media.room.Mute(p.talker, m.Muted)
	}
	l.setTimer(l.registry.cfg.Clock())
}
