package lite

import (
	"cmp"
	"errors"
	"fmt"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/earshot-audio/earshot/internal/dtls"
	"github.com/earshot-audio/earshot/internal/srtp"
)

const (
	// DefaultConsent is how long a peer lives without an authenticated check
	// (RFC 7675, section 5.1).
	DefaultConsent = 30 * time.Second
	// DefaultHandshakeTimeout is how long DTLS may take, waiting included.
	DefaultHandshakeTimeout = 30 * time.Second
	// DefaultHandshakes is how many DTLS handshakes run at a time.
	DefaultHandshakes = 128
)

// ServerConfig says how a server works.
type ServerConfig struct {
	Certificate *Certificate // what peers are shown
	Send        Sender       // takes what the server sends, but for replies that Handle is told another way for
	// Profiles are the SRTP profiles in the server's order of preference; none:
	// srtp.DefaultProfiles.
	Profiles []srtp.Profile
	// Limit caps concurrent DTLS handshakes; nil: one of DefaultHandshakes.
	Limit *Limiter
	// Consent is how long a peer lives without an authenticated check, and how
	// long it has for its first; 0: DefaultConsent.
	Consent time.Duration
	// HandshakeTimeout is how long DTLS may take; 0: DefaultHandshakeTimeout.
	HandshakeTimeout time.Duration
}

// Server is the ICE-lite, DTLS server side of many peers on one address, and the
// demultiplexer of that address: see AddExternal for what is not a peer. All
// its methods may be called from any goroutine, Handle from many at a time. It
// has no clock: it goes by the times that Handle and Tick are given.
type Server struct {
	cfg     ServerConfig
	dtls    *dtls.Config
	hmacs   stunHMACPool
	workers sync.WaitGroup // handshakes

	demux demux

	mu     sync.RWMutex // taken after a peer's, never before
	closed bool

	ticking   sync.Mutex
	tickPeers []*Peer // scratch of Tick

	unknown, unauthentic, malformed atomic.Uint64
}

// NewServer makes a server. Close ends it.
func NewServer(cfg ServerConfig) (*Server, error) {
	switch {
	case cfg.Certificate == nil:
		return nil, errors.New("a server needs a certificate: make one with NewCertificate")
	case cfg.Send == nil:
		return nil, errors.New("a server needs a sender")
	case cfg.Consent < 0 || cfg.HandshakeTimeout < 0:
		return nil, errors.New("timeouts must not be negative")
	}
	if err := checkProfiles(&cfg.Profiles); err != nil {
		return nil, err
	}
	cfg.Consent = cmp.Or(cfg.Consent, DefaultConsent)
	cfg.HandshakeTimeout = cmp.Or(cfg.HandshakeTimeout, DefaultHandshakeTimeout)
	if cfg.Limit == nil {
		cfg.Limit = NewLimiter(DefaultHandshakes)
	}
	config, err := newDTLSConfig(false, cfg.Certificate, cfg.Profiles)
	if err != nil {
		return nil, err
	}
	return &Server{cfg: cfg, dtls: config, demux: newDemux()}, nil
}

// checkProfiles fills in the default, and refuses what cannot be spoken.
func checkProfiles(profiles *[]srtp.Profile) error {
	if len(*profiles) == 0 {
		*profiles = srtp.DefaultProfiles()
	}
	for _, p := range *profiles {
		if p.KeyLen() == 0 {
			return fmt.Errorf("%v is not supported: use %v", p, srtp.DefaultProfiles())
		}
	}
	return nil
}

// Add lets a peer connect.
func (s *Server) Add(cfg PeerConfig, now time.Time) (*Peer, error) {
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	p := &Peer{server: s, cfg: cfg, lastSeen: now}
	p.route.peer = p
	if err := s.demux.add(&iceSession{route: &p.route, local: cfg.Local, remote: cfg.Remote}); err != nil {
		return nil, err
	}
	return p, nil
}

// Handle takes a datagram that came in. It writes into b (packets are opened in
// place) and keeps nothing of it. What is not from a known peer costs no memory.
// What answers it goes to reply before Handle returns, so that whoever reads many
// datagrams at a time can answer many at a time; nil stands for
// ServerConfig.Send. It reports whether the datagram went to an external agent.
func (s *Server) Handle(b []byte, from netip.AddrPort, now time.Time, reply Sender) (external bool) {
	if reply == nil {
		reply = s.cfg.Send
	}
	from = unmap(from)
	k := classify(b)
	if k == kindSTUN {
		return s.handleSTUN(b, from, now, reply)
	}
	r := s.demux.lookup(from)
	switch {
	case r != nil && r.external != nil:
		r.external.deliver(b, from)
		return true
	case k == kindOther:
		s.malformed.Add(1)
	case r == nil:
		s.unknown.Add(1)
	case k == kindDTLS:
		r.peer.handleDTLS(b, from, now, reply)
	case k == kindRTCP:
		r.peer.handleRTCP(b, now)
	case k == kindRTP: // peers listen only
	}
	return false
}

