package signaling

import (
	"sync"
	"time"

	"github.com/earshot-audio/earshot/room"
	"github.com/earshot-audio/earshot/room/rtc"
	"github.com/earshot-audio/earshot/signaling/wire"
)

// live is a room with people in it: the rules and the media under one lock.
//
// Whatever changes goes through act, which applies the rules and carries out
// their events. Under the lock only things happen that take no time: queueing
// messages, muting, telling an ear whose it is. Closing media and ending the
// room come after it.
type live struct {
	hub     *hub
	id      string
	title   string
	owner   string // the account that made it; empty: the operator, or anybody
	closed  bool   // visibility: not listed
	slots   int
	created time.Time

	mu     sync.Mutex
	rules  *room.Room
	media  *rtc.Room
	people map[room.MemberID]*person
	// solo holds those who have one media session and no WebSocket, by its id.
	solo       map[string]*person
	lastTalker uint32
	emptySince time.Time
	// farewell is what the room's end is called in goodbyes.
	farewell wire.GoodbyeReason
	news     news

	// presence and chatter send what is in news, and who talks.
	presence *coalescer
	chatter  *coalescer
	talkers  talkers

	// watchers are the goroutines that wait for the end of media sessions.
	watchers sync.WaitGroup
	// down is closed when all of an ended room is torn down.
	down chan struct{}
}

// after is what an act leaves to be done without the lock.
type after struct {
	media []rtc.Session
	ended bool
}

// act makes one change. reply, if given, is called if the rules allow it, before
// anybody is told anything, with the lock held: a client gets the answer to its
// request before what follows from it.
func (l *live) act(change func(now time.Time) ([]room.Event, error), reply func()) error {
	l.mu.Lock()
	events, err := change(l.hub.cfg.Clock())
	if err != nil {
		l.mu.Unlock()
		return err
	}
	if reply != nil {
		reply()
	}
	rest := l.apply(events)
	l.mu.Unlock()
	l.finish(rest)
	return nil
}

// finish does what an act has left.
func (l *live) finish(rest after) {
	if !rest.ended {
		for _, session := range rest.media {
			l.hub.closeMedia(session)
		}
	}
	// A room that has ended closes all of its media at once.
	if rest.ended {
		l.hub.forget(l)
		// In a goroutine of its own because it waits for the watchers, and those
		// act, too.
		go l.tearDown()
	}
}

// tearDown ends what a room keeps going, after it has ended. It runs once.
func (l *live) tearDown() {
	defer l.hub.teardowns.Done()
	defer close(l.down)
	l.presence.close()
	if err := l.media.Close(); err != nil {
		l.hub.log.Warn("closing the media of a room", "room", l.id, "err", err)
	}
	l.chatter.close()
	l.watchers.Wait()
	l.hub.retire(l)
}

// join lets a person in. reply is called with the picture of the room, under
// the lock, before any broadcast can reach the person.
func (l *live) join(p *person, name string, role room.Role, reply func(wire.Joined)) error {
	return l.act(func(now time.Time) ([]room.Event, error) {
		events, err := l.rules.Join(room.Newcomer{
			ID: p.id, Name: name, Role: role, Invited: true, Solo: p.out == nil,
		}, now)
		if err != nil {
			return nil, err
		}
		l.lastTalker++
		p.talker = l.lastTalker
		p.onStage = role.OnStage()
		p.member = true
		l.people[p.id] = p
		return events, nil
	}, func() {
		if reply != nil {
			reply(l.picture(p))
		}
	})
}

// picture returns what a newcomer is told. The caller holds the lock.
func (l *live) picture(p *person) wire.Joined {
	me, _ := l.rules.Member(p.id)
	joined := wire.Joined{
		Room:     l.id,
		Member:   string(p.id),
		Role:     wireRole(me.Role),
		Talker:   p.talker,
		Slots:    l.slots,
		Audience: l.rules.Audience(),
		Stage:    l.stage(),
		Talkers:  l.talkers.now(),
	}
	if p.onStage {
		joined.Hands, joined.HandCount = l.hands()
	}
	l.news.shown(joined.Audience, joined.Talkers)
	return joined
}

// stage returns who is on stage. The caller holds the lock.
func (l *live) stage() []wire.StageMember {
	members := l.rules.Stage()
	stage := make([]wire.StageMember, 0, len(members))
	for _, m := range members {
		stage = append(stage, l.stageMember(m))
	}
	return stage
}

func (l *live) stageMember(m room.Member) wire.StageMember {
	member := wire.StageMember{Member: string(m.ID), Name: m.Name, Role: wireRole(m.Role), Muted: m.Muted}
	if p, ok := l.people[m.ID]; ok {
		member.Talker = p.talker
	}
	return member
}

// hands returns the oldest raised hands, and how many there are. The list is
// never nil. The caller holds the lock.
func (l *live) hands() ([]wire.Hand, int) {
	up := l.rules.Hands()
	list := make([]wire.Hand, 0, min(len(up), wire.MaxHands))
	for _, m := range up[:min(len(up), wire.MaxHands)] {
		list = append(list, wire.Hand{Member: string(m.ID), Name: m.Name})
	}
	return list, len(up)
}

