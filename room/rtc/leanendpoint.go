package rtc

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/earshot-audio/earshot/internal/lite"
	"github.com/earshot-audio/earshot/internal/sdp"
	"github.com/earshot-audio/earshot/internal/srtp"
	"github.com/earshot-audio/earshot/room/mediaport"
)

// leanEndpoint is the endpoint of an ear, without a PeerConnection. It is a
// handful of values for each listener and no goroutine: what comes from the client
// is handled by the goroutine that reads the port (this file), and what goes to it
// is sealed into the batch of the ear's shard (leansend.go).
type leanEndpoint struct {
	ear    *Ear
	cname  string
	opened time.Time // when its offer came

	// From here to updated, everything belongs to the shard once the ear is
	// subscribed.
	to      netip.AddrPort
	sealer  *srtp.Sealer
	streams []outboundStream

	sent mediaport.Sent

	// updated is true if there is something for the shard in what the lock guards.
	updated atomic.Bool
	mu      sync.Mutex
	moved   netip.AddrPort
	// missed is what the client asks for again, and resending the memory of what it
	// asked for before.
	missed, resending []missedPacket
	// resends is how many packets the client may still be sent again, and paid how
	// many of those that it was sent have been counted for that.
	resends int
	paid    uint64
	peer    *lite.Peer
}

// sendForEar sends a datagram of an ear's connection.
func (e *Engine) sendForEar(b []byte, to netip.AddrPort) {
	e.handshakes.observe(b, to, e.now())
	if err := e.port.Write(b, to); err != nil {
		e.log.Debug("send to an ear", "error", err)
	}
}

// newEar answers an offer.
func newEar(ctx context.Context, r *MediaRoom, owner uint32, o *sdp.Offer) (*Ear, error) {
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("make the answer: %w", err)
	}
	if len(r.engine.candidates) == 0 {
		return nil, errNoAddress
	}
	active := o.Active()
	l := &leanEndpoint{cname: rand.Text(), opened: r.engine.now(), streams: make([]outboundStream, len(active))}
	for i := range active {
		l.streams[i] = outboundStream{ssrc: l.newSSRC(), payload: uint8(active[i].Opus), red: active[i].RED, level: active[i].AudioLevel, nack: active[i].NACK}
	}
	local := sdp.NewCredentials()
	e := &Ear{
		session:    newSession(r, o, l),
		subscriber: subscriber{router: r.router, sink: l, sections: len(active), owner: owner},
	}
	l.ear, e.stopMedia = e, e.subscriber.unsubscribe
	e.answer = o.Answer(randomUint64(), sdp.Transport{
		ICE: local, Fingerprint: r.engine.fingerprint, Candidates: r.engine.candidates,
	}, l.sources())
	// The sections of an offer point into its text, which is long.
	e.offer = &sdp.Offer{Flow: o.Flow, ICE: o.ICE, Fingerprint: o.Fingerprint}

	peer, err := r.engine.lite.Add(lite.PeerConfig{
		Local: local, Remote: o.ICE, Fingerprint: o.Fingerprint, Events: l,
	}, time.Now())
	if errors.Is(err, lite.ErrClosed) {
		return nil, fmt.Errorf("engine: %w", ErrClosed)
	} else if err != nil {
		return nil, err
	}
	l.mu.Lock()
	l.peer = peer
	l.mu.Unlock()
	r.engine.consents.addPending(e.session)
	if err := r.add(e.session); err != nil {
		e.end(err)
		<-e.finished
		return nil, err
	}
	return e, nil
}

// newSSRC makes an SSRC that no other stream of the ear has.
func (l *leanEndpoint) newSSRC() uint32 {
	for {
		var b [4]byte
		_, _ = rand.Read(b[:]) // never fails
		ssrc := binary.BigEndian.Uint32(b[:])
		if ssrc != 0 && !slices.ContainsFunc(l.streams, func(s outboundStream) bool { return s.ssrc == ssrc }) {
			return ssrc
		}
	}
}

// sources describes the streams for the answer. The names are the same for
// everybody, but for the CNAME, which is random (RFC 7022).
func (l *leanEndpoint) sources() []sdp.Source {
	list := make([]sdp.Source, len(l.streams))
	for i := range l.streams {
		list[i] = sdp.Source{SSRC: l.streams[i].ssrc, CNAME: l.cname, Stream: mediaStreamName, Track: trackName(i)}
	}
	return list
}

