package rtc

import (
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/earshot-audio/earshot/internal/icetcp"
	"github.com/earshot-audio/earshot/internal/lite"
	"github.com/earshot-audio/earshot/internal/sdp"
	"github.com/earshot-audio/earshot/room/fanout"
	"github.com/earshot-audio/earshot/room/mediaport"
)

// DefaultConsentTimeout is how long a session lives without an authenticated
// ICE check (RFC 7675, section 5.1).
const DefaultConsentTimeout = 30 * time.Second

// Config configures an engine.
type Config struct {
	// Media is the UDP address to listen on, as "127.0.0.1:7081". Port 0 takes
	// any free one. An unspecified address (0.0.0.0) stands for every address
	// of the machine.
	Media string
	// ICETCP is the TCP address to listen on for those whom UDP does not reach (RFC 6544);
	// empty: none. Port 0 takes any free one.
	ICETCP string
	// Advertise, if it is valid, stands in candidates instead of the addresses
	// listened on: the outside of a NAT or a container.
	Advertise netip.Addr
	// Log takes messages; nil: nothing is logged.
	Log *slog.Logger
	// Shards is how many goroutines send, for all rooms; 0: GOMAXPROCS.
	Shards int
	// ConsentTimeout is how long a session may go without an authenticated ICE
	// check, and how long it may take to connect; 0: DefaultConsentTimeout.
	ConsentTimeout time.Duration
	// portable has the port work as on other systems: tests hold it to the same.
	portable bool
}

// Engine owns a process's media port. All methods may be called from any
// goroutine.
type Engine struct {
	log      *slog.Logger
	shards   *fanout.Shards // of all rooms
	consent  time.Duration
	now      func() time.Time // when packets arrive; tests have their own
	minFrame time.Duration    // the shortest frame of a mic; tests send faster than speech
	excess   atomic.Uint64    // packets of mics that came faster than that
	urgent   atomic.Uint64    // events after which port readers must not wait long

	port        *mediaport.Port
	candidates  []string        // of every answer
	fingerprint sdp.Fingerprint // of the certificate
	lite        *lite.Server    // the demultiplexer, and the ears' connections
	handshakes  handshakeTimes  // of ears
	pion        *pionConfig     // of the mics' connections
	consents    *consents

	stop    chan struct{}
	workers sync.WaitGroup

	mu     sync.Mutex
	closed bool
	rooms  map[*MediaRoom]struct{}
}

// New binds the media port and makes what every session shares. Close frees it.
func New(cfg Config) (*Engine, error) {
	if cfg.ConsentTimeout < 0 {
		return nil, fmt.Errorf("consent timeout must be positive, not %v", cfg.ConsentTimeout)
	}
	if cfg.Shards < 0 {
		return nil, fmt.Errorf("shards must not be negative, they are %d", cfg.Shards)
	}
	e := &Engine{
		log:      cfg.Log,
		consent:  cfg.ConsentTimeout,
		now:      time.Now,
		minFrame: minFrame,
		stop:     make(chan struct{}),
		rooms:    map[*MediaRoom]struct{}{},
		consents: newConsents(),
	}
	if e.log == nil {
		e.log = slog.New(slog.DiscardHandler)
	}
	if e.consent == 0 {
		e.consent = DefaultConsentTimeout
	}
	var err error
	if e.port, err = mediaport.Open(mediaport.Config{
		Address: cfg.Media, Sockets: sockets(cfg.Shards), Portable: cfg.portable, OnUnsegmented: e.unsegmented,
	}); err != nil {
		return nil, err
	}
	if cfg.ICETCP != "" {
		if err := e.port.ListenTCP(cfg.ICETCP); err != nil {
			return nil, errors.Join(err, e.port.Close())
		}
	}
	if err := e.setUp(cfg.Advertise.Unmap()); err != nil {
		return nil, errors.Join(fmt.Errorf("set up WebRTC: %w", err), e.port.Close())
	}
	e.shards, err = fanout.NewShards(fanout.ShardsConfig{
		Count: cfg.Shards, Now: func() time.Time { return e.now() },
		NewSendBatch: e.newSendBatch, Prefetch: prefetchEars,
	})
	if err != nil {
		e.lite.Close()
		return nil, errors.Join(err, e.port.Close())
	}
	e.workers.Go(func() {
		e.port.Serve(e.lite, &e.urgent, func(err error) { e.log.Warn("read from the media port", "error", err) })
	})
	e.workers.Go(e.watchConsent)
	return e, nil
}

