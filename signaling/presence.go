package signaling

import (
	"slices"
	"sync"
	"time"

	"github.com/earshot-audio/earshot/signaling/wire"
)

// news gathers what has changed in a room since the last presence message. The
// room's lock guards it.
type news struct {
	// changed holds the latest state of everyone whose place on stage changed,
	// in the order of their first change.
	changed      []wire.StageChange
	hands, rules bool
	// told is the audience of each hall that was last told.
	told []int
	// talked are the talkers who were last told.
	talked []uint32
	// recount and retalk tell that a newcomer has been shown something else than
	// what was last told to all: then it is told again even if it is back to that.
	// recount has an entry for each hall, and one before them for the stage.
	recount []bool
	retalk  bool
}

// shown notes what a newcomer has been shown.
func (n *news) shown(p *person, halls []int, talkers []uint32) {
	for len(n.recount) <= len(halls) {
		n.recount = append(n.recount, false)
	}
	at := 1 + p.hall
	if p.onStage {
		at = 0
	}
	for i, taken := range halls {
		if (p.onStage || i == p.hall) && taken != n.toldOf(i) {
			n.recount[at] = true
		}
	}
	n.retalk = n.retalk || !slices.Equal(talkers, n.talked)
}

func (n *news) toldOf(hall int) int {
	if hall < len(n.told) {
		return n.told[hall]
	}
	return 0
}

// counted tells which counts have to be told: those of each hall, and whether
// there is any, which the stage has to be told of.
func (n *news) counted(halls []int) (each []bool, some bool) {
	each = make([]bool, len(halls))
	some = len(n.recount) > 0 && n.recount[0]
	for i, taken := range halls {
		changed := taken != n.toldOf(i)
		each[i] = changed || (i+1 < len(n.recount) && n.recount[i+1])
		some = some || changed
	}
	return each, some
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

// bulletin is one presence message, and who gets it.
type bulletin struct {
	message wire.Presence
	to      []*sender
}

// presenceEvery is the least time until the next presence message. A full room's
// comes to thousands who each cost as much to tell as some 20 packets of audio, so
// that it is told less often: a thousand people are told a second, all in all.
func (l *live) presenceEvery() time.Duration {
	return max(l.hub.cfg.PresenceEvery, time.Duration(l.attendance.Load())*presenceShare)
}

// talkersEvery is the same for talkers, who are of more use soon.
func (l *live) talkersEvery() time.Duration {
	return max(l.hub.cfg.TalkersEvery, time.Duration(l.attendance.Load())*talkersShare)
}

// These are a person's share of the time between two messages of a kind.
const (
	presenceShare = time.Millisecond
	talkersShare  = presenceShare / 5
)

// announce tells everybody with a WebSocket what has changed: one message for
// each hall and one for the stage, each encoded once. A join costs the room
// nothing but its part of the next message, so that N people who join within one
// interval cause N messages and not N².
func (l *live) announce() {
	l.mu.Lock()
	l.attendance.Store(int64(len(l.people)))
	bulletins := l.bulletins()
	l.mu.Unlock()
	for _, b := range bulletins {
		l.broadcast(b.message, b.to)
	}
}

// bulletins takes the news: the stage's comes first, then each hall's. The caller
// holds the lock.
func (l *live) bulletins() []bulletin {
	halls := l.rules.Halls()
	n := &l.news
	counted, some := n.counted(halls)
	general := wire.Presence{Rev: l.journal.rev, StageChanges: n.changed}
	if n.rules {
		rules := wireRules(l.rules.Rules())
		general.Rules = &rules
	}
	all, hands := len(n.changed) > 0 || n.rules, n.hands
	n.changed, n.hands, n.rules = nil, false, false
	n.told = halls
	clear(n.recount)
	if l.rules.Ended() || (!some && !all && !hands && !slices.Contains(counted, true)) {
		return nil
	}

	bulletins := make([]bulletin, 1+len(halls))
	stage := general
	stage.Audience, stage.Total = halls[0], l.rules.Audience()
	if hands {
		stage.Hands, stage.HandCount = l.hands()
	}
	bulletins[0].message = stage
	wanted := make([]bool, 1+len(halls))
	wanted[0] = some || all || hands
	for i, taken := range halls {
		bulletins[1+i].message = general
		bulletins[1+i].message.Audience = taken
		if wanted[1+i] = counted[i] || all; wanted[1+i] {
			bulletins[1+i].to = make([]*sender, 0, taken)
		}
	}
	for _, p := range l.people {
		at := 1 + p.hall
		if p.onStage {
			at = 0
		}
		if p.out != nil && wanted[at] {
			bulletins[at].to = append(bulletins[at].to, p.out)
		}
	}
	return bulletins
}

// broadcast encodes a message once and queues it for all.
func (l *live) broadcast(m wire.ServerMessage, to []*sender) {
	if len(to) == 0 {
		return
	}
	p, err := pack(m)
	if err != nil {
		l.hub.log.Error("encode a broadcast", "room", l.id, "type", wire.TypeOf(m), "err", err)
		return
	}
	for i, out := range to {
		if i > 0 && i%breath == 0 {
			time.Sleep(breather)
		}
		out.push(p)
	}
}

// A message to thousands goes to a breath of them at a time, so that telling them
// all does not hold up the audio: it wakes a goroutine and takes a system call for
// each.
const (
	breath   = 64
	breather = 2 * time.Millisecond
)

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
	to := l.everybody()
	l.mu.Unlock()
	l.broadcast(wire.Talkers{Talkers: list}, to)
}
