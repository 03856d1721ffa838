package lite

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"sync"
	"time"

	"github.com/earshot-audio/earshot/internal/sdp"
	"github.com/earshot-audio/earshot/internal/srtp"
)

const (
	// maxAddresses is how many addresses a peer may be reached from at a time:
	// a browser checks from every interface that it has.
	maxAddresses = 4
	// silentAddress is how long the chosen address may go without a check until
	// any other with one is chosen: two check intervals.
	silentAddress = 5 * time.Second
)

// PeerEvents is what the owner of a peer is told, from the goroutines that call
// Handle and Tick and from handshakes; one call at a time for each peer, Ready
// first and Closed last. They have to be quick, and may call Peer.Close.
type PeerEvents interface {
	// Ready: the keys are there. Packets sealed with s go to the address. From
	// now on s belongs to the owner.
	Ready(p *Peer, to netip.AddrPort, s *srtp.Sealer)
	// Moved: the peer is to be reached there from now on.
	Moved(p *Peer, to netip.AddrPort)
	// RTCP: an authentic compound packet came. It is valid during the call.
	RTCP(p *Peer, packet []byte, now time.Time)
	// Closed: the peer is gone and forgotten: ErrPeerClosed, ErrConsent or the
	// failure of its handshake. It is not called after Close.
	Closed(p *Peer, reason error)
}

// PeerConfig says who a peer is.
type PeerConfig struct {
	Local       sdp.Credentials // of the SDP answer
	Remote      sdp.Credentials // of the SDP offer; the password may be empty
	Fingerprint sdp.Fingerprint // of the SDP offer
	Events      PeerEvents
}

func (c *PeerConfig) validate() error {
	if err := c.Local.Validate(); err != nil {
		return fmt.Errorf("local credentials: %w", err)
	}
	if n := len(c.Remote.Ufrag); n < 4 || n > 256 {
		return fmt.Errorf("the peer's ice-ufrag has %d characters, 4 to 256 are allowed", n)
	}
	if _, err := sdp.ParseFingerprint(string(c.Fingerprint)); err != nil {
		return err
	}
	if c.Events == nil {
		return errors.New("a peer needs an owner for its events")
	}
	return nil
}

// Peer is one listener of a server. All methods may be called from any
// goroutine.
type Peer struct {
	server  *Server
	cfg     PeerConfig
	removed bool             // guarded by server.mu
	bound   []netip.AddrPort // guarded by server.mu; the oldest first

	mu       sync.Mutex
	closed   bool
	addr     netip.AddrPort // where it is to be reached
	addrSeen time.Time      // the last check from there
	lastSeen time.Time      // the last check at all
	shaking  *shaking       // while a handshake runs
	after    *afterlife     // once it is done
	opener   *srtp.Opener

	events    sync.Mutex // held during callbacks
	announced netip.AddrPort
}

// shaking is a handshake that runs.
type shaking struct {
	pipe   *pipe
	since  time.Time
	cancel context.CancelFunc
}

// LastSeen is when the last authenticated check came; before the first, when
// the peer was added.
func (p *Peer) LastSeen() time.Time {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.lastSeen
}

// Addr is where the peer is to be reached; invalid before the first check.
func (p *Peer) Addr() netip.AddrPort {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.addr
}

// Local gives the credentials that the peer knows the server by.
func (p *Peer) Local() sdp.Credentials { return p.cfg.Local }

// checked takes note of an authenticated check. The address is the one that the
// controlling side nominates last (RFC 8445 section 8.1.1; RFC 8863 for one that
// nominates again), or any that checks if that one has fallen silent.
func (p *Peer) checked(from netip.AddrPort, nominated bool, now time.Time) {
	p.mu.Lock()
	if p.closed {
		p.mu.Unlock()
		return
	}
	if now.After(p.lastSeen) {
		p.lastSeen = now
	}
	moved := false
	switch {
	case from == p.addr:
		p.addrSeen = now
	case nominated, !p.addr.IsValid(), now.Sub(p.addrSeen) > silentAddress:
		moved = p.after != nil
		p.addr, p.addrSeen = from, now
	}
	p.mu.Unlock()
	if moved {
		p.announce(nil)
	}
}

// announce tells the owner where the peer is; with a sealer, for the first time.
func (p *Peer) announce(s *srtp.Sealer) {
	p.events.Lock()
	defer p.events.Unlock()
	p.mu.Lock()
	to, closed := p.addr, p.closed
	p.mu.Unlock()
	switch {
	case closed:
	case s != nil:
		p.announced = to
		p.cfg.Events.Ready(p, to, s)
	case p.announced.IsValid() && p.announced != to:
		p.announced = to
		p.cfg.Events.Moved(p, to)
	}
}

