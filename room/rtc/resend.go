package rtc

import (
	"encoding/binary"

	"github.com/earshot-audio/earshot/room/fanout"
)

const (
	// historyLength is how many packets a section can send again: 640 ms, after
	// which a jitter buffer has given up.
	historyLength = 32
	// mostAsked is how many packets a client may ask for at a time; what it asks
	// for beyond, it has to ask for again.
	mostAsked = 32

	rtcpFeedback = 205 // transport-layer feedback (RFC 4585 section 6.2)
	nackFormat   = 1
)

// history is the newest packets of a section, by their sequence numbers. The
// frames in it are the room's: one for all ears.
type history [historyLength]fanout.Packet

func (h *history) add(p *fanout.Packet) { h[p.Seq%historyLength] = *p }

// find gives the packet with a number of the slot's timeline, or nil.
func (h *history) find(seq uint16) *fanout.Packet {
	if p := &h[seq%historyLength]; p.Frame != nil && p.Seq == seq {
		return p
	}
	return nil
}

// asked is a packet that a client has missed.
type asked struct {
	section int
	seq     uint16 // on the wire
}

// nacks calls f for every packet that a compound RTCP packet asks for (RFC 4585
// section 6.2.1).
func nacks(compound []byte, f func(ssrc uint32, seq uint16)) {
	for b := compound; len(b) >= 4; {
		n := 4 * (int(binary.BigEndian.Uint16(b[2:])) + 1)
		if n > len(b) {
			return
		}
		if b[1] == rtcpFeedback && b[0]&31 == nackFormat && n >= 12 {
			ssrc := binary.BigEndian.Uint32(b[8:])
			for item := b[12:n]; len(item) >= 4; item = item[4:] {
				seq, more := binary.BigEndian.Uint16(item), binary.BigEndian.Uint16(item[2:])
				f(ssrc, seq)
				for ; more != 0; more >>= 1 {
					seq++
					if more&1 != 0 {
						f(ssrc, seq)
					}
				}
			}
		}
		b = b[n:]
	}
}

// note puts what a client asks for into the mailbox.
func (l *lean) note(compound []byte) {
	nacks(compound, func(ssrc uint32, seq uint16) {
		for i := range l.voices {
			if v := &l.voices[i]; v.ssrc == ssrc && v.past != nil {
				l.ear.room.engine.alarms.Add(1)
				l.mu.Lock()
				if len(l.missed) < mostAsked {
					l.missed = append(l.missed, asked{i, seq})
					l.mail.Store(true)
				}
				l.mu.Unlock()
			}
		}
	})
}

// resend seals packets that the client has missed once more: the same bytes, as
// the same index must never seal others.
func (l *lean) resend(o *outbox, missed []asked) {
	for _, a := range missed {
		v := &l.voices[a.section]
		p := v.past.find(a.seq - v.sequence)
		if p == nil {
			continue
		}
		room := o.take(v.headerSize() + len(p.Payload) + l.sealer.Overhead())
		if sealed, err := v.stream.Reseal(room[:0], v.header(room, p), p.Payload); err == nil {
			o.put(sealed, l.to, nil, 0)
		}
	}
}
