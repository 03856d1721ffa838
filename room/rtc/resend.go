package rtc

import (
	"encoding/binary"

	"github.com/earshot-audio/earshot/room/fanout"
)

const (
	// mostAsked is how many packets a client may ask for at a time; what it asks
	// for beyond, it has to ask for again.
	mostAsked = 32

	rtcpFeedback = 205 // transport-layer feedback (RFC 4585 section 6.2)
	nackFormat   = 1
)

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
			if v := &l.voices[i]; v.ssrc == ssrc && v.asks {
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
// the same index must never seal others. They come out of what the room keeps
// for all ears, by way of the packet that is being sent.
func (l *lean) resend(o *outbox, sending *fanout.Packet, missed []asked) {
	for _, a := range missed {
		v := &l.voices[a.section]
		p, ok := sending.Again(a.section, a.seq-v.sequence)
		if !ok {
			continue
		}
		room := o.take(v.headerSize() + len(p.Payload) + l.sealer.Overhead())
		if sealed, err := v.stream.Reseal(room[:0], v.header(room, &p), p.Payload); err == nil {
			o.put(sealed, l.to, nil, 0)
		}
	}
}
