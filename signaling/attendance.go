package signaling

import (
	"errors"
	"time"

	"github.com/earshot-audio/earshot/room"
	"github.com/earshot-audio/earshot/signaling/wire"
)

var errNothingToResume = wire.NewError(wire.CodeNotFound, "there is nothing to resume: join")

// join lets a person in, or lets somebody come back whom the room knows. It
// returns who they are: p, or the person they were. reply is called with the
// picture of the room, under the lock, before any broadcast can reach the person.
func (l *live) join(p *person, n room.JoinRequest, reply func(wire.Joined)) (*person, error) {
	me := p
	n.ID, n.Identity, n.MediaOnly = p.id, p.Identity, p.solo()
	err := l.act(func(now time.Time) ([]room.Event, error) {
		if old := l.returning(p); old != nil {
			me = old
			return l.comeBack(old, p.out, now)
		}
		events, err := l.rules.Join(n, now)
		if err != nil {
			return nil, err
		}
		l.enter(p)
		return events, nil
	}, func() {
		if reply != nil {
			reply(l.picture(me))
		}
	})
	if errors.Is(err, errNotKept) {
		// Nobody has been told that they are in.
		_ = l.leave(me, true, nil)
	}
	return me, err
}

// enter takes somebody in whom the rules have let in. The caller holds the lock.
func (l *live) enter(p *person) {
	l.lastTalker++
	p.talker = l.lastTalker
	m, _ := l.rules.Member(p.id)
	p.onStage, p.hall = m.Role.OnStage(), m.Hall
	p.member = true
	l.people[p.id] = p
	l.hub.accounts.add(p.Account, seat{l, p})
}

// returning finds the person whom a newcomer is, if their WebSocket is lost: by
// their account, or after a restart by their token. The caller holds the lock.
func (l *live) returning(p *person) *person {
	id, ok := l.rules.Identify(p.Identity)
	if !ok || p.solo() {
		return nil
	}
	old := l.people[id]
	if old == nil || old.out != nil || old.solo() || (p.Account == "" && !old.restored) {
		return nil
	}
	return old
}

// comeBack gives a person a new WebSocket, in the place of one that may still be
// there. The caller holds the lock.
func (l *live) comeBack(p *person, out *sender, now time.Time) ([]room.Event, error) {
	events, err := l.rules.Reconnect(p.id, now)
	if err != nil {
		return nil, err
	}
	if p.out != nil {
		p.out.finish(wire.GoodbyeReplaced)
	}
	p.out, p.restored = out, false
	return events, nil
}

// resume takes up a person's session on a new WebSocket.
func (l *live) resume(m wire.Resume, who room.Identity, out *sender, reply func(wire.Resumed)) (*person, error) {
	var me *person
	err := l.act(func(now time.Time) ([]room.Event, error) {
		p, ok := l.people[room.MemberID(m.Member)]
		if !ok || p.solo() || p.Account != who.Account {
			return nil, errNothingToResume
		}
		me = p
		return l.comeBack(p, out, now)
	}, func() { reply(l.missed(me, m.Rev)) })
	return me, err
}

// vacant tells whether a person is in and their WebSocket is lost.
func (l *live) vacant(p *person) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return p.member && p.out == nil && !p.solo()
}

// leave takes a person out, if they are still in.
func (l *live) leave(p *person, lost bool, reply func()) error {
	how := l.rules.Leave
	if lost {
		how = l.rules.TimeOut
	}
	return l.act(l.departure(p, how), reply)
}

// departure is the change of somebody's going, if they are still in.
func (l *live) departure(p *person, how func(room.MemberID, time.Time) ([]room.Event, error)) func(time.Time) ([]room.Event, error) {
	return func(now time.Time) ([]room.Event, error) {
		if !p.member {
			return nil, room.ErrNotMember
		}
		return how(p.id, now)
	}
}

// hangUpOn notes that a person's WebSocket is gone: they may come back, unless
// they have parted. If they have another by now, or are out already, nothing
// happens.
func (l *live) hangUpOn(p *person, out *sender, parted bool) {
	_ = l.act(func(now time.Time) ([]room.Event, error) {
		switch {
		case !p.member || p.out != out:
			return nil, nil
		case parted:
			return l.rules.TimeOut(p.id, now)
		}
		events, err := l.rules.Disconnect(p.id, now)
		if err == nil {
			p.out = nil
		}
		return events, err
	}, nil)
}

// restore takes those in who were on stage before a restart. Nobody else knows
// the room yet.
func (l *live) restore() {
	for _, m := range l.rules.Stage() {
		p := &person{id: m.ID, Identity: m.Identity, restored: true}
		l.enter(p)
		l.media.Mute(p.talker, m.Muted)
	}
	l.rouse(l.hub.cfg.Clock())
}
