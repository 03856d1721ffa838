package client

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pion/rtp"
	"github.com/pion/webrtc/v4"

	"github.com/earshot-audio/earshot/internal/red"
	"github.com/earshot-audio/earshot/internal/sdp"
	"github.com/earshot-audio/earshot/loadgen/feedback"
	"github.com/earshot-audio/earshot/loadgen/netem"
	"github.com/earshot-audio/earshot/loadgen/network"
	"github.com/earshot-audio/earshot/loadgen/speech"
	"github.com/earshot-audio/earshot/loadgen/timebase"
)

// A Publisher is a speaker's client: a send-only Pion peer connection. One goroutine at
// a time may call Send.
type Publisher struct {
	pc    *webrtc.PeerConnection
	track *opusTrack
	via   network.Transport
	turn  string // the TURN server that it goes by, if it does

	clock       *timebase.Clock
	lost        atomic.Int64 // when the connection was lost, on the clock; 0 while there is one
	accepted    atomic.Int64 // when the answer was there, on the clock
	ice         atomic.Int64 // when ICE was complete; 0 until it is
	connected   chan struct{}
	connectOnce sync.Once
	failed      chan struct{}
	failOnce    sync.Once
	rtcpReader  sync.WaitGroup // reads the sender's RTCP
}

// NewPublisher makes a publisher, behind an emulated network unless l is nil. It offers to
// repair what is lost, and does so if the server takes the offer. dtx means that it sends nothing
// at times, and the offer says so: to the server that is a wish (RFC 7587, section 6.1), to a
// driver the fact.
func (s *PionFactory) NewPublisher(via network.Transport, l *netem.Impairment, repair network.Repair, dtx bool, doubt feedback.LossDoubtFunc) (*Publisher, error) {
	opus := sdp.OpusParameters
	if dtx {
		opus += sdp.OpusDTX
	}
	pc, _, err := s.newConnection(via, l, repair, opus)
	if err != nil {
		return nil, err
	}
	m := &Publisher{pc: pc, via: via, clock: s.clock, track: &opusTrack{}, connected: make(chan struct{}), failed: make(chan struct{})}
	if via.Relayed() {
		m.turn, _ = s.turn.Server(via) // there is one: newConnection has looked
	}
	m.track.report = feedback.NewUpstreamReports(doubt, s.clock.Now())
	transceiver, err := pc.AddTransceiverFromTrack(m.track, webrtc.RTPTransceiverInit{
		Direction: webrtc.RTPTransceiverDirectionSendonly,
	})
	if err != nil {
		return nil, errors.Join(fmt.Errorf("add a track: %w", err), pc.Close())
	}
	pc.OnICEConnectionStateChange(func(state webrtc.ICEConnectionState) {
		if state == webrtc.ICEConnectionStateConnected {
			m.ice.CompareAndSwap(0, int64(m.clock.Now()))
		}
	})
	pc.OnConnectionStateChange(func(state webrtc.PeerConnectionState) {
		switch state {
		case webrtc.PeerConnectionStateConnected:
			m.lost.Store(0)
		case webrtc.PeerConnectionStateDisconnected, webrtc.PeerConnectionStateFailed, webrtc.PeerConnectionStateClosed:
			m.lost.CompareAndSwap(0, int64(m.clock.Now()))
		}
		switch state {
		case webrtc.PeerConnectionStateConnected:
			m.connectOnce.Do(func() { close(m.connected) })
		case webrtc.PeerConnectionStateFailed, webrtc.PeerConnectionStateClosed:
			m.failOnce.Do(func() { close(m.failed) })
		}
	})
	// Pion's interceptors see RTCP only while somebody reads it.
	m.rtcpReader.Go(func() {
		b := make([]byte, 1500)
		for {
			n, _, err := transceiver.Sender().Read(b)
			if err != nil {
				return
			}
			m.track.reported(b[:n], s.clock.Now())
		}
	})
	return m, nil
}

