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
	"github.com/earshot-audio/earshot/room/fanout"
)

// errNoRoom says that a packet is longer than a batch.
var errNoRoom = errors.New("packet is too long to be sent")

// lean is the link of an ear without a PeerConnection. It is a handful of
// values for each listener and no goroutine: what comes from the client is
// handled by the goroutine that reads the port, and what goes to it is sealed
// into the outbox of the shard that the hall gave the ear to.
type lean struct {
	ear   *Ear
	name  string    // the CNAME
	asked time.Time // when its offer came

	// From here on, up to the mailbox, all belongs to the shard once the hall
	// has the ear.
	to     netip.AddrPort
	sealer *srtp.Sealer
	voices []voice

	packets atomic.Uint64
	bytes   atomic.Uint64

	// mail says that there is something in the mailbox, which the lock guards.
	mail  atomic.Bool
	mu    sync.Mutex
	moved netip.AddrPort
	// missed and read are what the client asks for again, and the memory of
	// what it asked for before.
	missed, read []asked
	peer         *lite.Peer
}

// newLiteServer makes what the lean ears' connections run on.
func (e *Engine) newLiteServer() (*lite.Server, error) {
	certificate, err := lite.CertificateFrom(e.certificate)
	if err != nil {
		return nil, err
	}
	e.fingerprint = certificate.Fingerprint()
	return lite.NewServer(lite.ServerConfig{
		Certificate: certificate,
		Send: lite.SenderFunc(func(b []byte, to netip.AddrPort) {
			e.flights.note(b, to, e.now())
			if err := e.port.write(b, to); err != nil {
				e.log.Debug("send to an ear", "error", err)
			}
		}),
		Consent: e.consent, HandshakeTimeout: e.consent,
	})
}

// newOutbox makes the outbox of a shard of a room.
func (e *Engine) newOutbox(shard int) fanout.Outbox {
	return &outbox{writer: e.port.of(shard), spare: &e.port.spare, clock: e.now}
}

// hostCandidates lists the addresses that clients can reach the port at.
func (e *Engine) hostCandidates() []string {
	if e.advertise.IsValid() {
		return []string{sdp.HostCandidate(0, netip.AddrPortFrom(e.advertise, e.addr.Port()))}
	}
	var list []string
	for _, a := range e.mux.GetListenAddresses() {
		if at, err := netip.ParseAddrPort(a.String()); err == nil && at.Addr().Zone() == "" {
			at = netip.AddrPortFrom(at.Addr().Unmap(), at.Port())
			list = append(list, sdp.HostCandidate(len(list), at))
		}
	}
	return list
}

// newLeanEar answers an offer.
func newLeanEar(ctx context.Context, r *MediaRoom, owner uint32, o *sdp.Offer) (*Ear, error) {
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("make the answer: %w", err)
	}
	if len(r.engine.candidates) == 0 {
		return nil, errNoAddress
	}
	active := o.Active()
	l := &lean{name: rand.Text(), asked: r.engine.now(), voices: make([]voice, len(active))}
	for i := range active {
		l.voices[i] = voice{ssrc: l.newSSRC(), payload: uint8(active[i].Opus), level: active[i].AudioLevel, asks: active[i].NACK}
	}
	local := sdp.NewCredentials()
	e := &Ear{session: newSession(r, o, l), sections: len(active), mouth: l, owner: owner}
	l.ear, e.detach = e, e.unsubscribe
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
	r.engine.await(e.session)
	if err := r.add(e.session); err != nil {
		e.end(err)
		<-e.finished
		return nil, err
	}
	return e, nil
}

// newSSRC makes a source that no other voice of the ear has.
func (l *lean) newSSRC() uint32 {
	for {
		var b [4]byte
		_, _ = rand.Read(b[:]) // never fails
		ssrc := binary.BigEndian.Uint32(b[:])
		if ssrc != 0 && !slices.ContainsFunc(l.voices, func(v voice) bool { return v.ssrc == ssrc }) {
			return ssrc
		}
	}
}

// sources tells what the answer says of the sections that this side sends in.
// The names are the same for everybody, but for the CNAME, which is random
// (RFC 7022).
func (l *lean) sources() []sdp.Source {
	list := make([]sdp.Source, len(l.voices))
	for i := range l.voices {
		list[i] = sdp.Source{SSRC: l.voices[i].ssrc, CNAME: l.name, Stream: streamName, Track: voiceName(i)}
	}
	return list
}

