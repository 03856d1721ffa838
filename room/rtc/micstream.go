package rtc

import (
	"time"

	"github.com/pion/rtp"

	"github.com/earshot-audio/earshot/internal/red"
	"github.com/earshot-audio/earshot/room/fanout"
	"github.com/earshot-audio/earshot/room/rtc/loudness"
)

// micStream is what is known of the packets of one track of a mic. It belongs to the
// goroutine that reads them.
type micStream struct {
	loud     *loudness.Estimator
	limiter  rateLimiter
	received receivedFrames // where the client may send redundant audio
	copies   []red.Block
}

// take passes on a packet's frame, after those of its copies that have not come by
// themselves. The last copy is taken for the frame of the packet before, and so on: RFC 2198
// gives a copy a time and no number.
func (m *Mic) take(p *rtp.Packet, in *micStream) {
	now := m.room.engine.now()
	if m.red == 0 {
		m.forward(p, in, now)
		return
	}
	frame, seq, timestamp := p.Payload, p.SequenceNumber, p.Timestamp
	if p.PayloadType == m.red {
		var err error
		if frame, in.copies, err = red.Parse(p.Payload, m.payload, in.copies[:0]); err != nil {
			return
		}
		for i, c := range in.copies {
			p.SequenceNumber = seq - uint16(len(in.copies)-i)
			if in.received.miss(p.SequenceNumber) {
				p.Timestamp, p.Payload = timestamp-c.Offset, c.Payload
				in.received.add(p.SequenceNumber)
				m.forward(p, in, now)
			}
		}
	}
	if in.received.add(seq) && len(frame) > 0 {
		p.SequenceNumber, p.Timestamp, p.Payload = seq, timestamp, frame
		m.forward(p, in, now)
	}
}

// forward measures the loudness of a frame and gives it to the router, if the mic may send
// so much.
func (m *Mic) forward(p *rtp.Packet, in *micStream, at time.Time) {
	if !in.limiter.allow(at, len(p.Payload)) {
		m.room.engine.excess.Add(1)
		return
	}
	f := fanout.Frame{
		Seq:       p.SequenceNumber,
		Timestamp: p.Timestamp,
		Marker:    p.Marker,
		Payload:   append([]byte(nil), p.Payload...),
		Arrived:   at,
	}
	var claim *rtp.AudioLevelExtension
	if level := (rtp.AudioLevelExtension{}); m.level != 0 && level.Unmarshal(p.GetExtension(m.level)) == nil {
		claim = &level
	}
	f.Level, f.Voice = in.loud.Of(f.Payload, claim)
	m.packets.Add(1)
	m.bytes.Add(uint64(len(f.Payload)))
	m.publisher.Push(f)
}

// receivedFrames says which of a stream's newest frames have come, by their sequence
// numbers: by themselves or as a copy.
type receivedFrames struct {
	begun  bool
	newest uint16
	recent uint64 // of the 64 newest: bit 0 is the newest
}

// miss reports whether a frame is missing that a later packet has a copy of.
func (r *receivedFrames) miss(seq uint16) bool {
	back := int(int16(r.newest - seq))
	return r.begun && (back < 0 || back < 64 && r.recent&(1<<back) == 0)
}

// add enters a frame, and reports whether it is new. One that is too old to tell is.
func (r *receivedFrames) add(seq uint16) bool {
	back := int(int16(r.newest - seq))
	switch {
	case !r.begun:
		r.begun, r.newest, r.recent = true, seq, 1
	case back < 0:
		r.newest, r.recent = seq, r.recent<<-back|1
	case back < 64:
		known := r.recent&(1<<back) != 0
		r.recent |= 1 << back
		return !known
	}
	return true
}
