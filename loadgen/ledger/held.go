package ledger

import "github.com/earshot-audio/earshot/loadgen/timebase"

// heldPackets are those of one listener, in their order, that came before it was known what
// other processes had sent by then. They lie in a ring of slots, which are used again, so that nothing is
// allocated once there are as many as come within that time. Listener.heldNext is the slot of the next packet.
type heldPackets struct {
	first, last *heldPacket // the oldest and the latest; what they are does not matter while n is 0
	n           int
	// horizon is the ledger's when packets were looked at last.
	horizon timebase.Bin
	// ended means that no more are taken: what comes now came after all that is known.
	ended bool
}

// heldPayload is as much as a frame of speech takes, and a copy of the one before.
const heldPayload = 160

type heldPacket struct {
	Packet
	after   *heldPacket // the next slot of the ring
	payload []byte      // the slot's own, with the copies behind: space, unless they take more
	copies  []Copy      // the slot's own
	space   [heldPayload]byte
}

// hold keeps a packet. l.mu is held.
func (l *Listener) hold(p Packet) {
	h := l.held
	if h.ended {
		return
	}
	s := l.heldNext.Load()
	if s == nil || h.n > 0 && s == h.first {
		s = h.extend()
	}
	if h.n == 0 {
		h.first = s
	}
	s.payload = append(s.payload[:0], p.Payload...)
	s.Packet = p
	s.copies = s.copies[:0]
	for _, c := range p.Copies {
		s.payload = append(s.payload, c.Payload...)
	}
	s.Payload = s.payload[:len(p.Payload)]
	rest := s.payload[len(p.Payload):]
	for _, c := range p.Copies {
		s.copies = append(s.copies, Copy{c.Offset, rest[:len(c.Payload)]})
		rest = rest[len(c.Payload):]
	}
	s.Copies = s.copies
	h.last = s
	h.n++
	l.heldNext.Store(s.after)
}

// extend adds a slot behind the latest packet.
func (h *heldPackets) extend() *heldPacket {
	s := &heldPacket{}
	s.payload = s.space[:0]
	if h.last == nil {
		s.after = s
		return s
	}
	s.after, h.last.after = h.last.after, s
	return s
}

// processHeld looks at the packets that came before the ledger's horizon. l.mu is held.
func (l *Listener) processHeld() {
	h := l.held
	if h == nil || h.n == 0 {
		return
	}
	h.horizon = timebase.Bin(l.ledger.horizon.Load())
	sources := l.ledger.list() // those that the horizon covers are among them
	for h.n > 0 {
		if timebase.BinAt(max(h.first.At, 0)) >= h.horizon {
			return
		}
		l.enter(sources, h.first.Packet)
		h.first = h.first.after
		h.n--
	}
}

// processNew does so if the horizon is another than the last time: else there are hardly any. l.mu is held.
func (l *Listener) processNew() {
	if timebase.Bin(l.ledger.horizon.Load()) != l.held.horizon {
		l.processHeld()
	}
}

// dropHeld gives up the packets that came after what is known of the run, and that come from
// now on: nobody can say what they were. l.mu is held.
func (l *Listener) dropHeld() {
	if l.held != nil {
		*l.held = heldPackets{ended: true}
		l.heldNext.Store(nil)
	}
}
