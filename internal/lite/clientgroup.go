package lite

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/earshot-audio/earshot/internal/dtls"
	"github.com/earshot-audio/earshot/internal/sdp"
	"github.com/earshot-audio/earshot/internal/srtp"
)

// ClientGroupConfig configures what the clients of a group share.
type ClientGroupConfig struct {
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

// ClientGroup is many clients in one process, which share a certificate, a limit
// on handshakes and the timers. Its methods may be called from any goroutine. It
// has no clock: it goes by the times that it is given.
type ClientGroup struct {
	cfg     ClientGroupConfig
	dtls    *dtls.Config
	hmacs   stunHMACPool
	timers  timers
	ticking sync.Mutex
	ticked  time.Time      // guarded by ticking
	workers sync.WaitGroup // handshakes

	mu      sync.Mutex // taken after a client's, never before
	closed  bool
	clients map[*Client]struct{}
}

// NewClientGroup makes a group without clients. Close ends it.
func NewClientGroup(cfg ClientGroupConfig) (*ClientGroup, error) {
	if cfg.Certificate == nil {
		return nil, errors.New("a group of clients needs a certificate: make one with NewCertificate")
	}
	if cfg.Consent < 0 || cfg.HandshakeTimeout < 0 {
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
	config, err := newDTLSConfig(true, cfg.Certificate, cfg.Profiles)
	if err != nil {
		return nil, err
	}
	return &ClientGroup{cfg: cfg, dtls: config, clients: map[*Client]struct{}{}}, nil
}

// Connect starts a client. Its first check is sent before Connect returns.
func (g *ClientGroup) Connect(cfg ClientConfig, now time.Time) (*Client, error) {
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	cfg.Server = unmap(cfg.Server)
	c := newClient(g, cfg, now)
	g.mu.Lock()
	if g.closed {
		g.mu.Unlock()
		return nil, fmt.Errorf("client group: %w", ErrClosed)
	}
	g.clients[c] = struct{}{}
	g.mu.Unlock()
	c.tick(now)
	return c, nil
}

// Tick does what is due: checks, their repetitions, expiries. It wants to be
// called every 10 ms or so; a check is as late as that. The time between two calls that
// are more than a second apart counts for no timeout: nothing was asked then, and what had
// been answered was not read.
func (g *ClientGroup) Tick(now time.Time) {
	g.ticking.Lock()
	defer g.ticking.Unlock()
	if paused := now.Sub(g.ticked); !g.ticked.IsZero() && paused > longestTick {
		g.resume(paused, now)
	}
	g.ticked = now
	for _, c := range g.timers.pop(now) {
		c.tick(now)
	}
}

// longestTick is the most time between two calls of Tick in which the process ran.
const longestTick = time.Second

// resume takes a pause of the process out of what the clients wait for.
func (g *ClientGroup) resume(paused time.Duration, now time.Time) {
	g.mu.Lock()
	clients := slices.Collect(maps.Keys(g.clients)) // a client's lock is taken before the group's
	g.mu.Unlock()
	for _, c := range clients {
		c.resume(paused, now)
	}
}

// Clients is how many there are.
func (g *ClientGroup) Clients() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return len(g.clients)
}

// startWorker runs a handshake in a goroutine, unless the group is closed.
func (g *ClientGroup) startWorker(f func()) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closed {
		return false
	}
	g.workers.Go(f)
	return true
}

// remove forgets a client; false if it was forgotten before.
func (g *ClientGroup) remove(c *Client) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	_, there := g.clients[c]
	delete(g.clients, c)
	return there
}

// Close closes all clients, as Client.Close does, and waits for what runs. It
// must not be called from a callback.
func (g *ClientGroup) Close() {
	g.mu.Lock()
	g.closed = true
	clients := slices.Collect(maps.Keys(g.clients))
	g.mu.Unlock()
	for _, c := range clients {
		c.Close()
	}
	g.workers.Wait()
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
	ServerLite  bool            // the server is an ICE-lite agent, as the SDP answer says
	// RoundTrip, if not nil, is told when a consent check was sent, by the time given to
	// Tick, and when its answer came. It is called like the events.
	RoundTrip func(sent, received time.Time)
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
