package rtc

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"log/slog"
	"math/big"
	"net/netip"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pion/ice/v4"
	"github.com/pion/webrtc/v4"

	"github.com/earshot-audio/earshot/internal/lite"
	"github.com/earshot-audio/earshot/internal/sdp"
	"github.com/earshot-audio/earshot/internal/udpbatch"
)

// DefaultConsentTimeout is how long a session lives without an authenticated
// ICE check (RFC 7675 section 5.1).
const DefaultConsentTimeout = 30 * time.Second

// Config says how an engine works.
type Config struct {
	// Media is the UDP address to listen on, as "127.0.0.1:7081". Port 0 takes
	// any free one. An unspecified address (0.0.0.0) stands for every address
	// of the machine.
	Media string
	// Advertise, if it is valid, stands in candidates instead of the addresses
	// listened on: the outside of a NAT or a container.
	Advertise netip.Addr
	// Log takes what is worth knowing; nil: nothing is logged.
	Log *slog.Logger
	// Shards is how many goroutines a room sends with; 0: GOMAXPROCS.
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
	log       *slog.Logger
	addr      netip.AddrPort
	advertise netip.Addr
	shards    int
	consent   time.Duration
	now       func() time.Time // when packets arrive; tests have their own
	shortest  time.Duration    // frames of mics; tests send faster than speech
	excess    atomic.Uint64    // packets of mics that came faster than that
	alarms    atomic.Uint64    // times that something came up that readers must hurry for

	port        *port
	routes      *routes
	branch      *branch // Pion's part of the port
	mux         ice.UDPMux
	lite        *lite.Server // the ears' part
	flights     flights
	certificate tls.Certificate
	fingerprint sdp.Fingerprint
	candidates  []string // of a lean ear
	mics        *webrtc.API
	pionCert    webrtc.Certificate
	// newEar answers an ear's offer. Tests put Pion's ear in its place.
	newEar func(context.Context, *MediaRoom, uint32, *sdp.Offer) (*Ear, error)

	stop    chan struct{}
	workers sync.WaitGroup

	mu     sync.Mutex
	closed bool
	rooms  map[*MediaRoom]struct{}
	// awaited are the lean ears whose clients have not come yet.
	awaited map[*session]struct{}
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
		log:       cfg.Log,
		advertise: cfg.Advertise.Unmap(),
		shards:    cfg.Shards,
		consent:   cfg.ConsentTimeout,
		now:       time.Now,
		shortest:  shortestFrame,
		stop:      make(chan struct{}),
		rooms:     map[*MediaRoom]struct{}{},
		awaited:   map[*session]struct{}{},
		routes:    newRoutes(),
		newEar:    newLeanEar,
	}
	if e.log == nil {
		e.log = slog.New(slog.DiscardHandler)
	}
	if e.consent == 0 {
		e.consent = DefaultConsentTimeout
	}
	if err := e.makeCertificate(); err != nil {
		return nil, fmt.Errorf("make the DTLS certificate: %w", err)
	}
	var err error
	if e.port, err = openPort(cfg.Media, e.sockets(), cfg.portable); err != nil {
		return nil, err
	}
	if err := e.serve(); err != nil {
		return nil, errors.Join(fmt.Errorf("set up WebRTC: %w", err), e.port.close())
	}
	return e, nil
}

// serve starts what works on the port.
func (e *Engine) serve() error {
	e.addr = e.port.addr()
	server, err := e.newLiteServer()
	if err != nil {
		return err
	}
	e.lite = server
	logs := pionLogs{log: e.log}
	e.branch = newBranch(e.port)
	e.mux = ice.NewUDPMuxDefault(ice.UDPMuxParams{UDPConn: e.branch, Logger: logs.NewLogger("mux")})
	if e.mics, err = newMicAPI(e, logs); err != nil {
		return errors.Join(err, e.mux.Close())
	}
	e.candidates = e.hostCandidates()
	for _, conn := range e.port.conns {
		e.workers.Go(func() { e.receive(conn) })
	}
	e.workers.Go(e.watchConsent)
	return nil
}

// sockets is how many sockets the port wants: one for each shard of a room.
func (e *Engine) sockets() int {
	if e.shards > 0 {
		return min(e.shards, maxSockets)
	}
	return min(runtime.GOMAXPROCS(0), maxSockets)
}

// receive gives every datagram to whom it is for, until the port is closed.
func (e *Engine) receive(conn udpbatch.Conn) {
	r := newReader(e, conn)
	for {
		err := r.run()
		if err == nil {
			return
		}
		e.log.Warn("read from the media port", "error", err)
		select {
		case <-e.stop:
			return
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// makeCertificate makes the one certificate of the process.
func (e *Engine) makeCertificate() error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127))
	if err != nil {
		return err
	}
	now := time.Now()
	der, err := x509.CreateCertificate(rand.Reader, &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: "WebRTC"},
		NotBefore: now.AddDate(0, 0, -1), NotAfter: now.AddDate(1, 0, 0),
	}, &x509.Certificate{Subject: pkix.Name{CommonName: "WebRTC"}}, key.Public(), key)
	if err != nil {
		return err
	}
	parsed, err := x509.ParseCertificate(der)
	if err != nil {
		return err
	}
	e.certificate = tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
	e.pionCert = webrtc.CertificateFromX509(key, parsed)
	return nil
}

// Addr is the address that the engine listens on.
func (e *Engine) Addr() netip.AddrPort { return e.addr }

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
	close(e.stop)
	e.lite.Close()
	errs = append(errs, e.mux.Close(), e.port.close())
	e.workers.Wait()
	return errors.Join(errs...)
}
