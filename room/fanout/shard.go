package fanout

import (
	"sync/atomic"
	"time"
)

// shard sends to its share of the ears of all routers, in a goroutine of its own. The
// queue is the only way in; everything else belongs to the goroutine.
type shard struct {
	index int
	now   func() time.Time
	queue *queue
	ended chan struct{}
	ears  atomic.Int32 // of all routers
	batch SendBatch    // nil: none
	// prefetchSinks is ShardsConfig.Prefetch.
	prefetchSinks func(sections uint64, sinks []Sink)
	timer         *time.Timer // rings when what is held is due; nil: never needed so far

	// resting is until when the audience's packets wait for others, since the shard has
	// been busy for as long.
	resting time.Time

	waiting []*group // those with packets to be sent, in the order of their first
	begun   []*lane  // those of which something is in the batch
	scratch []Packet // of one ear
}

func newShard(index int, cfg ShardsConfig) *shard {
	s := &shard{index: index, now: cfg.Now, queue: newQueue(), ended: make(chan struct{}), prefetchSinks: cfg.Prefetch}
	if cfg.NewSendBatch != nil {
		s.batch = cfg.NewSendBatch(index)
	}
	return s
}

// maxRest is how long a shard rests at most: two frames, however long it was busy.
const maxRest = 2 * frameDuration

// run works until the queue is closed. All packets that wait, of all rooms, are sent
// together: each ear is gone to once, and given what there is for it. So a shard that is
// behind pays less for a packet, and catches up. It also rests for as long as it was busy:
// the machine may need that time to receive what is sent.
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
			case it.lane != nil && !s.sendWaiting(it.lane):
				return
			}
			it.command()
		}
		clear(batch)
		items = batch
		if !s.sendWaiting(nil) {
			return
		}
	}
}

// enqueue has a packet wait for its group's turn.
func (s *shard) enqueue(j *job) {
	g := j.lane.groups[j.mix]
	if g == nil {
		j.lane.done(1)
		return
	}
	if len(g.waiting) == 0 {
		s.waiting = append(s.waiting, g)
	}
	g.waiting = append(g.waiting, j.packet)
}

// sendWaiting sends the packets of a lane that wait; or of all lanes, except for those
// that may be held, if there is none given. It returns false if the queue was closed
// meanwhile.
func (s *shard) sendWaiting(only *lane) bool {
	began := s.now()
	held, next, audience := 0, time.Duration(0), false
	for _, g := range s.waiting {
		switch {
		case len(g.waiting) == 0:
			continue // everybody has left
		case s.queue.closing.Load():
			return false
		}
		left := time.Duration(0)
		if only == nil {
			left = g.left(began, s.resting)
		}
		if left > 0 || only != nil && g.lane != only {
			if held == 0 || left < next {
				next = left
			}
			s.waiting[held] = g
			held++
			continue
		}
		audience = audience || g.mayWait
		s.send(g)
	}
	s.flush()
	clear(s.waiting[held:])
	s.waiting = s.waiting[:held]
	if audience {
		now := s.now()
		s.resting = now.Add(min(now.Sub(began), maxRest))
	}
	if held > 0 && only == nil {
		s.ringAfter(next)
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

// send puts what waits for a group into the batch, for every ear of it.
func (s *shard) send(g *group) {
	g.dropOld(s.now())
	sections := uint64(0)
	for i := range g.waiting {
		g.record(&g.waiting[i])
		sections |= 1 << g.waiting[i].Section
	}
	if len(g.waiting) > 0 && !g.lane.closing.Load() {
		t := s.begin(g.lane)
		for from := 0; from < len(g.subs); from += prefetchStride {
			to := min(from+prefetchStride, len(g.subs))
			s.prefetch(sections, g.subs[from:to], g.sinks[from:to])
			for _, sub := range g.subs[from:to] {
				t.add(sub.send(s.batch, g.waiting[sub.from:], &s.scratch))
			}
		}
	}
	g.clear()
	clear(s.scratch)
}

// sendCounts counts the outcomes of Send.
type sendCounts struct{ sent, failed uint64 }

func (t *sendCounts) add(o sendCounts) {
	t.sent += o.sent
	t.failed += o.failed
}

// begin counts for a lane what is put into the batch from now on.
func (s *shard) begin(l *lane) *sendCounts {
	if !l.begun {
		l.begun = true
		s.begun = append(s.begun, l)
	}
	if s.batch != nil {
		s.batch.CountLost(&l.lost)
	}
	return &l.counts
}

// flush sends what is in the batch, and counts what was put there.
func (s *shard) flush() {
	if s.batch != nil {
		s.batch.Flush()
	}
	for i, l := range s.begun {
		lost := min(l.lost, l.counts.sent)
		l.sent.Add(l.counts.sent - lost)
		l.failed.Add(l.counts.failed + lost)
		l.begun, l.counts, l.lost = false, sendCounts{}, 0
		s.begun[i] = nil
	}
	s.begun = s.begun[:0]
}

// add adds an ear, and sends it the packets that it should have had. Of those that
// wait it is given those that come from now on.
func (s *shard) add(sub *Subscription, x *mix, backlog []Packet) {
	l := sub.lane
	g := l.join(sub, x)
	if sub.from = len(g.waiting); sub.from > 0 {
		g.joined = append(g.joined, sub)
	}
	for i := range backlog {
		g.record(&backlog[i])
	}
	s.begin(l).add(sub.send(s.batch, backlog, &s.scratch))
	s.flush()
}