// leave takes a person out, if they are still in.
func (l *live) leave(p *person, lost bool, reply func()) error {
	return l.act(func(now time.Time) ([]room.Event, error) {
		if !p.member {
			return nil, room.ErrNotMember
		}
		if lost {
			return l.rules.Lose(p.id, now)
		}
		return l.rules.Leave(p.id, now)
	}, reply)
}

// end ends the room on somebody's behalf (the empty id: the operator), and
// returns when all of it is torn down.
func (l *live) end(by room.MemberID, reply func()) error {
	err := l.act(func(now time.Time) ([]room.Event, error) { return l.rules.End(by, now) }, reply)
	if err == nil {
		<-l.down
	}
	return err
}

// shut ends the room as the server does. It does not wait.
func (l *live) shut(farewell wire.GoodbyeReason) {
	_ = l.act(func(now time.Time) ([]room.Event, error) {
		l.farewell = farewell
		return l.rules.Close(now), nil
	}, nil)
}

// shutIfEmpty ends a room that has been empty for the given time.
func (l *live) shutIfEmpty(than time.Duration) {
	_ = l.act(func(now time.Time) ([]room.Event, error) {
		if l.rules.Ended() || l.rules.Len() > 0 || now.Sub(l.emptySince) < than {
			return nil, nil
		}
		return l.rules.Close(now), nil
	}, nil)
}

// apply carries out what the rules have decided. The caller holds the lock.
func (l *live) apply(events []room.Event) after {
	var rest after
	for _, e := range events {
		if e.Kind == room.Ended {
			rest.ended = true
			// Here and not where the goroutine starts: a shutdown that finds the
			// room ended must find it counted.
			l.hub.teardowns.Add(1)
			continue
		}
		p, ok := l.people[e.Member.ID]
		if !ok {
			continue
		}
		switch e.Kind {
		case room.Joined:
			l.hub.log.Debug("joined", "room", l.id, "member", p.id, "role", e.Member.Role)
			if p.onStage {
				l.news.stage(wire.StageChange{StageMember: l.stageMember(e.Member)})
			}
		case room.Left:
			rest.media = append(rest.media, l.depart(p, e)...)
		case room.Promoted, room.Demoted:
			rest.media = append(rest.media, l.rise(p, e)...)
		case room.Muted, room.Unmuted:
			l.media.Mute(p.talker, e.Member.Muted)
			p.tell(wire.Muted{Muted: e.Member.Muted, By: string(e.By)})
			l.news.stage(wire.StageChange{StageMember: l.stageMember(e.Member)})
		case room.HandRaised, room.HandLowered:
			l.news.hands = true
		}
	}
	switch {
	case rest.ended, len(events) == 0:
	default:
		l.presence.kick()
	}
	if l.rules.Len() == 0 && len(events) > 0 {
		l.emptySince = events[len(events)-1].At
	}
	return rest
}

// depart takes a person who has left out of the room, and returns the media to
// close. The caller holds the lock.
func (l *live) depart(p *person, e room.Event) []rtc.Session {
	l.hub.log.Debug("left", "room", l.id, "member", p.id, "reason", e.Reason)
	if p.onStage {
		l.news.stage(wire.StageChange{StageMember: l.stageMember(e.Member), Gone: true})
	}
	if e.Member.HandUp() {
		l.news.hands = true
	}
	p.member, p.onStage = false, false
	delete(l.people, p.id)
	var media []rtc.Session
	for _, kind := range []wire.Media{wire.MediaMic, wire.MediaEar} {
		if open := p.take(kind); open != nil {
			delete(l.solo, open.ID())
			media = append(media, open)
		}
	}
	if p.out != nil {
		switch e.Reason {
		case room.ReasonLeft:
			p.out.finish(wire.GoodbyeLeft)
		case room.ReasonRemoved:
			p.out.finish(wire.GoodbyeRemoved)
		case room.ReasonEnded:
			p.out.finish(l.farewell)
		}
	}
	return media
}

// rise carries out a promotion or a demotion, and returns the media to close.
// The caller holds the lock.
func (l *live) rise(p *person, e room.Event) []rtc.Session {
	var media []rtc.Session
	wasOnStage := p.onStage
	p.onStage = e.Member.Role.OnStage()
	if !e.Was.OnStage() || !p.onStage {
		// Hands go to those on stage only: a newcomer there has seen none, and a
		// raised hand may just have been answered.
		l.news.hands = true
	}
	p.tell(wire.RoleChanged{Role: wireRole(e.Member.Role), By: string(e.By)})
	if wasOnStage && !p.onStage {
		// A later mic of this person must not start muted.
		l.media.Mute(p.talker, false)
		if mic := p.take(wire.MediaMic); mic != nil {
			media = append(media, mic)
			p.tell(wire.MediaClosed{Media: wire.MediaMic, Reason: wire.CloseDemoted})
		}
	}
	if p.ear != nil && wasOnStage != p.onStage {
		l.media.SetOwner(p.ear, p.owner())
	}
	l.news.stage(wire.StageChange{StageMember: l.stageMember(e.Member), Gone: !p.onStage})
	return media
}