// stats implements link.
func (l *lean) stats(st *Stats) {
	st.Packets, st.Bytes = l.packets.Load(), l.bytes.Load()
	if peer := l.getPeer(); peer != nil && peer.Addr().IsValid() {
		st.LastCheck = peer.LastSeen()
	}
}

func (l *lean) getPeer() *lite.Peer {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.peer
}

// disconnect implements link.
func (l *lean) disconnect(finish func(error)) {
	l.ear.room.engine.unawait(l.ear.session)
	if peer := l.getPeer(); peer != nil {
		peer.Close()
	}
	finish(nil)
}

// Ready implements lite.PeerEvents.
func (l *lean) Ready(_ *lite.Peer, to netip.AddrPort, s *srtp.Sealer) {
	e := l.ear.room.engine
	up := e.flights.last(to, l.asked)
	if up.IsZero() {
		up = e.now()
	}
	for i := range l.voices {
		v := &l.voices[i]
		if err := s.Stream(&v.stream, v.ssrc); err != nil {
			e.log.Error("open a stream", "error", err) // the sources differ: it can't be
			return
		}
		if v.asks {
			v.stream.Remember()
		}
	}
	l.to, l.sealer = to, s
	e.unawait(l.ear.session)
	l.ear.connected.Store(true)
	l.ear.subscribe(up)
}

// Moved implements lite.PeerEvents.
func (l *lean) Moved(_ *lite.Peer, to netip.AddrPort) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.moved = to
	l.mail.Store(true)
}

// RTCP implements lite.PeerEvents.
func (l *lean) RTCP(_ *lite.Peer, compound []byte, _ time.Time) {
	l.ear.reports.Add(1)
	l.note(compound)
}

// Closed implements lite.PeerEvents. To take the ear out of the hall takes until
// its shard is done with a packet, and the port must not wait for that.
func (l *lean) Closed(_ *lite.Peer, reason error) {
	go l.ear.end(whyClosed(reason, l.ear.connected.Load()))
}

// whyClosed says the reason of a lean connection's end in a session's terms.
func whyClosed(reason error, connected bool) error {
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

// readMail takes over what came in for the shard.
func (l *lean) readMail(o *outbox, sending *fanout.Packet) {
	l.mu.Lock()
	l.mail.Store(false)
	if l.moved.IsValid() {
		l.to = l.moved
	}
	l.missed, l.read = l.read[:0], l.missed
	l.mu.Unlock()
	l.resend(o, sending, l.read)
}

// Send implements fanout.Ear: it seals a packet into the shard's outbox.
func (l *lean) Send(out fanout.Outbox, section int, p fanout.Packet) error {
	o, v := out.(*outbox), &l.voices[section]
	if l.mail.Load() {
		l.readMail(o, &p)
	}
	room := o.take(v.headerSize() + len(p.Payload) + l.sealer.Overhead())
	if room == nil {
		return errNoRoom
	}
	if !v.begun {
		v.begin(&p, o.now)
	}
	sealed, err := v.stream.Seal(room[:0], v.header(room, &p), p.Payload)
	if err != nil {
		return err
	}
	o.put(sealed, l.to, l, len(p.Payload))
	l.packets.Add(1)
	l.bytes.Add(uint64(len(p.Payload)))
	v.packets++
	v.octets += uint32(len(p.Payload))
	if o.nanos > v.due {
		l.report(o, v, &p)
	}
	return nil
}

// report puts a sender report into the outbox. Only a section that sends
// reports (RFC 3550 section 6.4), so that it needs no timer of its own.
func (l *lean) report(o *outbox, v *voice, p *fanout.Packet) {
	v.due = o.now.Add(reportEvery).UnixNano()
	var scratch [reportSize]byte
	r := v.report(p, o.now, l.name)
	plain := r.append(scratch[:0])
	room := o.take(len(plain) + l.sealer.OverheadRTCP())
	if sealed, err := l.sealer.SealRTCP(room[:0], plain); err == nil {
		o.put(sealed, l.to, nil, 0)
	}
}

// await notes that an ear's client is to come, and unawait that it has, or that
// nobody waits any more.
func (e *Engine) await(s *session) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.awaited[s] = struct{}{}
}

func (e *Engine) unawait(s *session) {
	e.mu.Lock()
	defer e.mu.Unlock()
	delete(e.awaited, s)
}
