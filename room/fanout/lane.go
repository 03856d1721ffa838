package fanout

import (
	"sync/atomic"
	"time"
)

// lane is a router's part of a shard: the ears that the shard sends to for the router,
// and what is counted for them. Rooms share shards, and each has its own bounds.
type lane struct {
	// Lanes of one router lie side by side in memory and belong to different cores,
	// which must not write to one line.
	_ linePad

	jobs         atomic.Int32 // waiting and under way
	dropped      atomic.Uint64
	closing      atomic.Bool
	sent, failed atomic.Uint64

	shard  *shard
	limit  int32 // of jobs
	maxAge time.Duration

	// ears is how many the router gave this lane; the router's lock guards it.
	ears int

	// The rest belongs to the shard's goroutine.
	hold   time.Duration
	groups map[*mix]*group
	counts sendCounts // of what is in the batch
	lost   uint64     // of that, what the batch could not send
	begun  bool       // something of it is in the batch

	_ linePad
}

// linePad keeps what is before it and after it out of one cache line. Processors fetch
// lines in pairs.
type linePad [128]byte

func newLane(s *shard, cfg Config) *lane {
	return &lane{shard: s, limit: int32(cfg.Queue), maxAge: cfg.MaxAge, hold: cfg.Hold, groups: map[*mix]*group{}}
}

// done counts so many jobs as finished.
func (l *lane) done(n int) { l.jobs.Add(-int32(n)) }

// close forgets the lane's ears and what waits for them, and closes gone when that is
// done.
func (l *lane) close(gone chan struct{}) {
	l.closing.Store(true)
	l.shard.queue.doAmid(func() {
		for x, g := range l.groups {
			for _, sub := range g.subs {
				sub.group = nil
			}
			g.clear()
			g.subs, g.sinks = nil, nil
			delete(l.groups, x)
		}
		close(gone)
	})
}

// join adds an ear to those that hear a mix.
func (l *lane) join(sub *Subscription, x *mix) *group {
	g := l.groups[x]
	if g == nil {
		g = &group{lane: l, mayWait: x.key.excluded == 0 && !x.key.relay, relay: x.key.relay, last: make([]Packet, len(x.slots)), history: make([]history, len(x.slots))}
		l.groups[x] = g
	}
	g.add(sub)
	return g
}

// leave removes an ear from a mix.
func (l *lane) leave(sub *Subscription, x *mix) {
	g := l.groups[x]
	if g == nil {
		return
	}
	g.remove(sub)
	if len(g.subs) == 0 {
		g.clear()
		delete(l.groups, x)
	}
}

// move lets an ear hear another mix, once all that came before was sent. Its sections
// go on unbroken.
func (l *lane) move(sub *Subscription, from, to *mix) {
	if old := l.groups[from]; old != nil {
		sub.carryOver(old.last)
		l.leave(sub, from)
	}
	l.join(sub, to)
}
