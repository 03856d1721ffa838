package fanout

import (
	"slices"
	"sync/atomic"
	"time"

	"github.com/earshot-audio/earshot/internal/prefetch"
)

// stride is how many ears an outbox is told of before they are sent to.
const stride = 16

// shard sends to its share of a hall's ears, in a goroutine of its own. The
// queue is the only way in; everything else belongs to the goroutine.
type shard struct {
	index  int
	now    func() time.Time
	maxAge time.Duration
	queue  *queue
	ended  chan struct{}
	groups map[*mix]*group
	out    Outbox // nil: none

	sent   atomic.Uint64
	failed atomic.Uint64

	// ears is how many ears the hall gave this shard; the hall's lock guards
	// it.
	ears int
}

// group is the ears of the shard that hear one mix.
type group struct {
	subs []*Subscription
	ears []Ear // theirs, in the same order
	// last is the newest packet of each slot that went out.
	last []Packet
	// past is what went out to each slot lately.
	past []past
}

func newShard(index int, cfg Config) *shard {
	s := &shard{index: index, now: cfg.Now, maxAge: cfg.MaxAge, queue: newQueue(cfg.Queue), ended: make(chan struct{}), groups: map[*mix]*group{}}
	if cfg.NewOutbox != nil {
		s.out = cfg.NewOutbox(index)
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
	g.note(j)
	var t tally
	for from := 0; from < len(g.subs); from += stride {
		to := min(from+stride, len(g.subs))
		for _, sub := range g.subs[from:to] {
			prefetch.Object(sub)
		}
		if s.out != nil {
			s.out.Prepare(j.slot, g.ears[from:to])
		}
		for _, sub := range g.subs[from:to] {
			t.count(sub.send(s.out, j.slot, &j.packet))
		}
	}
	s.settle(t)
}

// tally counts what became of packets.
type tally struct{ sent, failed uint64 }

func (t *tally) count(o outcome) {
	switch o {
	case sendDone:
		t.sent++
	case sendFailed:
		t.failed++
	case sendSkipped:
	}
}

// settle sends what is in the outbox, and books the tally of what was put there.
func (s *shard) settle(t tally) {
	if s.out != nil {
		lost := min(uint64(max(s.out.Flush(), 0)), t.sent)
		t.sent -= lost
		t.failed += lost
	}
	s.sent.Add(t.sent)
	s.failed.Add(t.failed)
}

// note remembers the newest packets of a slot.
func (g *group) note(j *job) {
	last := &g.last[j.slot]
	if last.Frame == nil || int16(j.packet.Seq-last.Seq) > 0 {
		*last = j.packet
	}
	g.past[j.slot].add(&j.packet)
}

// add gives the shard an ear, after the packets that it should have had.
func (s *shard) add(sub *Subscription, x *mix, backlog []job) {
	g := s.join(sub, x)
	var t tally
	for i := range backlog {
		g.note(&backlog[i])
		t.count(sub.send(s.out, backlog[i].slot, &backlog[i].packet))
	}
	s.settle(t)
}

// move lets an ear hear another mix. Its sections go on where they are.
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
		g = &group{last: make([]Packet, len(x.slots)), past: make([]past, len(x.slots))}
		s.groups[x] = g
	}
	g.subs = append(g.subs, sub)
	g.ears = append(g.ears, sub.ear)
	sub.group = g
	return g
}

// leave takes an ear away from a mix.
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
		g.ears[i] = g.ears[n]
		g.ears[n] = nil
		g.ears = g.ears[:n]
	}
	if len(g.subs) == 0 {
		delete(s.groups, x)
	}
}
