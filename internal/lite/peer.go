package lite

import (
	"errors"
	"fmt"
	"net/netip"
	"sync"
	"time"

	"github.com/earshot-audio/earshot/internal/dtls"
	"github.com/earshot-audio/earshot/internal/sdp"
	"github.com/earshot-audio/earshot/internal/srtp"
)

// addressTimeout is how long the chosen address may go without a check until
// any other with one is chosen: two check intervals.
const addressTimeout = 5 * time.Second

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
	server *Server
	cfg    PeerConfig
	route  route

	mu          sync.Mutex
	closed      bool
	current     path              // where it is to be reached
	next        path              // where it wants to be, or another that it has
	addrChecked time.Time         // the last check from the current address
	lastSeen    time.Time         // the last check at all
	handshake   *pendingHandshake // while a handshake runs
	dtls        *dtls.Session     // once it is done
	opener      *srtp.Opener
	sealer      *srtp.Sealer // until Ready
	held        [][]byte     // of the handshake, until the address is proven

	events    sync.Mutex // held during callbacks
	announced netip.AddrPort
}

// pendingHandshake is a handshake that runs.
type pendingHandshake struct {
	pipe  *pipe
	since time.Time
	moved bool // parts of it went to different addresses
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
	return p.current.addr
}

// announce calls Ready, if there is a sealer, or Moved, if the address changed: both
// once the address is proven.
func (p *Peer) announce(s *srtp.Sealer) {
	p.events.Lock()
	defer p.events.Unlock()
	p.mu.Lock()
	if s == nil {
		s = p.sealer
	}
	to, closed, proven := p.current.addr, p.closed, p.current.proven
	if p.sealer = nil; !proven {
		p.sealer = s
	}
	p.mu.Unlock()
	switch {
	case closed || !proven:
	case s != nil:
		p.announced = to
		p.cfg.Events.Ready(p, to, s)
	case p.announced.IsValid() && p.announced != to:
		p.announced = to
		p.cfg.Events.Moved(p, to)
	}
}

func (p *Peer) handleDTLS(b []byte, from netip.AddrPort, now time.Time, reply Sender) {
	p.mu.Lock()
	p.count(from, len(b))
	switch {
	case p.closed:
	case p.dtls != nil:
		closed, answer := p.dtls.Handle(b, now)
		p.mu.Unlock()
		if len(answer) > 0 {
			p.send(answer, reply)
		}
		if closed {
			p.end(ErrPeerClosed)
		}
		return
	case p.handshake != nil:
		p.handshake.pipe.put(b)
	case dtls.IsHello(b):
		p.startHandshake(b, now)
	}
	p.mu.Unlock()
}

// startHandshake starts a handshake with its first datagram. p.mu is held.
func (p *Peer) startHandshake(first []byte, now time.Time) {
	s := p.server
	pipe := newPipe(s.cfg.Limit, func(b []byte) { p.send(b, s.cfg.Send) })
	pipe.put(first)
	h := handshake{pipe: pipe, config: s.dtls, fingerprint: p.cfg.Fingerprint, limit: s.cfg.Limit}
	begun := s.startWorker(func() {
		if err := p.completeHandshake(h.run()); err != nil {
			p.end(err)
		}
	})
	if begun {
		p.handshake = &pendingHandshake{pipe: pipe, since: now}
	}
}

// completeHandshake takes over the result of the handshake.
func (p *Peer) completeHandshake(s *handshakeResult, err error) error {
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
	rest, now := p.handshake.pipe.drain(), p.lastSeen
	if !p.handshake.moved {
		p.current.proven = true // it has answered what went there
	}
	from := p.current.addr
	p.handshake, p.dtls, p.opener, p.held = nil, s.dtls, opener, nil
	p.mu.Unlock()
	p.announce(sealer)
	for _, b := range rest {
		p.handleDTLS(b, from, now, p.server.cfg.Send)
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
		p.dtls.ConfirmFinished() // it has keys, so it has our last flight
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

// overdue returns the reason to end the peer, if its time is up.
func (p *Peer) overdue(now time.Time) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case now.Sub(p.lastSeen) > p.server.cfg.Consent:
		return ErrConsent
	case p.handshake != nil && now.Sub(p.handshake.since) > p.server.cfg.HandshakeTimeout:
		return ErrHandshakeTimeout
	}
	return nil
}

// end forgets the peer and tells its owner.
func (p *Peer) end(reason error) {
	if !p.server.demux.remove(&p.route) {
		return
	}
	p.stop(!errors.Is(reason, ErrPeerClosed))
	p.events.Lock()
	defer p.events.Unlock()
	p.cfg.Events.Closed(p, reason)
}

// Close forgets the peer and tells it so with a close_notify, if there is a
// session; it is lost like any datagram may be. A callback that has begun may
// still be running when Close returns, and so may Closed, if the peer was at its
// end already.
func (p *Peer) Close() {
	if p.server.demux.remove(&p.route) {
		p.stop(true)
	}
}

// stop ends everything of the peer that runs.
func (p *Peer) stop(notify bool) {
	p.mu.Lock()
	p.closed = true
	if p.handshake != nil {
		p.handshake.pipe.close()
		p.handshake = nil
	}
	var alert []byte
	if notify && p.dtls != nil {
		alert = p.dtls.CloseNotify()
	}
	p.mu.Unlock()
	if alert != nil {
		p.send(alert, p.server.cfg.Send)
	}
}
