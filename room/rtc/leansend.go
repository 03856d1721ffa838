package rtc

import (
	"math/bits"

	"github.com/earshot-audio/earshot/internal/prefetch"
	"github.com/earshot-audio/earshot/internal/srtp"
	"github.com/earshot-audio/earshot/room/fanout"
	"github.com/earshot-audio/earshot/room/mediaport"
)

// maxMissed is how many packets a client may ask for at a time; what it asks for
// beyond, it has to ask for again.
const maxMissed = 32

// maxResends is how many packets a client may ask for at once after it has asked for
// nothing for a while: a second of three voices, which is all that is kept.
const maxResends = 150

// missedPacket is a packet that a client has missed.
type missedPacket struct {
	section int
	seq     uint16 // on the wire
}

// Send implements fanout.Sink: it seals packets into the shard's batch, as few messages
// as they make.
func (l *leanEndpoint) Send(batch fanout.SendBatch, packets []fanout.Packet) (failed int) {
	b := batch.(*sendBatch)
	b.Open()
	if l.updated.Load() {
		l.applyUpdates(b, &packets[0])
	}
	for len(packets) > 0 {
		n, segment := 1, 0
		if len(packets) > 1 && b.bundles() {
			n, segment = l.bundle(packets)
		}
		failed += l.seal(b, packets[:n], segment)
		for i := range packets[:n] {
			p := &packets[i]
			if s := &l.streams[p.Section]; s.begun && b.Nanos() > s.due {
				l.report(b, s, p)
			}
		}
		packets = packets[n:]
	}
	return failed
}

// size is how long a packet is when it is sealed, without padding.
func (l *leanEndpoint) size(p *fanout.Packet) int {
	s := &l.streams[p.Section]
	return s.headerSize() + s.payloadSize(p) + l.sealer.Overhead()
}

// bundle is how many of several packets leave as one message, and the length that all
// of them but the last are padded to; 0 if it is one.
func (l *leanEndpoint) bundle(packets []fanout.Packet) (n, segment int) {
	shortest := l.size(&packets[0])
	segment = shortest
	for n = 1; n < min(len(packets), mediaport.MaxBundle); n++ {
		next := l.size(&packets[n])
		longest := max(segment, next)
		if longest > mediaport.MaxSegment || longest-shortest > srtp.MaxPadding {
			break
		}
		segment, shortest = longest, min(shortest, next)
	}
	if n == 1 {
		return 1, 0
	}
	return n, segment
}

// seal seals packets into one message. All of several have the length of segment, but
// for the last, which may be shorter.
func (l *leanEndpoint) seal(b *sendBatch, packets []fanout.Packet, segment int) (failed int) {
	last := len(packets) - 1
	memory := b.Reserve(last*segment + l.size(&packets[last]))
	if memory == nil {
		return len(packets) // longer than a batch
	}
	out, used, octets := b.Next(&l.sent), 0, 0
	for i := range packets {
		p := &packets[i]
		s := &l.streams[p.Section]
		if !s.begun {
			s.begin(p, b.Now())
		}
		padding := 0
		if i < last {
			padding = segment - l.size(p)
		}
		room, payload := memory[used:], p.Payload
		if s.redundant(p) {
			payload = b.redundant.payload(s, p)
		}
		sealed, err := s.stream.SealPadded(room[:0], s.header(room, p), payload, padding)
		if err != nil {
			failed++
			continue
		}
		used += len(sealed)
		out.Put(len(payload))
		octets += len(payload)
		s.packets++
		s.octets += uint32(len(payload))
	}
	if out.Len() == 0 {
		out.Drop()
		return failed
	}
	l.sent.Packets.Add(uint64(out.Len())) // before it may be taken back
	l.sent.Bytes.Add(uint64(octets))
	b.AddBundle(memory[:used:used], l.to, segment)
	return failed
}

// report adds a sender report to the batch. Only a section that sends reports
// (RFC 3550, section 6.4), so that it needs no timer of its own.
func (l *leanEndpoint) report(b *sendBatch, s *outboundStream, p *fanout.Packet) {
	s.due = b.Now().Add(reportInterval).UnixNano()
	var scratch [reportSize]byte
	r := s.report(p, b.Now(), l.cname)
	plain := r.append(scratch[:0])
	memory := b.Reserve(len(plain) + l.sealer.OverheadRTCP())
	if sealed, err := l.sealer.SealRTCP(memory[:0], plain); err == nil {
		b.Add(sealed, l.to)
	}
}

// applyUpdates takes over what the port's goroutine left for the shard.
func (l *leanEndpoint) applyUpdates(b *sendBatch, sending *fanout.Packet) {
	l.mu.Lock()
	l.updated.Store(false)
	if l.moved.IsValid() {
		l.to = l.moved
	}
	l.missed, l.resending = l.resending[:0], l.missed
	l.mu.Unlock()
	l.retransmit(b, sending, l.resending)
}

// retransmit seals packets that the client has missed once more: the same bytes,
// since one SRTP index must never seal others. They come out of the history that
// the router keeps for all ears, through the packet that is being sent.
func (l *leanEndpoint) retransmit(b *sendBatch, sending *fanout.Packet, missed []missedPacket) {
	for _, m := range missed {
		s := &l.streams[m.section]
		p, ok := sending.Lookup(m.section, m.seq-s.sequence)
		if !ok {
			continue
		}
		p.Section = m.section
		memory, payload := b.Reserve(l.size(&p)+s.stream.Padding(m.seq)), p.Payload
		if s.redundant(&p) {
			payload = b.redundant.payload(s, &p)
		}
		if sealed, err := s.stream.Reseal(memory[:0], s.header(memory, &p), payload); err == nil {
			b.Add(sealed, l.to)
		}
	}
}

// prefetchEars asks for the memory that Send takes, of a few ears at a time: the
// ears of a room are many times what a processor's cache holds, and each packet
// finds them gone from it. Each step finds its way in what the one before has
// asked for.
func prefetchEars(sections uint64, sinks []fanout.Sink) {
	for step := range 3 {
		for _, sink := range sinks {
			l, ok := sink.(*leanEndpoint)
			if !ok {
				continue
			}
			switch step {
			case 0:
				prefetch.Object(l)
			case 1:
				for left := sections; left != 0; left &= left - 1 {
					prefetch.Object(&l.streams[bits.TrailingZeros64(left)])
				}
			case 2: // all of an ear's streams have the same keys
				l.streams[bits.TrailingZeros64(sections)].stream.Prefetch()
			}
		}
	}
}