// stats implements endpoint.
func (l *leanEndpoint) stats(st *Stats) {
	st.Packets, st.Bytes = l.sent.Packets.Load(), l.sent.Bytes.Load()
	if peer := l.getPeer(); peer != nil && peer.Addr().IsValid() {
		st.LastCheck = peer.LastSeen()
	}
}

func (l *leanEndpoint) getPeer() *lite.Peer {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.peer
}

// restart implements endpoint.
func (l *leanEndpoint) restart(local, remote sdp.Credentials) error {
	peer := l.getPeer()
	if peer == nil {
		return ErrClosed
	}
	if err := peer.Restart(local, remote); errors.Is(err, lite.ErrClosed) {
		return ErrClosed
	} else if err != nil {
		return err
	}
	return nil
}

// disconnect implements endpoint.
func (l *leanEndpoint) disconnect(finish func(error)) {
	l.ear.room.engine.consents.removePending(l.ear.session)
	if peer := l.getPeer(); peer != nil {
		peer.Close()
	}
	finish(nil)
}

// Ready implements lite.PeerEvents.
func (l *leanEndpoint) Ready(_ *lite.Peer, to netip.AddrPort, s *srtp.Sealer) {
	e := l.ear.room.engine
	up := e.handshakes.find(to, l.opened)
	if up.IsZero() {
		up = e.now()
	}
	for i := range l.streams {
		stream := &l.streams[i]
		if err := s.Stream(&stream.stream, stream.ssrc); err != nil {
			e.log.Error("open a stream", "error", err) // can't be: the SSRCs differ
			return
		}
		if stream.nack {
			stream.stream.Remember()
		}
	}
	l.to, l.sealer = to, s
	e.consents.removePending(l.ear.session)
	l.ear.connected.Store(true)
	l.ear.subscriber.subscribe(up)
}

// Moved implements lite.PeerEvents.
func (l *leanEndpoint) Moved(_ *lite.Peer, to netip.AddrPort) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.moved = to
	l.updated.Store(true)
}

// RTCP implements lite.PeerEvents.
func (l *leanEndpoint) RTCP(_ *lite.Peer, compound []byte, _ time.Time) {
	l.ear.reports.Add(1)
	l.requestRetransmissions(compound)
}

// mayResend reports whether a client may be sent one more packet again, and counts
// it: what it asks for costs at most as much as what it gets anyway. l.mu is held.
func (l *leanEndpoint) mayResend() bool {
	sent := l.sent.Packets.Load()
	l.resends, l.paid = min(l.resends+int(sent-l.paid), maxResends), sent
	if l.resends == 0 {
		return false
	}
	l.resends--
	return true
}

// requestRetransmissions leaves what a client asks for to the shard.
func (l *leanEndpoint) requestRetransmissions(compound []byte) {
	forEachNACK(compound, func(ssrc uint32, seq uint16) {
		for i := range l.streams {
			if s := &l.streams[i]; s.ssrc == ssrc && s.nack {
				l.ear.room.engine.urgent.Add(1)
				l.mu.Lock()
				if len(l.missed) < maxMissed && l.mayResend() {
					l.missed = append(l.missed, missedPacket{i, seq})
					l.updated.Store(true)
				}
				l.mu.Unlock()
			}
		}
	})
}

// Closed implements lite.PeerEvents. To end a subscription takes until its shard
// is done with a packet, and the port must not wait for that.
func (l *leanEndpoint) Closed(_ *lite.Peer, reason error) {
	go l.ear.end(endReason(reason, l.ear.connected.Load()))
}

// endReason translates the reason of a lean connection's end into a session's.
func endReason(reason error, connected bool) error {
	switch {
	case errors.Is(reason, lite.ErrPeerClosed): // it had our last flight, whatever we know
		return ErrHangup
	case errors.Is(reason, lite.ErrConsent) && connected:
		return ErrConsentLost
	case errors.Is(reason, lite.ErrConsent), errors.Is(reason, lite.ErrHandshakeTimeout):
		return ErrNeverConnected
	}
	return ErrHandshake
}
