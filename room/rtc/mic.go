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
	"github.com/earshot-audio/earshot/room/rtc/loudness"
)

// Mic is one talker's uplink.
type Mic struct {
	*pionEndpoint
	talker    uint32
	payload   uint8 // the payload type of Opus
	red       uint8 // that of redundant audio, 0: none
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
	m := &Mic{pionEndpoint: c, talker: talker, payload: uint8(section.Opus), red: section.RED, level: section.AudioLevel}
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
	in := micStream{loud: loudness.New(), limiter: rateLimiter{frame: m.room.engine.minFrame}}
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
		if packet.Unmarshal(b[:n]) != nil || len(packet.Payload) == 0 {
			continue
		}
		if plain := packet.PayloadType == m.payload; !plain && (m.red == 0 || packet.PayloadType != m.red) || !m.claim(number) {
			continue
		}
		m.take(&packet, &in)
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