// Send sends a frame of a clip. marker means that it is the first of a talkspurt (RFC
// 3551, section 4.1).
func (m *Publisher) Send(f *speech.Frame, sequence uint16, timestamp uint32, marker bool) error {
	return m.track.send(f, sequence, timestamp, marker)
}

// SentLate enters that a frame went out so late that it is in doubt whose fault its loss is.
func (m *Publisher) SentLate() { m.track.report.Late(m.clock.Now()) }

// Offer returns an offer with all candidates.
func (m *Publisher) Offer(ctx context.Context) (string, error) { return offer(ctx, m.pc) }

// Accept sets the server's answer and connects in the background.
func (m *Publisher) Accept(answer string) error {
	m.accepted.CompareAndSwap(0, int64(m.clock.Now()))
	return accept(m.pc, answer)
}

// OwnWait returns how long a publisher that is connected may have waited for a timer of Pion's
// (see nominator) instead of the server, at most: over TCP and by a TURN server, at one that is
// ICE-lite.
func (m *Publisher) OwnWait() time.Duration {
	if m.via == network.UDP || !isLite(m.pc) {
		return 0
	}
	return min(pionCheckInterval, max(0, time.Duration(m.ice.Load()-m.accepted.Load())))
}

// AddCandidate adds a candidate that the answer did not have, as an attribute.
func (m *Publisher) AddCandidate(attribute string) error {
	return m.pc.AddICECandidate(webrtc.ICECandidateInit{Candidate: attribute})
}

// Wait waits until the publisher can send.
func (m *Publisher) Wait(ctx context.Context) error {
	select {
	case <-m.connected:
		return nil
	case <-m.failed:
		return stalledPion(m.pc, m.via, m.turn, m.ice.Load() != 0, errConnection)
	case <-ctx.Done():
		return stalledPion(m.pc, m.via, m.turn, m.ice.Load() != 0, ctx.Err())
	}
}

// Lost returns when the server ended the connection, or was last known to be there, and
// whether it did. Without a word from the server that is known after [PatienceOfMics].
func (m *Publisher) Lost() (time.Duration, bool) {
	at := time.Duration(m.lost.Load())
	return at, at != 0
}

// PatienceOfMics is for how long the server may be silent before a mic's connection counts
// as lost.
const PatienceOfMics = disconnectedAfter

// RTT returns the mean round trip of the connectivity checks, and how many there were.
func (m *Publisher) RTT() (mean time.Duration, checks uint64) {
	for _, sender := range m.pc.GetSenders() {
		stats, ok := sender.Transport().ICETransport().GetSelectedCandidatePairStats()
		if ok && stats.ResponsesReceived > 0 {
			checks = uint64(stats.ResponsesReceived)
			return time.Duration(stats.TotalRoundTripTime / float64(checks) * float64(time.Second)), checks
		}
	}
	return 0, 0
}

// Upstream returns what the server says to have received.
func (m *Publisher) Upstream() feedback.Upstream { return m.track.upstream() }

// EndUpstream ends what Upstream is about, and returns the reports, which outlive the publisher.
func (m *Publisher) EndUpstream() *feedback.UpstreamReports {
	m.track.report.End()
	return m.track.report
}

// Close closes the connection and waits for its reader.
func (m *Publisher) Close() error {
	err := m.pc.Close()
	m.rtcpReader.Wait()
	return err
}

// An opusTrack sends frames of a clip as RTP, with their audio level if the server
// negotiated it (RFC 6464).
type opusTrack struct {
	binding atomic.Pointer[trackBinding]
	report  *feedback.UpstreamReports
	last    sentFrame
	payload []byte // of the last packet with redundant audio
}

// A sentFrame is the frame that was sent last.
type sentFrame struct {
	frame     *speech.Frame
	sequence  uint16
	timestamp uint32
}

