package fanout

import "time"

// retransmissionWindow is how long a packet can be asked for again: a jitter
// buffer has given up long before.
const retransmissionWindow = time.Second

// history is the newest packets of one slot, by their sequence numbers: what
// listeners may have again (RFC 4585), kept once for all ears of a shard that hear
// the mix, however many they are. It belongs to the shard's goroutine.
type history [historySize]Packet

// add keeps a packet, unless a newer one is in its place.
func (h *history) add(p *Packet) {
	at := &h[p.Seq%historySize]
	if at.Frame == nil || int16(p.Seq-at.Seq) > 0 {
		*at = *p
	}
}

// lookup finds the packet with a sequence number of the slot, unless it is no
// longer kept or came before since.
func (h *history) lookup(seq uint16, since time.Time) (Packet, bool) {
	p := h[seq%historySize]
	if p.Frame == nil || p.Seq != seq || p.Arrived.Before(since) {
		return Packet{}, false
	}
	return p, true
}

// lookup finds a packet by the sequence number that the ear was given. The shard's
// goroutine calls it.
func (s *Subscription) lookup(section int, seq uint16) (Packet, bool) {
	if s.group == nil || section >= len(s.group.history) {
		return Packet{}, false
	}
	since := s.lane.shard.now().Add(-retransmissionWindow)
	if s.rebased == nil {
		return s.group.history[section].lookup(seq, since)
	}
	t := &s.rebased[section]
	in, first, ok := t.source(seq)
	if !ok {
		return Packet{}, false
	}
	p, ok := s.group.history[section].lookup(in, since)
	p.Seq, p.Timestamp, p.Marker = seq, t.shifted(p.Timestamp), p.Marker || first
	if first {
		p.Earlier = nil
	}
	return p, ok
}
