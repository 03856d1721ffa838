package client

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pion/rtp"
	"github.com/pion/webrtc/v4"

	"github.com/earshot-audio/earshot/internal/red"
	"github.com/earshot-audio/earshot/internal/sdp"
	"github.com/earshot-audio/earshot/loadgen/feedback"
	"github.com/earshot-audio/earshot/loadgen/ledger"
	"github.com/earshot-audio/earshot/loadgen/netem"
	"github.com/earshot-audio/earshot/loadgen/network"
	"github.com/earshot-audio/earshot/loadgen/timebase"
)

// A Probe is a listener with a whole Pion peer connection, so that measurements do not
// rest on the crowd's own endpoint alone. It implements [Subscriber].
//
// Close ends it and waits for its readers. Each section's packets are delivered by one
// goroutine.
type Probe struct {
	pc      *webrtc.PeerConnection
	times   *receiveTimes
	clock   *timebase.Clock
	deliver PacketFunc
	gated
	delayed QueueDelayFunc
	nacks   *feedback.NACKTracker // only if it asks for lost packets
	own     uint32                // the SSRC of its NACKs

	connected   chan struct{}
	connectOnce sync.Once
	at          time.Duration // when the DTLS handshake was complete
	ice         atomic.Int64  // when ICE was, as a time.Duration; 0: not yet
	failed      chan struct{}
	failOnce    sync.Once

	unstamped atomic.Uint64 // packets whose receive time was lost
	readers   sync.WaitGroup
	closing   sync.Mutex
	closed    bool
}

// NewProbe makes a probe that offers to receive the given number of voices. With an
// impairment its packets go through the emulated network. It offers to repair what is lost.
func (s *PionFactory) NewProbe(sections int, l *netem.Impairment, repair network.Repair, hear PacketFunc) (*Probe, error) {
	pc, arrived, err := s.newConnection(network.UDP, l, repair, sdp.OpusParameters)
	if err != nil {
		return nil, err
	}
	e := &Probe{
		pc: pc, times: arrived, clock: s.clock, deliver: hear, delayed: s.delayed,
		connected: make(chan struct{}), failed: make(chan struct{}),
	}
	if repair.NACK() {
		e.nacks, e.own = feedback.NewNACKTracker(s.recovery), rand.Uint32()|1
	}
	for range sections {
		if err := addReceiver(pc); err != nil {
			return nil, errors.Join(err, pc.Close())
		}
	}
	pc.OnTrack(e.readTrack)
	pc.OnICEConnectionStateChange(func(state webrtc.ICEConnectionState) {
		if state == webrtc.ICEConnectionStateConnected {
			e.ice.CompareAndSwap(0, int64(e.clock.Now()))
		}
	})
	pc.OnConnectionStateChange(func(state webrtc.PeerConnectionState) {
		if state == webrtc.PeerConnectionStateFailed || state == webrtc.PeerConnectionStateClosed {
			e.failOnce.Do(func() { close(e.failed) })
		}
	})
	return e, nil
}

// Offer implements Subscriber.
func (e *Probe) Offer(ctx context.Context) (string, error) { return offer(ctx, e.pc) }

// OfferAgain implements Subscriber.
func (e *Probe) OfferAgain(ctx context.Context, more int) (string, error) {
	for range more {
		if err := addReceiver(e.pc); err != nil {
			return "", err
		}
	}
	return offer(ctx, e.pc)
}

// addReceiver adds a section that receives.
func addReceiver(pc *webrtc.PeerConnection) error {
	if _, err := pc.AddTransceiverFromKind(webrtc.RTPCodecTypeAudio, webrtc.RTPTransceiverInit{
		Direction: webrtc.RTPTransceiverDirectionRecvonly,
	}); err != nil {
		return fmt.Errorf("add a section: %w", err)
	}
	return nil
}

// AcceptAgain implements Subscriber.
func (e *Probe) AcceptAgain(answer string) error { return accept(e.pc, answer) }

// AddCandidate implements Subscriber.
func (e *Probe) AddCandidate(attribute string) error {
	return e.pc.AddICECandidate(webrtc.ICECandidateInit{Candidate: attribute})
}

// Answer implements Subscriber.
func (e *Probe) Answer(ctx context.Context, offer string) (string, error) {
	if err := e.pc.SetRemoteDescription(webrtc.SessionDescription{Type: webrtc.SDPTypeOffer, SDP: offer}); err != nil {
		return "", fmt.Errorf("take the server's offer: %w", err)
	}
	e.watchDTLS()
	gathered := webrtc.GatheringCompletePromise(e.pc)
	a, err := e.pc.CreateAnswer(nil)
	if err != nil {
		return "", fmt.Errorf("answer the server's offer: %w", err)
	}
	if err := e.pc.SetLocalDescription(a); err != nil {
		return "", fmt.Errorf("answer the server's offer: %w", err)
	}
	select {
	case <-gathered:
		return e.pc.LocalDescription().SDP, nil
	case <-ctx.Done():
		return "", fmt.Errorf("gather candidates: %w", ctx.Err())
	}
}

