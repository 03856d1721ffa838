package measure

// heldPackets are those of one listener, in their order, that came before it was known what
// other processes had sent by then. Slots are used again, so that nothing is allocated once
// there are as many as come within that time.
type heldPackets struct {
	slots []heldPacket // a ring
	first int
	n     int
	// ended means that no more are taken: what comes now came after all that is known.
	ended bool
}

type heldPacket struct {
	Packet
	payload []byte // the slot's own, with the copies behind
	copies  []Copy // the slot's own
}

// hold keeps a packet. l.mu is held.
func (l *Listener) hold(p Packet) {
	h := l.held
	if h.ended {
		return
	}
	if h.n == len(h.slots) {
		slots := make([]heldPacket, max(16, 2*len(h.slots)))
		for i := range h.n {
			slots[i] = h.slots[(h.first+i)%len(h.slots)]
		}
		h.slots, h.first = slots, 0
	}
	s := &h.slots[(h.first+h.n)%len(h.slots)]
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
	h.n++
}

// processHeld looks at the packets that came before the ledger's horizon. l.mu is held.
func (l *Listener) processHeld() {
	h := l.held
	if h == nil || h.n == 0 {
		return
	}
	horizon := Bin(l.ledger.horizon.Load())
	sources := l.ledger.list() // those that the horizon covers are among them
	for h.n > 0 {
		s := &h.slots[h.first]
		if BinAt(max(s.At, 0)) >= horizon {
			return
		}
		l.enter(sources, s.Packet)
		h.first = (h.first + 1) % len(h.slots)
		h.n--
	}
}

// dropHeld gives up the packets that came after what is known of the run, and that come from
// now on: nobody can say what they were. l.mu is held.
func (l *Listener) dropHeld() {
	if l.held != nil {
		*l.held = heldPackets{ended: true}
	}
}