// handleSTUN handles STUN: Binding requests by whom they name, and everything
// else by where it comes from, which is for external agents alone.
func (s *Server) handleSTUN(b []byte, from netip.AddrPort, now time.Time, reply Sender) (external bool) {
	var m stunMessage
	var to, by []byte
	ok := m.parse(b)
	if ok && m.kind == bindingSuccess {
		if r := s.demux.challenged(m.transaction); r != nil {
			s.takeProof(&m, r, from, now)
			return false
		}
	}
	if ok = ok && m.kind == bindingRequest; ok {
		to, by, ok = m.usernames()
	}
	if !ok {
		if r := s.demux.lookup(from); r != nil && r.external != nil {
			r.external.deliver(b, from)
			return true
		}
		s.malformed.Add(1)
		return false
	}
	named, begins, bound := s.demux.lookupCheck(to, from)
	switch {
	case named == nil:
		s.unknown.Add(1)
		return false
	case named.route.external != nil && named == named.route.external.first:
		return s.passCheck(&m, named, bound, from, now)
	case named.remote.Ufrag != string(by):
		s.unknown.Add(1)
		return false
	case named.route.external != nil:
		return s.answerForExternal(&m, named, begins, bound, from, now, reply)
	}
	s.answerCheck(&m, named, begins, bound, from, now, reply)
	return false
}

// answerCheck answers an authentic Binding request for a peer (RFC 8445, section
// 7.3) and leaves any other without an answer.
func (s *Server) answerCheck(m *stunMessage, session *iceSession, begins bool, bound *route, from netip.AddrPort, now time.Time, reply Sender) {
	h := s.hmacs.get()
	defer s.hmacs.put(h)
	p := session.route.peer
	if !s.authenticate(m, session, h, from, reply) {
		return
	}
	others := bound != &p.route && taken(bound, from, now)
	if bound != &p.route && !others && !s.demux.bind(&p.route, from) {
		return // closed meanwhile
	}
	if begins && m.useCandidate {
		s.demux.confirm(session)
	}
	c, moved := p.handleCheck(session, from, m.useCandidate, others, len(m.raw), successSize(from), now)
	send := c.send && s.demux.addChallenge(&p.route, c.id)
	if send && c.first {
		reply.Send(session.appendChallenge(h.out[:0], h, c.id), from)
	}
	reply.Send(appendBindingSuccess(h.out[:0], h, m.transaction, from, session.local.Pwd), from)
	if send && !c.first {
		reply.Send(session.appendChallenge(h.out[:0], h, c.id), from)
	}
	if moved {
		p.announce(nil)
	}
}

// taken reports whether an address is proven to be another ear's.
func taken(bound *route, from netip.AddrPort, now time.Time) bool {
	return bound != nil && bound.peer != nil && bound.peer.holds(from, now)
}

// takeProof takes a response to a check of the server's own.
func (s *Server) takeProof(m *stunMessage, r *route, from netip.AddrPort, now time.Time) {
	h := s.hmacs.get()
	var proven bool
	if r.external != nil {
		proven = r.external.handleProof(m, h, from)
	} else {
		proven = r.peer.handleProof(m, h, from, now)
	}
	s.hmacs.put(h)
	if !proven {
		s.unauthentic.Add(1)
		return
	}
	s.demux.removeChallenge(m.transaction)
	s.demux.bind(r, from)
}

// startWorker runs a handshake in a goroutine, unless the server is closed.
func (s *Server) startWorker(f func()) bool {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.closed {
		return false
	}
	s.workers.Go(f)
	return true
}

// Tick ends the peers whose time is up. It should be called about once a second.
func (s *Server) Tick(now time.Time) {
	s.ticking.Lock()
	defer s.ticking.Unlock()
	s.tickPeers = s.demux.appendPeers(s.tickPeers)
	for _, p := range s.tickPeers {
		if err := p.overdue(now); err != nil {
			p.end(err)
		}
	}
	clear(s.tickPeers)
	s.tickPeers = s.tickPeers[:0]
}

// ServerStats are counts since the start, except Peers.
type ServerStats struct {
	Peers       int    // that are there now, external agents included
	Addresses   int    // that are known now
	Unknown     uint64 // datagrams of no known peer
	Unauthentic uint64 // checks and packets that failed their authentication
	Malformed   uint64 // datagrams that are nothing of WebRTC
}

// Stats gives the counts.
func (s *Server) Stats() ServerStats {
	peers, addresses := s.demux.size()
	return ServerStats{Peers: peers, Addresses: addresses,
		Unknown: s.unknown.Load(), Unauthentic: s.unauthentic.Load(), Malformed: s.malformed.Load()}
}

// Close closes all peers, as Peer.Close does, and waits for what runs. External
// agents are their owners' to remove. It must
// not be called from a callback.
func (s *Server) Close() {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	s.demux.close()
	for _, p := range s.demux.appendPeers(nil) {
		p.Close()
	}
	s.workers.Wait()
}
