package signaling

import (
	"slices"
	"sync"

	"github.com/earshot-audio/earshot/signaling/wire"
)

// news gathers what has changed in a room since the last presence message. The
// room's lock guards it.
type news struct {
	// changed holds the latest state of everyone whose place on stage changed,
	// in the order of their first change.
	changed []wire.StageChange
	hands   bool
	// told is the audience that was last told.
	told int
	// talked are the talkers who were last told.
	talked []uint32
	// recount and retalk tell that a newcomer has been shown something else than
	// what was last told to all: then it is told again even if it is back to that.
	recount, retalk bool
}

// shown notes what a newcomer has been shown.
func (n *news) shown(audience int, talkers []uint32) {
	n.recount = n.recount || audience != n.told
	n.retalk = n.retalk || !slices.Equal(talkers, n.talked)
}

// stage notes one person's new state.
func (n *news) stage(change wire.StageChange) {
	i := slices.IndexFunc(n.changed, func(c wire.StageChange) bool { return c.Member == change.Member })
	if i < 0 {
		n.changed = append(n.changed, change)
		return
	}
	n.changed[i] = change
}

// announce tells everybody with a WebSocket what has changed: one message for
// the audience and, if it differs, one for the stage, each encoded once. A join
// costs the room nothing but its part of the next message, so that N people who
// join within one interval cause N messages and not N².
func (l *live) announce() {
	l.mu.Lock()
	audience := l.rules.Audience()
	counted := l.news.recount || audience != l.news.told
	changed, hands := l.news.changed, l.news.hands
	l.news.changed, l.news.hands = nil, false
	l.news.told, l.news.recount = audience, false
	if l.rules.Ended() || (!counted && len(changed) == 0 && !hands) {
		l.mu.Unlock()
		return
	}
	forAudience := wire.Presence{Audience: audience, StageChanges: changed}
	forStage := forAudience
	if hands {
		forStage.Hands, forStage.HandCount = l.hands()
	}
	var seats, stage []*sender
	if counted || len(changed) > 0 {
		seats = make([]*sender, 0, len(l.people))
	}
	for _, p := range l.people {
		switch {
		case p.out == nil:
		case p.onStage:
			stage = append(stage, p.out)
		case seats != nil:
			seats = append(seats, p.out)
		}
	}
	l.mu.Unlock()

	l.broadcast(forAudience, seats)
	l.broadcast(forStage, stage)
}

// broadcast encodes a message once and queues it for all.
func (l *live) broadcast(m wire.ServerMessage, to []*sender) {
	if len(to) == 0 {
		return
	}
	p, err := pack(m)
	if err != nil {
		l.hub.log.Error("encode a broadcast", "room", l.id, "type", m.Type(), "err", err)
		return
	}
	for _, out := range to {
		out.push(p)
	}
}

// talkers holds who has a slot. It has a lock of its own, so that the media can
// report at any time.
type talkers struct {
	mu   sync.Mutex
	list []uint32
}

func (t *talkers) set(list []uint32) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.list = slices.Clone(list)
}

// now returns the present talkers in ascending order, never nil.
func (t *talkers) now() []uint32 {
	t.mu.Lock()
	defer t.mu.Unlock()
	list := append([]uint32{}, t.list...)
	slices.Sort(list)
	return list
}

// report takes the media's news of who talks. It returns at once.
func (l *live) report(list []uint32) {
	l.talkers.set(list)
	l.chatter.kick()
}

// chat tells everybody with a WebSocket who talks.
func (l *live) chat() {
	l.mu.Lock()
	if l.rules.Ended() {
		l.mu.Unlock()
		return
	}
	list := l.talkers.now()
	if slices.Equal(list, l.news.talked) && !l.news.retalk {
		l.mu.Unlock()
		return
	}
	l.news.talked, l.news.retalk = list, false
	to := make([]*sender, 0, len(l.people))
	for _, p := range l.people {
		if p.out != nil {
			to = append(to, p.out)
		}
	}
	l.mu.Unlock()
	l.broadcast(wire.Talkers{Talkers: list}, to)
}
