package fanout

import (
	"slices"
	"sync/atomic"
	"time"
)

// shard sends to its share of a router's ears, in a goroutine of its own. The
// queue is the only way in; everything else belongs to the goroutine.
type shard struct {
	index  int
	now    func() time.Time
	maxAge time.Duration
	queue  *queue
	ended  chan struct{}
	groups map[*mix]*group
	batch  SendBatch // nil: none
	// prefetchSinks is Config.Prefetch.
	prefetchSinks func(sections uint64, sinks []Sink)
	hold          time.Duration
	timer         *time.Timer // rings when what is held is due; nil: never needed so far

	// resting is until when the audience's packets wait for others, since the shard has
	// been busy for as long.
	resting time.Time

	waiting []*group // those with packets to be sent, in the order of their first
	scratch []Packet // of one ear

	sent   atomic.Uint64
	failed atomic.Uint64

	// ears is how many ears the router gave this shard; the router's lock guards
	// it.
	ears int
}

// group is the ears of the shard that hear one mix.
type group struct {
	subs  []*Subscription
	sinks []Sink // theirs, in the same order
	// waiting is what is to be sent next to all of them, and joined who joined amid it.
	waiting []Packet
	joined  []*Subscription
	mayWait bool // they are audience, and not on stage
	// last is the newest packet of each slot that went out.
	last []Packet
	// history is what went out to each slot lately.
	history []history
}

func newShard(index int, cfg Config) *shard {
	s := &shard{index: index, now: cfg.Now, maxAge: cfg.MaxAge, queue: newQueue(cfg.Queue), ended: make(chan struct{}), groups: map[*mix]*group{}, prefetchSinks: cfg.Prefetch, hold: cfg.Hold}
	if cfg.NewSendBatch != nil {
		s.batch = cfg.NewSendBatch(index)
	}
	return s
}

// maxRest is how long a shard rests at most: two frames, however long it was busy.
const maxRest = 2 * frameDuration

// run works until the queue is closed. All packets that wait are sent together: each
// ear is gone to once, and given what there is for it. So a shard that is behind pays
// less for a packet, and catches up. It also rests for as long as it was busy: the machine
// may need that time to receive what is sent.
func (s *shard) run() {
	defer close(s.ended)
	defer s.stopTimer()
	var items []item
	for {
		batch, ok := s.queue.take(items)
		if !ok {
			return
		}
		for i := range batch {
			it := &batch[i]
			switch {
			case it.command == nil:
				s.enqueue(&it.job)
				continue
			case !it.amid && !s.sendWaiting(false):
				return
			}
			it.command()
		}
		clear(batch)
		items = batch
		if !s.sendWaiting(true) {
			return
		}
	}
}

// enqueue has a packet wait for its group's turn.
func (s *shard) enqueue(j *job) {
	g := s.groups[j.mix]
	if g == nil {
		s.queue.done(1)
		return
	}
	if len(g.waiting) == 0 {
		s.waiting = append(s.waiting, g)
	}
	g.waiting = append(g.waiting, j.packet)
}

// sendWaiting sends the packets that wait, except for those that may be held if hold is
// true. It returns false if the queue was closed meanwhile.
func (s *shard) sendWaiting(hold bool) bool {
	held, next := 0, time.Duration(0)
	for _, g := range s.waiting {
		if len(g.waiting) == 0 {
			continue // everybody has left
		}
		if hold && g.mayWait {
			if left := max(g.waiting[0].Arrived.Add(s.hold).Sub(s.now()), s.resting.Sub(s.now())); left > 0 {
				if held == 0 || left < next {
					next = left
				}
				s.waiting[held] = g
				held++
				continue
			}
		}
		if s.queue.closing.Load() {
			return false
		}
		s.send(g)
	}
	clear(s.waiting[held:])
	s.waiting = s.waiting[:held]
	if held > 0 {
		s.ringAfter(min(next, s.hold+maxRest))
	}
	return true
}

// ringAfter wakes the shard after a time.
func (s *shard) ringAfter(d time.Duration) {
	if s.timer == nil {
		s.timer = time.AfterFunc(d, s.queue.ring)
		return
	}
	s.timer.Reset(d)
}

func (s *shard) stopTimer() {
	if s.timer != nil {
		s.timer.Stop()
	}
}