func (p *Peer) handleDTLS(b []byte, now time.Time, reply Sender) {
	p.mu.Lock()
	switch {
	case p.closed:
	case p.after != nil:
		closed, answer := p.after.handle(b, now)
		to := p.addr
		p.mu.Unlock()
		if len(answer) > 0 {
			reply.Send(answer, to)
		}
		if closed {
			p.end(ErrPeerClosed)
		}
		return
	case p.shaking != nil:
		p.shaking.pipe.put(b)
	case isHello(b):
		p.shake(b, now)
	}
	p.mu.Unlock()
}

// shake begins a handshake with its first datagram. p.mu is held.
func (p *Peer) shake(first []byte, now time.Time) {
	s := p.server
	pipe := newPipe(false, s.cfg.Limit, func(b []byte) { s.cfg.Send.Send(b, p.Addr()) })
	pipe.put(first)
	ctx, cancel := context.WithCancel(s.ctx)
	h := handshake{pipe: pipe, terms: s.terms, fingerprint: p.cfg.Fingerprint, limit: s.cfg.Limit}
	begun := s.begin(func() {
		defer cancel()
		if err := p.secure(h.run(ctx)); err != nil {
			p.end(err)
		}
	})
	if !begun {
		cancel()
		return
	}
	p.shaking = &shaking{pipe: pipe, since: now, cancel: cancel}
}

// secure takes over what the handshake left.
func (p *Peer) secure(s *session, err error) error {
	if err != nil {
		return err
	}
	k := &s.keys
	sealer, err := srtp.NewSealer(k.Profile, k.LocalKey, k.LocalSalt)
	if err != nil {
		return err
	}
	opener, err := srtp.NewRTCPOpener(k.Profile, k.RemoteKey, k.RemoteSalt)
	if err != nil {
		return err
	}
	p.mu.Lock()
	if p.closed {
		p.mu.Unlock()
		return nil
	}
	rest, now := p.shaking.pipe.drain(), p.lastSeen
	p.shaking, p.after, p.opener = nil, s.after, opener
	p.mu.Unlock()
	p.announce(sealer)
	for _, b := range rest {
		p.handleDTLS(b, now, p.server.cfg.Send)
	}
	if s.closed {
		return ErrPeerClosed
	}
	return nil
}

func (p *Peer) handleRTCP(b []byte, now time.Time) {
	p.mu.Lock()
	if p.closed || p.opener == nil {
		p.mu.Unlock()
		return
	}
	plain, err := p.opener.OpenRTCP(b)
	if err == nil {
		p.after.arrived() // it has keys, so it has our last flight
	}
	p.mu.Unlock()
	if err != nil {
		p.server.unauthentic.Add(1)
		return
	}
	p.events.Lock()
	defer p.events.Unlock()
	if p.announced.IsValid() && !p.isClosed() {
		p.cfg.Events.RTCP(p, plain, now)
	}
}

func (p *Peer) isClosed() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.closed
}

// overdue says why a peer's time is up, if it is.
func (p *Peer) overdue(now time.Time) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case now.Sub(p.lastSeen) > p.server.cfg.Consent:
		return ErrConsent
	case p.shaking != nil && now.Sub(p.shaking.since) > p.server.cfg.HandshakeTimeout:
		return ErrHandshakeTimeout
	}
	return nil
}

// end forgets the peer and tells its owner.
func (p *Peer) end(reason error) {
	if !p.server.remove(p) {
		return
	}
	p.stop(reason != ErrPeerClosed)
	p.events.Lock()
	defer p.events.Unlock()
	p.cfg.Events.Closed(p, reason)
}

// Close forgets the peer and tells it so with a close_notify, if there is a
// session; it is lost like any datagram may be. A callback that has begun may
// still be running when Close returns, and so may Closed, if the peer was at its
// end already.
func (p *Peer) Close() {
	if p.server.remove(p) {
		p.stop(true)
	}
}

// stop ends everything of the peer that runs.
func (p *Peer) stop(notify bool) {
	p.mu.Lock()
	p.closed = true
	if p.shaking != nil {
		p.shaking.cancel()
		p.shaking = nil
	}
	var alert []byte
	if notify && p.after != nil {
		alert = p.after.closeNotify()
	}
	to := p.addr
	p.mu.Unlock()
	if alert != nil {
		p.server.cfg.Send.Send(alert, to)
	}
}