// setUp makes what works on the port. advertise may be invalid.
func (e *Engine) setUp(advertise netip.Addr) error {
	certificate, pionCertificate, err := newCertificate()
	if err != nil {
		return fmt.Errorf("make the DTLS certificate: %w", err)
	}
	if e.pion, err = newPionConfig(pionLogs{log: e.log}, pionCertificate); err != nil {
		return err
	}
	if e.candidates, err = e.port.Candidates(advertise); err != nil {
		return err
	}
	shown, err := lite.CertificateFrom(certificate)
	if err != nil {
		return err
	}
	e.fingerprint = shown.Fingerprint()
	e.lite, err = lite.NewServer(lite.ServerConfig{
		Certificate: shown, Send: lite.SenderFunc(e.sendForEar),
		Consent: e.consent, HandshakeTimeout: e.consent,
	})
	return err
}

// unsegmented says that packets leave one by one, which costs more under load.
func (e *Engine) unsegmented(reason error) {
	e.log.Info("packets are sent one by one: this system cuts no messages into datagrams (UDP_SEGMENT)", "reason", reason)
}

// sockets is how many sockets the port wants: one for each shard.
func sockets(shards int) int {
	if shards > 0 {
		return shards
	}
	return runtime.GOMAXPROCS(0)
}

// newSendBatch makes the batch of a shard.
func (e *Engine) newSendBatch(shard int) fanout.SendBatch {
	return &sendBatch{Batch: e.port.NewBatch(shard, func() time.Time { return e.now() }), single: e.port.Single}
}

// Addr is the address that the engine listens on.
func (e *Engine) Addr() netip.AddrPort { return e.port.Addr() }

// TCPAddr is the TCP address that the engine listens on; invalid without [Config.ICETCP].
func (e *Engine) TCPAddr() netip.AddrPort { return e.port.TCPAddr() }

// EngineStats are an engine's figures: what it knows of the other side of its
// port, and what it has turned down there since its start.
type EngineStats struct {
	// Peers are the ears and mics that are open or waited for, Addresses where
	// authentic checks for them come from: a few for each.
	Peers, Addresses int
	// Unknown counts datagrams from and for nobody, Unauthentic those that
	// failed their authentication, Malformed those that are nothing of WebRTC,
	// Overrun those for mics that came faster than they could be taken, and
	// Excess packets of mics that were authentic and came faster than any speech.
	Unknown, Unauthentic, Malformed, Overrun, Excess uint64
	// TCP is the figures of [Config.ICETCP].
	TCP icetcp.Stats
}

// Stats reads the figures. Pion authenticates what mics send, and does not count.
func (e *Engine) Stats() EngineStats {
	s := e.lite.Stats()
	return EngineStats{
		TCP:   e.port.TCPStats(),
		Peers: s.Peers, Addresses: s.Addresses,
		Unknown: s.Unknown, Unauthentic: s.Unauthentic, Malformed: s.Malformed,
		Overrun: e.port.Overrun(), Excess: e.excess.Load(),
	}
}

// Close closes every room and session, and frees the port. It waits until all
// of it is done.
func (e *Engine) Close() error {
	e.mu.Lock()
	if e.closed {
		e.mu.Unlock()
		return nil
	}
	e.closed = true
	rooms := make([]*MediaRoom, 0, len(e.rooms))
	for r := range e.rooms {
		rooms = append(rooms, r)
	}
	e.mu.Unlock()

	var errs []error
	for _, r := range rooms {
		errs = append(errs, r.Close())
	}
	e.shards.Close()
	close(e.stop)
	e.lite.Close()
	errs = append(errs, e.port.Close())
	e.workers.Wait()
	return errors.Join(errs...)
}