// send gives every ear of a group what waits for it.
func (s *shard) send(g *group) {
	began := s.now()
	s.dropOld(g)
	sections := uint64(0)
	for i := range g.waiting {
		g.record(&g.waiting[i])
		sections |= 1 << g.waiting[i].Section
	}
	var t sendCounts
	if len(g.waiting) > 0 {
		for from := 0; from < len(g.subs); from += prefetchStride {
			to := min(from+prefetchStride, len(g.subs))
			s.prefetch(sections, g.subs[from:to], g.sinks[from:to])
			for _, sub := range g.subs[from:to] {
				t.add(sub.send(s.batch, g.waiting[sub.from:], &s.scratch))
			}
		}
	}
	s.flush(t)
	s.clear(g)
	if now := s.now(); g.mayWait {
		s.resting = now.Add(min(now.Sub(began), maxRest))
	}
}

// dropOld drops the packets that wait and are too old.
func (s *shard) dropOld(g *group) {
	now, oldest, kept := s.now(), s.maxAge, 0
	if g.mayWait {
		oldest += s.hold
	}
	for _, p := range g.waiting {
		if now.Sub(p.Arrived) <= oldest {
			g.waiting[kept] = p
			kept++
			continue
		}
		s.queue.dropped.Add(1)
		s.queue.done(1)
		for _, sub := range g.joined {
			if sub.from > kept { // it is one of those before it joined
				sub.from--
			}
		}
	}
	clear(g.waiting[kept:])
	g.waiting = g.waiting[:kept]
}

// clear counts what waited for a group as done.
func (s *shard) clear(g *group) {
	s.queue.done(len(g.waiting))
	clear(g.waiting)
	g.waiting = g.waiting[:0]
	clear(s.scratch)
	for _, sub := range g.joined {
		sub.from = 0
	}
	clear(g.joined)
	g.joined = g.joined[:0]
}

// sendCounts counts the outcomes of Send.
type sendCounts struct{ sent, failed uint64 }

func (t *sendCounts) add(o sendCounts) {
	t.sent += o.sent
	t.failed += o.failed
}

// flush sends what is in the batch, and counts what was put there.
func (s *shard) flush(t sendCounts) {
	if s.batch != nil {
		lost := min(uint64(max(s.batch.Flush(), 0)), t.sent)
		t.sent -= lost
		t.failed += lost
	}
	s.sent.Add(t.sent)
	s.failed.Add(t.failed)
}

// record keeps the newest packets of a slot.
func (g *group) record(p *Packet) {
	last := &g.last[p.Section]
	if last.Frame == nil || int16(p.Seq-last.Seq) > 0 {
		*last = *p
	}
	g.history[p.Section].add(p)
}

// add adds an ear, and sends it the packets that it should have had. Of those that
// wait it is given those that come from now on.
func (s *shard) add(sub *Subscription, x *mix, backlog []Packet) {
	g := s.join(sub, x)
	if sub.from = len(g.waiting); sub.from > 0 {
		g.joined = append(g.joined, sub)
	}
	for i := range backlog {
		g.record(&backlog[i])
	}
	s.flush(sub.send(s.batch, backlog, &s.scratch))
}

// move lets an ear hear another mix, once all that came before was sent. Its sections
// go on unbroken.
func (s *shard) move(sub *Subscription, from, to *mix) {
	if old := s.groups[from]; old != nil {
		sub.carryOver(old.last)
		s.leave(sub, from)
	}
	s.join(sub, to)
}

func (s *shard) join(sub *Subscription, x *mix) *group {
	g := s.groups[x]
	if g == nil {
		g = &group{mayWait: x.key.excluded == 0, last: make([]Packet, len(x.slots)), history: make([]history, len(x.slots))}
		s.groups[x] = g
	}
	g.subs = append(g.subs, sub)
	g.sinks = append(g.sinks, sub.sink)
	sub.group = g
	return g
}

// leave removes an ear from a mix.
func (s *shard) leave(sub *Subscription, x *mix) {
	g := s.groups[x]
	if g == nil {
		return
	}
	sub.group = nil
	if i := slices.Index(g.joined, sub); i >= 0 {
		g.joined = slices.Delete(g.joined, i, i+1)
	}
	if i := slices.Index(g.subs, sub); i >= 0 {
		n := len(g.subs) - 1
		g.subs[i] = g.subs[n]
		g.subs[n] = nil
		g.subs = g.subs[:n]
		g.sinks[i] = g.sinks[n]
		g.sinks[n] = nil
		g.sinks = g.sinks[:n]
	}
	if len(g.subs) == 0 {
		s.clear(g)
		delete(s.groups, x)
	}
}
