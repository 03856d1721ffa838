package signaling

import (
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/earshot-audio/earshot/room"
	"github.com/earshot-audio/earshot/room/rtc"
	"github.com/earshot-audio/earshot/signaling/wire"
)

// live is a room with people in it: the rules and the media under one lock.
//
// Whatever changes goes through act, which applies the rules and carries out
// their events. Under the lock only things happen that take no time: queueing
// messages, muting, hushing media, telling an ear whose it is; and the keeping of
// what must outlive the process, which is rare. Closing media and ending the room
// come after it.
//
// The audience sits in halls, each with counts of its own. All of them hang on
// the one media room: ears of a hall on another node would hang on a media room
// there that is fed by this one's.
type live struct {
	hub     *hub
	id      string
	title   string
	owner   string // the account that made it; empty: the operator, or anybody
	slots   int
	created time.Time

	mu     sync.Mutex
	rules  *room.Room
	media  *rtc.MediaRoom
	people map[room.MemberID]*person
	// sessions holds the people by their open media sessions' ids. opening and
	// closing count the sessions that are none's yet, or none's any more.
	sessions         map[string]*person
	opening, closing int
	// touched tells that any of this, or the rules, may have changed since the last
	// check, which is looked.
	touched    bool
	looked     looked
	lastTalker uint32
	emptySince time.Time
	// farewell is what the room's end is called in goodbyes.
	farewell wire.GoodbyeReason
	news     news
	journal  journal
	// unkept tells that the keeper could not keep the last change.
	unkept bool

	// presence and chatter send what is in news, and who talks.
	presence *coalescer
	// attendance is how many people were here at the last presence message.
	attendance atomic.Int64
	chatter    *coalescer
	talkers    talkers
	// alarm rings when the rules have something to do.
	alarm *alarm

	// watched are the media sessions whose end has not been seen to.
	watched sync.WaitGroup
	// down is closed when all of an ended room is torn down.
	down chan struct{}
}

// after is what an act leaves to be done without the lock.
type after struct {
	media []rtc.Session
	ended bool
	// said is told to everybody in to.
	said []wire.ServerMessage
	to   []*sender
}

// errNotKept answers a request whose outcome might not outlive the process. It
// has been carried out, and will be kept as soon as that is possible.
var errNotKept = wire.NewError(wire.CodeUnavailable, "the change could not be kept; try again")

// unkeptWait is how long after a failure the keeper is tried again.
const unkeptWait = time.Second

// act makes one change. Whoever loses their media by it is hushed, and what must
// outlive the process is kept, before reply is called: what has been acknowledged
// has happened. reply, if given, is called if the rules allow the change, before
// anybody is told anything, with the lock held: a client gets the answer to its
// request before what follows from it.
func (l *live) act(change func(now time.Time) ([]room.Event, error), reply func()) error {
	l.mu.Lock()
	now := l.hub.cfg.Clock()
	events, err := change(now)
	if err != nil {
		l.mu.Unlock()
		return err
	}
	l.touched = true
	rest := after{media: l.hush(events)}
	err = l.keep(events)
	if err == nil && reply != nil {
		reply()
	}
	l.apply(events, &rest)
	l.rouse(now)
	l.mu.Unlock()
	l.finish(rest)
	return err
}

// hush takes the media of those who lose it and lets nothing more pass; it
// returns what is left to be closed. The caller holds the lock.
func (l *live) hush(events []room.Event) (media []rtc.Session) {
	for _, e := range events {
		p, ok := l.people[e.Member.ID]
		if !ok {
			continue
		}
		switch e.Kind {
		case room.Left:
			media = append(media, l.take(p, wire.MediaMic, wire.MediaEar)...)
		case room.Demoted:
			media = append(media, l.take(p, wire.MediaMic)...)
		case room.Muted:
			l.media.Mute(p.talker, true)
		}
	}
	return media
}

// take removes a person's open media, hushed, and counts it as closing. The caller
// holds the lock, and discards it afterwards.
func (l *live) take(p *person, kinds ...wire.Media) (media []rtc.Session) {
	for _, kind := range kinds {
		if open := p.take(kind); open != nil {
			open.Detach()
			delete(l.sessions, open.ID())
			l.closing++
			l.touched = true
			media = append(media, open)
		}
	}
	return media
}

// discard closes media that was taken.
func (l *live) discard(media ...rtc.Session) {
	for _, session := range media {
		l.hub.closeMedia(session)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closing -= len(media)
	l.touched = true
}

// keep has what must outlive the process kept. The caller holds the lock.
func (l *live) keep(events []room.Event) error {
	keeper := l.hub.cfg.Keeper
	if keeper == nil || l.farewell == wire.GoodbyeShutdown || (!l.unkept && !lasting(events)) {
		return nil
	}
	if err := keeper.PutRoom(l.rules.State()); err != nil {
		l.hub.log.Error("keep a room", "room", l.id, "err", err)
		l.unkept = true
		return errNotKept
	}
	l.unkept = false
	return nil
}

// lasting tells whether a change has to outlive the process. The audience's
// coming and going does not: their tokens bring them back.
func lasting(events []room.Event) bool {
	for _, e := range events {
		switch e.Kind {
		case room.Disconnected, room.Reconnected, room.HandRaised, room.HandLowered, room.StageInvited, room.StageInviteClosed:
		case room.Joined:
			if e.Member.Role.OnStage() {
				return true
			}
		case room.Left:
			if e.Member.Role.OnStage() || e.Reason == room.ReasonRemoved || e.Reason == room.ReasonBanned {
				return true
			}
		default:
			return true
		}
	}
	return false
}

// begin keeps a room that has just been made.
func (l *live) begin() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.unkept = true
	return l.keep(nil)
}

// rouse sets the alarm for what the rules have to do next. The caller holds the
// lock.
func (l *live) rouse(now time.Time) {
	next := l.rules.NextTick()
	if again := now.Add(unkeptWait); l.unkept && (next.IsZero() || again.Before(next)) {
		next = again
	}
	l.alarm.set(next, now)
}

// tick does what is due.
func (l *live) tick() {
	_ = l.act(func(now time.Time) ([]room.Event, error) { return l.rules.Tick(now), nil }, nil)
}

// finish does what an act has left.
func (l *live) finish(rest after) {
	for _, m := range rest.said {
		l.broadcast(m, rest.to)
	}
	if !rest.ended {
		if len(rest.media) > 0 {
			l.discard(rest.media...)
		}
		return
	}
	// A room that has ended closes all of its media at once.
	l.hub.forget(l)
	// In a goroutine of its own because it waits for the end of all media to be
	// seen to, which is an act, too.
	go l.tearDown()
}

// tearDown ends what a room keeps going, after it has ended. It runs once.
func (l *live) tearDown() {
	defer l.hub.teardowns.Done()
	defer close(l.down)
	l.alarm.close()
	l.presence.close()
	if err := l.media.Close(); err != nil {
		l.hub.log.Warn("closing the media of a room", "room", l.id, "err", err)
	}
	l.chatter.close()
	l.watched.Wait()
	l.hub.retire(l)
}

// end ends the room on somebody's behalf (the empty id: the operator), and
// returns when all of it is torn down.
func (l *live) end(by room.MemberID, reply func()) error {
	err := l.act(func(now time.Time) ([]room.Event, error) { return l.rules.End(by, now) }, reply)
	if err == nil || errors.Is(err, errNotKept) {
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
