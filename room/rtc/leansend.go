package rtc

import (
	"errors"

	"github.com/earshot-audio/earshot/internal/prefetch"
	"github.com/earshot-audio/earshot/room/fanout"
)

// maxMissed is how many packets a client may ask for at a time; what it asks for
// beyond, it has to ask for again.
const maxMissed = 32

// maxResends is how many packets a client may ask for at once after it has asked for
// nothing for a while: a second of three voices, which is all that is kept.
const maxResends = 150

// errTooLong says that a packet is longer than a batch.
var errTooLong = errors.New("packet is too long to be sent")

// missedPacket is a packet that a client has missed.
type missedPacket struct {
	section int
	seq     uint16 // on the wire
}

// Send implements fanout.Sink: it seals a packet into the shard's batch.
func (l *leanEndpoint) Send(batch fanout.SendBatch, section int, p fanout.Packet) error {
	b, s := batch.(*sendBatch), &l.streams[section]
	if l.updated.Load() {
		l.applyUpdates(b, &p)
	}
	memory := b.reserve(s.headerSize() + len(p.Payload) + l.sealer.Overhead())
	if memory == nil {
		return errTooLong
	}
	if !s.begun {
		s.begin(&p, b.now)
	}
	sealed, err := s.stream.Seal(memory[:0], s.header(memory, &p), p.Payload)
	if err != nil {
		return err
	}
	b.add(sealed, l.to, l, len(p.Payload))
	l.packets.Add(1)
	l.bytes.Add(uint64(len(p.Payload)))
	s.packets++
	s.octets += uint32(len(p.Payload))
	if b.nanos > s.due {
		l.report(b, s, &p)
	}
	return nil
}

// report adds a sender report to the batch. Only a section that sends reports
// (RFC 3550, section 6.4), so that it needs no timer of its own.
func (l *leanEndpoint) report(b *sendBatch, s *outboundStream, p *fanout.Packet) {
	s.due = b.now.Add(reportInterval).UnixNano()
	var scratch [reportSize]byte
	r := s.report(p, b.now, l.cname)
	plain := r.append(scratch[:0])
	memory := b.reserve(len(plain) + l.sealer.OverheadRTCP())
	if sealed, err := l.sealer.SealRTCP(memory[:0], plain); err == nil {
		b.add(sealed, l.to, nil, 0)
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
		memory := b.reserve(s.headerSize() + len(p.Payload) + l.sealer.Overhead())
		if sealed, err := s.stream.Reseal(memory[:0], s.header(memory, &p), p.Payload); err == nil {
			b.add(sealed, l.to, nil, 0)
		}
	}
}

// prefetchEars asks for the memory that Send takes, of a few ears at a time: the
// ears of a room are many times what a processor's cache holds, and each packet
// finds them gone from it. Each step finds its way in what the one before has
// asked for.
func prefetchEars(section int, sinks []fanout.Sink) {
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
				prefetch.Object(&l.streams[section])
			case 2:
				l.streams[section].stream.Prefetch()
			}
		}
	}
}
