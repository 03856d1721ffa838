package lite

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

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

// Server is the ICE-lite, DTLS server side of many peers on one address. All
// its methods may be called from any goroutine, Handle from many at a time. It
// has no clock: it goes by the times that Handle and Tick are given.
type Server struct {
	cfg     ServerConfig
	options *dtlsOptions
	hmacs   stunHMACPool
	ctx     context.Context // of the handshakes
	cancel  context.CancelFunc
	workers sync.WaitGroup // handshakes

	mu      sync.RWMutex // taken after a peer's, never before
	closed  bool
	byUfrag map[string]*Peer
	byAddr  map[netip.AddrPort]*Peer

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
	s := &Server{cfg: cfg, options: newDTLSOptions(cfg.Certificate, cfg.Profiles), byUfrag: map[string]*Peer{}, byAddr: map[netip.AddrPort]*Peer{}}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	return s, nil
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
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, fmt.Errorf("server: %w", ErrClosed)
	}
	if s.byUfrag[cfg.Local.Ufrag] != nil {
		return nil, fmt.Errorf("ICE user name fragment %q is in use", cfg.Local.Ufrag)
	}
	s.byUfrag[cfg.Local.Ufrag] = p
	return p, nil
}

// Handle takes a datagram that came in. It writes into b (packets are opened in
// place) and keeps nothing of it. What is not from a known peer costs no memory.
// What answers it goes to reply before Handle returns, so that whoever reads many
// datagrams at a time can answer many at a time; nil stands for
// ServerConfig.Send.
func (s *Server) Handle(b []byte, from netip.AddrPort, now time.Time, reply Sender) {
	if reply == nil {
		reply = s.cfg.Send
	}
	from = unmap(from)
	k := classify(b)
	if k == kindSTUN {
		s.handleSTUN(b, from, now, reply)
		return
	}
	if k == kindOther {
		s.malformed.Add(1)
		return
	}
	s.mu.RLock()
	p := s.byAddr[from]
	s.mu.RUnlock()
	if p == nil {
		s.unknown.Add(1)
		return
	}
	switch k {
	case kindDTLS:
		p.handleDTLS(b, now, reply)
	case kindRTCP:
		p.handleRTCP(b, now)
	case kindRTP: // peers listen only
	}
}

// handleSTUN answers an authentic Binding request (RFC 8445, section 7.3) and
// leaves everything else without an answer.
func (s *Server) handleSTUN(b []byte, from netip.AddrPort, now time.Time, reply Sender) {
	var m stunMessage
	if !m.parse(b) || m.kind != bindingRequest {
		s.malformed.Add(1)
		return
	}
	to, by, ok := m.usernames()
	if !ok {
		s.malformed.Add(1)
		return
	}
	s.mu.RLock()
	p, bound := s.byUfrag[string(to)], s.byAddr[from]
	s.mu.RUnlock()
	if p == nil || p.cfg.Remote.Ufrag != string(by) {
		s.unknown.Add(1)
		return
	}
	h := s.hmacs.get()
	defer s.hmacs.put(h)
	pwd := p.cfg.Local.Pwd
	if !m.authentic(h, pwd) {
		s.unauthentic.Add(1)
		return
	}
	switch {
	case m.unknown != 0:
		reply.Send(appendBindingError(h.out[:0], h, m.transaction, codeUnknown, m.unknown, pwd), from)
		return
	case m.controlled: // so are we, always
		reply.Send(appendBindingError(h.out[:0], h, m.transaction, codeRoleConflict, 0, pwd), from)
		return
	}
	if bound != p && !s.bind(p, from) {
		return // closed meanwhile
	}
	reply.Send(appendBindingSuccess(h.out[:0], h, m.transaction, from, pwd), from)
	p.handleCheck(from, m.useCandidate, now)
}

// bind makes an address a peer's, of which it keeps the last few.
func (s *Server) bind(p *Peer, from netip.AddrPort) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if p.removed {
		return false
	}
	if len(p.addresses) == maxAddresses {
		if s.byAddr[p.addresses[0]] == p {
			delete(s.byAddr, p.addresses[0])
		}
		p.addresses = append(p.addresses[:0], p.addresses[1:]...)
	}
	p.addresses = append(p.addresses, from)
	s.byAddr[from] = p
	return true
}

// remove forgets a peer; false if it was forgotten before.
func (s *Server) remove(p *Peer) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if p.removed {
		return false
	}
	p.removed = true
	delete(s.byUfrag, p.cfg.Local.Ufrag)
	for _, a := range p.addresses {
		if s.byAddr[a] == p {
			delete(s.byAddr, a)
		}
	}
	return true
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
	s.mu.RLock()
	for _, p := range s.byUfrag {
		s.tickPeers = append(s.tickPeers, p)
	}
	s.mu.RUnlock()
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
	Peers       int    // that are there now
	Addresses   int    // that are known now
	Unknown     uint64 // datagrams of no known peer
	Unauthentic uint64 // checks and packets that failed their authentication
	Malformed   uint64 // datagrams that are nothing of WebRTC
}

// Stats gives the counts.
func (s *Server) Stats() ServerStats {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return ServerStats{Peers: len(s.byUfrag), Addresses: len(s.byAddr),
		Unknown: s.unknown.Load(), Unauthentic: s.unauthentic.Load(), Malformed: s.malformed.Load()}
}

// Close closes all peers, as Peer.Close does, and waits for what runs. It must
// not be called from a callback.
func (s *Server) Close() {
	s.mu.Lock()
	s.closed = true
	peers := make([]*Peer, 0, len(s.byUfrag))
	for _, p := range s.byUfrag {
		peers = append(peers, p)
	}
	s.mu.Unlock()
	for _, p := range peers {
		p.Close()
	}
	s.cancel()
	s.workers.Wait()
}