// Accept implements Subscriber.
func (e *Probe) Accept(answer string) error {
	e.watchDTLS()
	return accept(e.pc, answer)
}

// watchDTLS records when the DTLS handshake is complete.
func (e *Probe) watchDTLS() {
	// Sections are bundled: they share one DTLS transport.
	if all := e.pc.GetTransceivers(); len(all) > 0 {
		all[0].Receiver().Transport().OnStateChange(func(state webrtc.DTLSTransportState) {
			if state == webrtc.DTLSTransportStateConnected {
				e.connectOnce.Do(func() {
					e.at = e.clock.Now()
					close(e.connected)
				})
			}
		})
	}
}

// Wait implements Subscriber.
func (e *Probe) Wait(ctx context.Context) (Connected, error) {
	select {
	case <-e.connected:
		// The callback for ICE may come after that for DTLS, which cannot be first.
		return Connected{ICE: min(cmp.Or(time.Duration(e.ice.Load()), e.at), e.at), DTLS: e.at}, nil
	case <-e.failed:
		return Connected{ICE: time.Duration(e.ice.Load())}, stalledPion(e.pc, network.UDP, "", e.ice.Load() != 0, errConnection)
	case <-ctx.Done():
		return Connected{ICE: time.Duration(e.ice.Load())}, stalledPion(e.pc, network.UDP, "", e.ice.Load() != 0, ctx.Err())
	}
}

// readTrack reads one section until the connection closes.
func (e *Probe) readTrack(track *webrtc.TrackRemote, receiver *webrtc.RTPReceiver) {
	section := slices.IndexFunc(e.pc.GetTransceivers(), func(t *webrtc.RTPTransceiver) bool {
		return t.Receiver() == receiver
	})
	e.closing.Lock()
	if e.closed || section < 0 {
		e.closing.Unlock()
		return
	}
	e.readers.Add(1)
	e.closing.Unlock()
	defer e.readers.Done()

	buffer := make([]byte, 1500)
	var header rtp.Header
	var copies redundancy
	var redundant sdp.PayloadTypes
	for _, codec := range receiver.GetParameters().Codecs {
		if codec.MimeType == red.MIMEType {
			redundant.Add(uint8(codec.PayloadType))
		}
	}
	for {
		n, _, err := track.Read(buffer)
		if errors.Is(err, io.ErrShortBuffer) {
			continue
		}
		if err != nil {
			return
		}
		size, err := header.Unmarshal(buffer[:n])
		if err != nil {
			continue
		}
		now := e.clock.Now()
		at, ok := e.times.find(header.SSRC, header.SequenceNumber)
		if !ok {
			at = now
			e.unstamped.Add(1)
		}
		p := ledger.Packet{
			Section: section, Sequence: header.SequenceNumber, Timestamp: header.Timestamp,
			Payload: payload(&header, buffer[size:n]), At: at, Unstamped: !ok, Talker: header.SSRC,
		}
		if len(header.CSRC) > 0 {
			p.Talker = header.CSRC[0]
		}
		if redundant.Has(header.PayloadType) {
			copies.split(&p)
		}
		if len(p.Payload) > 0 {
			e.delayed(now-at, 1)
			e.pass(p, e.deliver)
		}
		if e.nacks != nil && asksAgain(track) {
			if sequences := e.nacks.Receive(section, header.SSRC, p.Sequence, now); len(sequences) > 0 {
				_ = e.pc.WriteRTCP(feedback.NACK(e.own, header.SSRC, sequences)) // it fails only with the connection
			}
		}
	}
}

// asksAgain reports whether the server retransmits a track's lost packets.
func asksAgain(track *webrtc.TrackRemote) bool {
	return slices.Contains(track.Codec().RTCPFeedback, webrtc.RTCPFeedback{Type: webrtc.TypeRTCPFBNACK})
}

// payload returns a packet's payload without padding (RFC 3550, section 5.1).
func payload(header *rtp.Header, body []byte) []byte {
	if header.Padding && len(body) > 0 {
		if padding := int(body[len(body)-1]); padding <= len(body) {
			return body[:len(body)-padding]
		}
	}
	return body
}

// Losses implements Subscriber.
func (e *Probe) Losses() (dropped, unstamped uint64) {
	return e.times.dropped.Load(), e.unstamped.Load()
}

// Close closes the connection and waits for its readers.
func (e *Probe) Close() error {
	e.closing.Lock()
	e.closed = true
	e.closing.Unlock()
	err := e.pc.Close()
	e.readers.Wait()
	return err
}
