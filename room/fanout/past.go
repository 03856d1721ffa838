package fanout

import "time"

// pastTime is how long a packet can be asked for again: a jitter buffer has given
// up long before.
const pastTime = time.Second

// past is the newest packets of one slot, by their numbers: what listeners may
// have again, kept once for all ears of a shard that hear the mix, however many
// they are. It belongs to the shard.
type past [remembered]Packet

// add remembers a packet, unless a newer one is in its place.
func (h *past) add(p *Packet) {
	at := &h[p.Seq%remembered]
	if at.Frame == nil || int16(p.Seq-at.Seq) > 0 {
		*at = *p
	}
}

// find gives the packet with a number of the slot's timeline, unless it is not
// remembered or came before since.
func (h *past) find(seq uint16, since time.Time) (Packet, bool) {
	p := h[seq%remembered]
	if p.Frame == nil || p.Seq != seq || p.Arrived.Before(since) {
		return Packet{}, false
	}
	return p, true
}

// again finds a packet by the number that the ear was given it with. The shard's
// goroutine calls it.
func (s *Subscription) again(section int, seq uint16) (Packet, bool) {
	if s.group == nil || section >= len(s.group.past) {
		return Packet{}, false
	}
	since := s.shard.now().Add(-pastTime)
	if s.rebased == nil {
		return s.group.past[section].find(seq, since)
	}
	t := &s.rebased[section]
	in, first, ok := t.source(seq)
	if !ok {
		return Packet{}, false
	}
	p, ok := s.group.past[section].find(in, since)
	p.Seq, p.Timestamp, p.Marker = seq, t.shifted(p.Timestamp), p.Marker || first
	return p, ok
}
