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
	prefetchSinks func(section int, sinks []Sink)

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
	// last is the newest packet of each slot that went out.
	last []Packet
	// history is what went out to each slot lately.
	history []history
}

func newShard(index int, cfg Config) *shard {
	s := &shard{index: index, now: cfg.Now, maxAge: cfg.MaxAge, queue: newQueue(cfg.Queue), ended: make(chan struct{}), groups: map[*mix]*group{}, prefetchSinks: cfg.Prefetch}
	if cfg.NewSendBatch != nil {
		s.batch = cfg.NewSendBatch(index)
	}
	return s
}

// run works until the queue is closed.
func (s *shard) run() {
	defer close(s.ended)
	var items []item
	for {
		batch, ok := s.queue.take(items)
		if !ok {
			return
		}
		for i := range batch {
			if s.queue.closing.Load() {
				return
			}
			if batch[i].command != nil {
				batch[i].command()
				continue
			}
			if s.now().Sub(batch[i].packet.Arrived) > s.maxAge {
				s.queue.dropped.Add(1)
			} else {
				s.send(&batch[i].job)
			}
			s.queue.done()
		}
		clear(batch)
		items = batch
	}
}

// send gives a packet to every ear of its mix.
func (s *shard) send(j *job) {
	g := s.groups[j.mix]
	if g == nil {
		return
	}
	g.record(j)
	var t sendCounts
	for from := 0; from < len(g.subs); from += prefetchStride {
		to := min(from+prefetchStride, len(g.subs))
		s.prefetch(j.slot, g.subs[from:to], g.sinks[from:to])
		for _, sub := range g.subs[from:to] {
			t.count(sub.send(s.batch, j.slot, &j.packet))
		}
	}
	s.flush(t)
}

// sendCounts counts the outcomes of Send.
type sendCounts struct{ sent, failed uint64 }

func (t *sendCounts) count(o outcome) {
	switch o {
	case sendDone:
		t.sent++
	case sendFailed:
		t.failed++
	case sendSkipped:
	}
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
func (g *group) record(j *job) {
	last := &g.last[j.slot]
	if last.Frame == nil || int16(j.packet.Seq-last.Seq) > 0 {
		*last = j.packet
	}
	g.history[j.slot].add(&j.packet)
}

// add adds an ear, and sends it the packets that it should have had.
func (s *shard) add(sub *Subscription, x *mix, backlog []job) {
	g := s.join(sub, x)
	var t sendCounts
	for i := range backlog {
		g.record(&backlog[i])
		t.count(sub.send(s.batch, backlog[i].slot, &backlog[i].packet))
	}
	s.flush(t)
}

// move lets an ear hear another mix. Its sections go on unbroken.
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
		g = &group{last: make([]Packet, len(x.slots)), history: make([]history, len(x.slots))}
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
		delete(s.groups, x)
	}
}
