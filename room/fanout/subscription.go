package fanout

import "sync/atomic"

// Subscription is an ear's place in a router. Its methods may be called from any
// goroutine except from within the sink's own Send.
type Subscription struct {
	router   *Router
	lane     *lane
	sink     Sink
	sections int
	closed   atomic.Bool

	// The router's lock guards mix: what the ear was last told to hear.
	mix *mix

	// The rest belongs to the shard. group is where the ear is; rebased is nil
	// until the ear first changes its mix, then the timelines that keep its
	// sections unbroken. from is where what the ear is to have of what waits begins:
	// it has joined only then.
	group   *group
	rebased []rtpTimeline
	from    int
}

// send passes packets on, at the ear's own place in time if it has one. It uses the
// memory of the given ones, or of scratch.
func (s *Subscription) send(batch SendBatch, packets []Packet, scratch *[]Packet) (t sendCounts) {
	if s.closed.Load() {
		return t
	}
	if s.rebased != nil {
		packets = s.rebase(packets, (*scratch)[:0])
		*scratch = packets
	}
	if len(packets) == 0 {
		return t
	}
	for i := range packets {
		packets[i].sub = s
	}
	failed := min(max(s.sink.Send(batch, packets), 0), len(packets))
	if s.group != nil && s.group.relay {
		return t
	}
	return sendCounts{sent: uint64(len(packets) - failed), failed: uint64(failed)}
}

// rebase appends packets at the ear's own place in time.
func (s *Subscription) rebase(packets, to []Packet) []Packet {
	for _, p := range packets {
		at, ok := s.rebased[p.Section].next(p.Seq, p.Timestamp, p.Arrived)
		if !ok {
			continue
		}
		p.Seq, p.Timestamp = at.seq, at.ts
		p.Marker = p.Marker || at.first
		if at.first {
			p.Earlier = nil // which the ear has not had before it
		}
		to = append(to, p)
	}
	return to
}

// carryOver prepares for packets of another mix, given the last of the old one.
func (s *Subscription) carryOver(last []Packet) {
	if s.rebased != nil {
		for i := range s.rebased {
			s.rebased[i].interrupt()
		}
		return
	}
	s.rebased = make([]rtpTimeline, s.sections)
	for i, p := range last {
		if p.Frame != nil {
			s.rebased[i].resume(p.Seq, p.Timestamp, p.Arrived)
		}
	}
}

// SetOwner sets whose ear this is: that talker is left out from the next packet on
// (0: nobody is). The sections' timelines stay unbroken.
// After Close it does nothing.
func (s *Subscription) SetOwner(talker uint32) {
	r := s.router
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed || s.closed.Load() {
		return
	}
	to := r.mixFor(mixKey{slots: s.mix.key.slots, excluded: talker})
	from := s.mix
	if to == from {
		return
	}
	l := s.lane
	r.use(to, l)
	r.unuse(from, l)
	s.mix = to
	l.shard.queue.do(l, func() { l.move(s, from, to) })
}

// Detach stops sending, but for packets that are under way. It does not wait, and
// Close still has to follow.
func (s *Subscription) Detach() { s.closed.Store(true) }

// Close ends the subscription. When it returns, no Send is under way
// and none will follow. It may be called more than once.
func (s *Subscription) Close() {
	r := s.router
	r.mu.Lock()
	s.closed.Store(true)
	gone := make(chan struct{})
	x := s.mix
	if x != nil {
		s.mix = nil
		if !x.key.relay {
			s.lane.ears--
			s.lane.shard.ears.Add(-1)
			r.ears--
		}
		r.unuse(x, s.lane)
	}
	queued := s.lane.shard.queue.doAmid(func() {
		if x != nil {
			s.lane.leave(s, x)
		}
		close(gone)
	})
	r.mu.Unlock()
	if queued {
		select {
		case <-gone:
		case <-s.lane.shard.ended:
		}
		return
	}
	<-s.lane.shard.ended
}
