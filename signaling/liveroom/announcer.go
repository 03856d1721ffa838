package liveroom

import (
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/earshot-audio/earshot/signaling/timers"
	"github.com/earshot-audio/earshot/signaling/wire"
)

// A message to thousands of connections goes to burst of them at a time, with a
// pause after each, so that it does not hold up the audio: each wakes a goroutine
// and takes a system call.
const (
	burst      = 64
	burstPause = 2 * time.Millisecond
)

// Each participant adds this much to the time between two messages of a kind. One
// presence message to one client costs as much as some 20 packets of audio, so a
// room sends at most a thousand of them a second in all. Talkers are of use only
// when they come soon.
const (
	presenceShare = time.Millisecond
	talkersShare  = presenceShare / 5
)

// announcer sends what changes in a room to everybody with a WebSocket: presence
// and talkers, each at most once an interval. A broadcast is encoded once. It has
// a lock of its own, so that the media can report talkers at any time.
type announcer struct {
	room *LiveRoom
	// participants is how many there were at the last presence message.
	participants               atomic.Int64
	presence, talkersThrottled *timers.Throttle

	mu   sync.Mutex
	list []uint32 // the talkers, as the media reported them
}

func newAnnouncer(room *LiveRoom) *announcer {
	a := &announcer{room: room}
	a.presence = timers.NewThrottle(func() time.Duration {
		return a.interval(room.registry.cfg.PresenceEvery, presenceShare)
	}, a.sendPresence)
	a.talkersThrottled = timers.NewThrottle(func() time.Duration {
		return a.interval(room.registry.cfg.TalkersEvery, talkersShare)
	}, a.sendTalkers)
	return a
}

// interval returns the least time between two messages of a kind.
func (a *announcer) interval(least, share time.Duration) time.Duration {
	return max(least, time.Duration(a.participants.Load())*share)
}

// setTalkers takes a report of the media. It returns at once.
func (a *announcer) setTalkers(list []uint32) {
	a.mu.Lock()
	a.list = slices.Clone(list)
	a.mu.Unlock()
	a.talkersThrottled.Trigger()
}

// talkers returns the talkers in ascending order, never nil.
func (a *announcer) talkers() []uint32 {
	a.mu.Lock()
	defer a.mu.Unlock()
	list := append([]uint32{}, a.list...)
	slices.Sort(list)
	return list
}

func (a *announcer) sendPresence() {
	l := a.room
	l.mu.Lock()
	a.participants.Store(int64(len(l.roster.participants)))
	updates := a.takePresence()
	l.mu.Unlock()
	for _, u := range updates {
		a.broadcast(u.message, u.to)
	}
}

func (a *announcer) sendTalkers() {
	l := a.room
	l.mu.Lock()
	list, to := a.takeTalkers()
	l.mu.Unlock()
	a.broadcast(wire.Talkers{Talkers: list}, to)
}

// takePresence returns the presence updates that are due and resets what is
// pending: the stage's update first, then one for each hall. The caller holds the
// lock.
func (a *announcer) takePresence() []presenceUpdate {
	l := a.room
	halls := l.rules.Halls()
	n := &l.pending
	audience, total := n.audienceChanges(halls)
	common := wire.Presence{Rev: l.log.Revision(), StageChanges: n.stage, Applause: n.applause}
	if n.rules {
		rules := wireRules(l.rules.Rules())
		common.Rules = &rules
	}
	all, hands := len(n.stage) > 0 || n.rules || len(n.applause) > 0, n.hands
	n.stage, n.applause, n.hands, n.rules = nil, nil, false, false
	n.sentAudience = halls
	clear(n.resendAudience)
	if l.rules.Ended() || (!total && !all && !hands && !slices.Contains(audience, true)) {
		return nil
	}

	updates := make([]presenceUpdate, 1+len(halls))
	stage := common
	stage.Audience, stage.Total = halls[0], l.rules.Audience()
	if hands {
		stage.Hands, stage.HandCount = view{l}.hands()
	}
	updates[0].message = stage
	due := make([]bool, 1+len(halls))
	due[0] = total || all || hands
	for hall, taken := range halls {
		updates[1+hall].message = common
		updates[1+hall].message.Audience = taken
		if due[1+hall] = audience[hall] || all; due[1+hall] {
			updates[1+hall].to = make([]Connection, 0, taken)
		}
	}
	for _, p := range l.roster.participants {
		if at := recipients(p); p.conn != nil && due[at] {
			updates[at].to = append(updates[at].to, p.conn)
		}
	}
	return updates
}

// takeTalkers returns the talkers and the connections that must be sent them; none
// if that is not due. The caller holds the lock.
func (a *announcer) takeTalkers() ([]uint32, []Connection) {
	l := a.room
	if l.rules.Ended() {
		return nil, nil
	}
	list := a.talkers()
	if slices.Equal(list, l.pending.sentTalkers) && !l.pending.resendTalkers {
		return nil, nil
	}
	l.pending.sentTalkers, l.pending.resendTalkers = list, false
	return list, l.roster.connections()
}

// broadcast encodes a message once and queues it for all of the connections.
func (a *announcer) broadcast(m wire.ServerMessage, to []Connection) {
	if len(to) == 0 {
		return
	}
	encoded, err := wire.NewEncoded(m)
	if err != nil {
		a.room.registry.cfg.Log.Error("encode a broadcast", "room", a.room.id, "type", wire.TypeOf(m), "error", err)
		return
	}
	for i, conn := range to {
		if i > 0 && i%burst == 0 {
			time.Sleep(burstPause)
		}
		conn.Send(encoded)
	}
}
