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
	*connection
	talker  uint32
	payload uint8 // the payload type of Opus
	level   uint8 // the id of the loudness extension, 0: none
	hall    *fanout.Mic
	// tracks counts the sources that the client has had, and source is the one
	// that is heard, by that count; 0: none yet.
	tracks atomic.Int64
	source atomic.Int64
}

// newMic answers an offer.
func newMic(ctx context.Context, r *MediaRoom, talker uint32, o *sdp.Offer) (*Mic, error) {
	c, err := connect(r, o, r.engine.mics)
	if err != nil {
		return nil, err
	}
	voice := o.Active()[0]
	m := &Mic{connection: c, talker: talker, payload: uint8(voice.Opus), level: voice.AudioLevel}
	if err := m.start(ctx); err != nil {
		c.end(err)
		<-c.finished
		return nil, err
	}
	return m, nil
}

func (m *Mic) start(ctx context.Context) error {
	m.pc.OnTrack(func(t *webrtc.TrackRemote, r *webrtc.RTPReceiver) {
		m.read(func() { m.listen(t, m.tracks.Add(1)) })
		m.read(func() {
			m.drain(func(b []byte) error {
				_, _, err := r.Read(b)
				return err
			})
		})
	})
	if err := m.negotiate(ctx, func() []sdp.Source { return nil }); err != nil {
		return err
	}
	hall, err := m.room.hall.AddMic(m.talker)
	switch {
	case errors.Is(err, fanout.ErrClosed):
		return fmt.Errorf("room: %w", ErrClosed)
	case err != nil:
		return err
	}
	m.mu.Lock()
	m.hall, m.detach = hall, hall.Close
	m.mu.Unlock()
	return m.admit()
}

// Detach implements Session.
func (m *Mic) Detach() {
	m.mu.Lock()
	hall := m.hall
	m.mu.Unlock()
	hall.Close()
}

// listen passes a track's packets on until the connection ends, or until the
// client sends Opus on a later track.
func (m *Mic) listen(t *webrtc.TrackRemote, number int64) {
	meter := newMeter()
	pace := pace{frame: m.room.engine.shortest}
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
		if !m.takesOver(number) {
			continue
		}
		now := m.room.engine.now()
		if !pace.allows(now) {
			m.room.engine.excess.Add(1)
			continue
		}
		m.hear(&packet, meter, now)
	}
}

// takesOver says whether a track is the one to be heard: the latest that sent
// anything.
func (m *Mic) takesOver(number int64) bool {
	for {
		heard := m.source.Load()
		switch {
		case heard == number:
			return true
		case heard > number:
			return false
		case m.source.CompareAndSwap(heard, number):
			m.hall.Restart()
			return true
		}
	}
}

// hear measures a packet that came at a time and gives it to the hall.
func (m *Mic) hear(p *rtp.Packet, meter *meter, at time.Time) {
	f := fanout.Frame{
		Seq:       p.SequenceNumber,
		Timestamp: p.Timestamp,
		Marker:    p.Marker,
		Payload:   append([]byte(nil), p.Payload...),
		Arrived:   at,
	}
	var level rtp.AudioLevelExtension
	if m.level != 0 && level.Unmarshal(p.GetExtension(m.level)) == nil {
		f.Level, f.Voice = level.Level, level.Voice
	} else {
		f.Level = meter.measure(f.Payload)
		f.Voice = f.Level < voiceLevel
	}
	m.packets.Add(1)
	m.bytes.Add(uint64(len(f.Payload)))
	m.hall.Push(f)
}
