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

// CrowdConfig says what the clients of a crowd share.
type CrowdConfig struct {
	Certificate *Certificate // what servers are shown
	// Profiles are the SRTP profiles offered; none: srtp.DefaultProfiles.
	Profiles []srtp.Profile
	// Limit caps concurrent DTLS handshakes; nil: one of DefaultHandshakes.
	Limit *Limiter
	// Consent is how long a client goes on without an answered check; 0:
	// DefaultConsent.
	Consent time.Duration
	// HandshakeTimeout is how long DTLS may take; 0: DefaultHandshakeTimeout.
	HandshakeTimeout time.Duration
}

// Crowd is many clients in one process: they share a certificate, the cap on
// handshakes and the timers. Its methods may be called from any goroutine. It
// has no clock: it goes by the times that it is given.
type Crowd struct {
	cfg     CrowdConfig
	terms   *terms
	hashes  keyedHashes
	timers  timers
	ticking sync.Mutex
	ctx     context.Context // of the handshakes
	cancel  context.CancelFunc
	workers sync.WaitGroup // handshakes

	mu      sync.Mutex // taken after a client's, never before
	closed  bool
	clients map[*Client]struct{}
}

// NewCrowd makes a crowd without clients. Close ends it.
func NewCrowd(cfg CrowdConfig) (*Crowd, error) {
	if cfg.Certificate == nil {
		return nil, errors.New("a crowd needs a certificate: make one with NewCertificate")
	}
	if cfg.Consent < 0 || cfg.HandshakeTimeout < 0 {
		return nil, errors.New("timeouts must not be negative")
	}
	if err := checkProfiles(&cfg.Profiles); err != nil {
		return nil, err
	}
	cfg.Consent = orDefault(cfg.Consent, DefaultConsent)
	cfg.HandshakeTimeout = orDefault(cfg.HandshakeTimeout, DefaultHandshakeTimeout)
	if cfg.Limit == nil {
		cfg.Limit = NewLimiter(DefaultHandshakes)
	}
	c := &Crowd{cfg: cfg, terms: newTerms(cfg.Certificate, cfg.Profiles), clients: map[*Client]struct{}{}}
	c.ctx, c.cancel = context.WithCancel(context.Background())
	return c, nil
}

// Connect starts a client: its first check leaves before Connect returns.
func (cr *Crowd) Connect(cfg ClientConfig, now time.Time) (*Client, error) {
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	cfg.Server = unmap(cfg.Server)
	c := newClient(cr, cfg, now)
	cr.mu.Lock()
	if cr.closed {
		cr.mu.Unlock()
		return nil, fmt.Errorf("crowd: %w", ErrClosed)
	}
	cr.clients[c] = struct{}{}
	cr.mu.Unlock()
	c.tick(now)
	return c, nil
}

// Tick does what is due: checks, their repetitions, expiries. It wants to be
// called every 10 ms or so; a check is as late as that.
func (cr *Crowd) Tick(now time.Time) {
	cr.ticking.Lock()
	defer cr.ticking.Unlock()
	for _, c := range cr.timers.pop(now) {
		c.tick(now)
	}
}

// Clients is how many there are.
func (cr *Crowd) Clients() int {
	cr.mu.Lock()
	defer cr.mu.Unlock()
	return len(cr.clients)
}

// begin runs a handshake's goroutine, unless the crowd is closed.
func (cr *Crowd) begin(f func()) bool {
	cr.mu.Lock()
	defer cr.mu.Unlock()
	if cr.closed {
		return false
	}
	cr.workers.Go(f)
	return true
}

// remove forgets a client; false if it was forgotten before.
func (cr *Crowd) remove(c *Client) bool {
	cr.mu.Lock()
	defer cr.mu.Unlock()
	_, there := cr.clients[c]
	delete(cr.clients, c)
	return there
}

// Close closes all clients, as Client.Close does, and waits for what runs. It
// must not be called from a callback.
func (cr *Crowd) Close() {
	cr.mu.Lock()
	cr.closed = true
	clients := make([]*Client, 0, len(cr.clients))
	for c := range cr.clients {
		clients = append(clients, c)
	}
	cr.mu.Unlock()
	for _, c := range clients {
		c.Close()
	}
	cr.cancel()
	cr.workers.Wait()
}

// ClientConfig says whom a client connects to.
type ClientConfig struct {
	Events ClientEvents
	// Server is the candidate of the answer to connect to; media is taken from
	// there only.
	Server      netip.AddrPort
	Send        Sender
	Local       sdp.Credentials // of the SDP offer
	Remote      sdp.Credentials // of the SDP answer
	Fingerprint sdp.Fingerprint // of the SDP answer
}

func (c *ClientConfig) validate() error {
	if err := c.Local.Validate(); err != nil {
		return fmt.Errorf("local credentials: %w", err)
	}
	if err := c.Remote.Validate(); err != nil {
		return fmt.Errorf("the server's credentials: %w", err)
	}
	if _, err := sdp.ParseFingerprint(string(c.Fingerprint)); err != nil {
		return err
	}
	switch {
	case !c.Server.IsValid() || c.Server.Port() == 0:
		return fmt.Errorf("the server's address %v has no host or port", c.Server)
	case c.Send == nil:
		return errors.New("a client needs a sender")
	case c.Events == nil:
		return errors.New("a client needs an owner for its events")
	}
	return nil
}