type trackBinding struct {
	out    webrtc.TrackLocalWriter
	ssrc   uint32
	format uint8
	red    uint8 // of redundant audio, 0: the server does not take it
	level  uint8 // id of the level's header extension, or 0
}

var errNotBound = errors.New("the mic is not connected")

// send sends a frame; see Publisher.Send.
func (v *opusTrack) send(f *speech.Frame, sequence uint16, timestamp uint32, marker bool) error {
	b := v.binding.Load()
	if b == nil {
		return errNotBound
	}
	h := rtp.Header{
		Version: 2, PayloadType: b.format, SSRC: b.ssrc, Marker: marker,
		SequenceNumber: sequence, Timestamp: timestamp,
	}
	if b.level != 0 {
		level, err := (&rtp.AudioLevelExtension{Level: f.Level, Voice: f.Voice}).Marshal()
		if err != nil {
			return fmt.Errorf("encode the audio level: %w", err)
		}
		if err := h.SetExtension(b.level, level); err != nil {
			return fmt.Errorf("encode the audio level: %w", err)
		}
	}
	payload := f.Payload
	if b.red != 0 {
		h.PayloadType, payload = b.red, v.redundant(b.format, f, sequence, timestamp)
	}
	v.last = sentFrame{f, sequence, timestamp}
	v.report.Sent(sequence)
	_, err := b.out.WriteRTP(&h, payload)
	return err
}

// redundant is the payload of a frame together with the one before it, if that fits.
func (v *opusTrack) redundant(format uint8, f *speech.Frame, sequence uint16, timestamp uint32) []byte {
	var before red.Block
	if by := timestamp - v.last.timestamp; v.last.frame != nil && v.last.sequence == sequence-1 && red.Fits(by, len(v.last.frame.Payload), len(f.Payload)) {
		before = red.Block{Offset: by, Payload: v.last.frame.Payload}
	}
	v.payload = red.Append(v.payload[:0], format, before, f.Payload)
	return v.payload
}

// reported takes a compound packet from the server.
func (v *opusTrack) reported(compound []byte, now time.Duration) {
	if b := v.binding.Load(); b != nil {
		v.report.Take(compound, b.ssrc, now)
	}
}

func (v *opusTrack) upstream() feedback.Upstream { return v.report.Upstream() }

// Bind implements webrtc.TrackLocal.
func (v *opusTrack) Bind(c webrtc.TrackLocalContext) (webrtc.RTPCodecParameters, error) {
	var redundant uint8
	for _, codec := range c.CodecParameters() {
		if codec.MimeType == red.MIMEType {
			redundant = uint8(codec.PayloadType)
		}
	}
	for _, codec := range c.CodecParameters() {
		if codec.MimeType != webrtc.MimeTypeOpus {
			continue
		}
		b := &trackBinding{out: c.WriteStream(), ssrc: uint32(c.SSRC()), format: uint8(codec.PayloadType), red: redundant}
		for _, e := range c.HeaderExtensions() {
			if e.URI == sdp.AudioLevelURI {
				b.level = uint8(e.ID)
			}
		}
		v.binding.Store(b)
		return codec, nil
	}
	return webrtc.RTPCodecParameters{}, webrtc.ErrUnsupportedCodec
}

// Unbind implements webrtc.TrackLocal.
func (v *opusTrack) Unbind(webrtc.TrackLocalContext) error {
	v.binding.Store(nil)
	return nil
}

// ID implements webrtc.TrackLocal.
func (v *opusTrack) ID() string { return "mic" }

// RID implements webrtc.TrackLocal.
func (v *opusTrack) RID() string { return "" }

// StreamID implements webrtc.TrackLocal.
func (v *opusTrack) StreamID() string { return "earshot" }

// Kind implements webrtc.TrackLocal.
func (v *opusTrack) Kind() webrtc.RTPCodecType { return webrtc.RTPCodecTypeAudio }
