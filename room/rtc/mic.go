package rtc

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/pion/rtp"
	"github.com/pion/webrtc/v4"

	"github.com/earshot-audio/earshot/internal/sdp"
	"github.com/earshot-audio/earshot/room/fanout"
)

// Mic is one talker's uplink.
type Mic struct {
	*pionEndpoint
	talker    uint32
	payload   uint8 // the payload type of Opus
	level     uint8 // the id of the audio level extension, 0: none
	publisher *fanout.Publisher
	// tracks counts the sources that the client has had, and source is the one
	// that is heard, by that count; 0: none yet.
	tracks atomic.Int64
	source atomic.Int64
}

// newMic answers an offer.
func newMic(ctx context.Context, r *MediaRoom, talker uint32, o *sdp.Offer) (*Mic, error) {
	c, err := newPionEndpoint(r, o, r.engine.pion)
	if err != nil {
		return nil, err
	}
	section := o.Active()[0]
	m := &Mic{pionEndpoint: c, talker: talker, payload: uint8(section.Opus), level: section.AudioLevel}
	if err := m.start(ctx); err != nil {
		c.end(err)
		<-c.finished
		return nil, err
	}
	return m, nil
}

func (m *Mic) start(ctx context.Context) error {
	m.pc.OnTrack(func(t *webrtc.TrackRemote, r *webrtc.RTPReceiver) {
		m.startReader(func() { m.readTrack(t, m.tracks.Add(1)) })
		m.startReader(func() {
			m.readRTCP(func(b []byte) error {
				_, _, err := r.Read(b)
				return err
			})
		})
	})
	local, err := m.negotiate(ctx)
	if err != nil {
		return err
	}
	m.answer = m.offer.Answer(randomUint64(), local, nil)
	publisher, err := m.room.router.Publish(m.talker)
	switch {
	case errors.Is(err, fanout.ErrClosed):
		return fmt.Errorf("room: %w", ErrClosed)
	case err != nil:
		return err
	}
	m.mu.Lock()
	m.publisher, m.stopMedia = publisher, publisher.Close
	m.mu.Unlock()
	return m.admit()
}

// Detach implements Session.
func (m *Mic) Detach() {
	m.mu.Lock()
	publisher := m.publisher
	m.mu.Unlock()
	publisher.Close()
}

// readTrack passes a track's packets on until the connection ends, or until the
// client sends Opus on a later track.
func (m *Mic) readTrack(t *webrtc.TrackRemote, number int64) {
	loud := newLoudness()
	limiter := rateLimiter{frame: m.room.engine.minFrame}
	var packet rtp.Packet
	b := make([]byte, receiveMTU)
	for {
		n, _, err := t.Read(b)
		switch {
		case errors.Is(err, webrtc.ErrCodecNotFound):
			continue // a packet of a payload type that was not agreed on
		case err != nil:
			return
		}
		if packet.Unmarshal(b[:n]) != nil || packet.PayloadType != m.payload || len(packet.Payload) == 0 {
			continue
		}
		if !m.claim(number) {
			continue
		}
		now := m.room.engine.now()
		if !limiter.allow(now, len(packet.Payload)) {
			m.room.engine.excess.Add(1)
			continue
		}
		m.forward(&packet, loud, now)
	}
}

// claim reports whether a track is the one to be heard: the latest that sent
// anything.
func (m *Mic) claim(number int64) bool {
	for {
		heard := m.source.Load()
		switch {
		case heard == number:
			return true
		case heard > number:
			return false
		case m.source.CompareAndSwap(heard, number):
			m.publisher.Restart()
			return true
		}
	}
}

// forward measures the loudness of a packet and gives it to the router.
func (m *Mic) forward(p *rtp.Packet, loud *loudness, at time.Time) {
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
	f.Level, f.Voice = loud.of(f.Payload, claim)
	m.packets.Add(1)
	m.bytes.Add(uint64(len(f.Payload)))
	m.publisher.Push(f)
}

const (
	// minFrame is the shortest frame that answers allow (see sdp.OpusParameters).
	minFrame = 10 * time.Millisecond
	// rateBurst is how many packets may come at once, after a network held them up:
	// a second of the shortest.
	rateBurst = 100
	// maxOpusRate is the highest rate of Opus, 510 kbit/s, in bytes a second (RFC 6716,
	// section 2.1.1).
	maxOpusRate = 510_000 / 8
)

// rateLimiter limits how fast a mic's packets and their bytes are passed on, since each
// is sent once for every listener. What the answer allows is within the limit. It belongs
// to one goroutine.
type rateLimiter struct {
	frame time.Duration // the shortest
	due   time.Time
}

// allow reports whether a payload of so many bytes that came at that time is within the
// limit, and counts it if so: for the shortest frame, or for as long as Opus at its highest
// rate takes to fill it.
func (l *rateLimiter) allow(at time.Time, size int) bool {
	if earliest := at.Add(-rateBurst * l.frame); l.due.Before(earliest) {
		l.due = earliest
	}
	if l.due.After(at) {
		return false
	}
	l.due = l.due.Add(max(l.frame, time.Duration(size)*rateBurst*l.frame/maxOpusRate))
	return true
}
