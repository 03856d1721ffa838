package fanout

import "time"

const (
	// slotIdleTimeout is the silence after which any mic may take a holder's slot:
	// three frames.
	slotIdleTimeout = 3 * frameDuration
	// takeoverMargin is how much louder, in dB, a mic must be to take a slot whose
	// holder still talks, and minHold how long the holder has it before that.
	takeoverMargin = 6.0
	minHold        = 300 * time.Millisecond
	// historySize is how many packets a slot and a mic keep for those who are just
	// joining: 640 ms.
	historySize = 32
)

// mixKey identifies a mix: its number of slots, the talker who is left out of it (0:
// nobody), and whether it is for another router.
type mixKey struct {
	slots    int
	excluded uint32
	relay    bool
}

// mix assigns the mics to its slots and keeps the slots' timelines. The router's
// lock guards it.
type mix struct {
	key   mixKey
	slots []slot
	// ears is how many ears of each shard hear this mix.
	ears []int
	refs int
}

// slot is one voice of a mix.
type slot struct {
	holder *Publisher
	// epoch is the holder's epoch at its last packet; a new one is a new hold.
	epoch    uint32
	since    time.Time
	last     time.Time
	timeline rtpTimeline
	recent   ring[Packet]
}

func newMix(key mixKey, shards int) *mix {
	return &mix{key: key, slots: make([]slot, key.slots), ears: make([]int, shards)}
}

// offer gives a frame of a mic its slot and its place there. ok is false if the
// mic has no slot or the packet came too late. changed is true if the slot has
// another holder now.
func (x *mix) offer(m *Publisher, f *Frame) (p Packet, changed, ok bool) {
	if x.key.excluded != 0 && x.key.excluded == m.talker {
		return Packet{}, false, false
	}
	index, ok := x.find(m, f)
	if !ok {
		return Packet{}, false, false
	}
	s := &x.slots[index]
	changed = s.holder != m
	if changed {
		s.holder, s.since = m, f.Arrived
	}
	if changed || s.epoch != m.epoch {
		s.epoch = m.epoch
		s.timeline.interrupt()
	}
	s.last = later(s.last, f.Arrived)
	at, ok := s.timeline.next(f.Seq, f.Timestamp, f.Arrived)
	if !ok {
		return Packet{}, changed, false
	}
	p = Packet{Section: index, Seq: at.seq, Timestamp: at.ts, Marker: f.Marker || at.first, Frame: f}
	if last := s.recent.newest(); !at.first && last.Frame != nil && last.Seq == at.seq-1 {
		p.Earlier, p.EarlierBy = last.Frame, at.ts-last.Timestamp
	}
	s.recent.add(p)
	return p, changed, true
}

// find returns the slot that a frame of the mic goes to: the one the mic has; else an
// empty one; else that of the longest silent holder; else that of the quietest
// holder, if the mic is louder by the margin.
func (x *mix) find(m *Publisher, f *Frame) (int, bool) {
	empty, idle, quiet := -1, -1, -1
	for i := range x.slots {
		s := &x.slots[i]
		switch {
		case s.holder == m:
			return i, true
		case s.holder == nil:
			if empty < 0 {
				empty = i
			}
			continue
		}
		if f.Arrived.Sub(s.last) > slotIdleTimeout && (idle < 0 || s.last.Before(x.slots[idle].last)) {
			idle = i
		}
		if quiet < 0 || s.holder.loud.db < x.slots[quiet].holder.loud.db {
			quiet = i
		}
	}
	switch {
	case empty >= 0:
		return empty, true
	case idle >= 0:
		return idle, true
	}
	if quiet < 0 || f.Level >= inaudible {
		return 0, false
	}
	s := &x.slots[quiet]
	if m.loud.db-s.holder.loud.db < takeoverMargin || f.Arrived.Sub(s.since) < minHold {
		return 0, false
	}
	return quiet, true
}

// release takes the mic's slot away. It reports whether it had one. With
// forget, a listener who joins now hears nothing of what the slot carried lately.
func (x *mix) release(m *Publisher, forget bool) bool {
	for i := range x.slots {
		s := &x.slots[i]
		if s.holder == m {
			s.holder = nil
			s.timeline.interrupt()
			if forget {
				s.recent = ring[Packet]{}
			}
			return true
		}
	}
	return false
}

// backlog lists the packets that came at or after the given time, slot by slot
// in their order.
func (x *mix) backlog(since time.Time) []Packet {
	var list []Packet
	for i := range x.slots {
		x.slots[i].recent.each(func(p Packet) {
			if !p.Arrived.Before(since) {
				list = append(list, p)
			}
		})
	}
	return list
}

// ring keeps the newest few of something.
type ring[T any] struct {
	items [historySize]T
	n     int
}

func (r *ring[T]) add(v T) {
	r.items[r.n%historySize] = v
	r.n++
}

// newest is what was added last, or nothing.
func (r *ring[T]) newest() (v T) {
	if r.n > 0 {
		v = r.items[(r.n-1)%historySize]
	}
	return v
}

// each calls f for what is kept, oldest first.
func (r *ring[T]) each(f func(T)) {
	for i := max(0, r.n-historySize); i < r.n; i++ {
		f(r.items[i%historySize])
	}
}
