package lite

import (
	"bytes"
	"context"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"github.com/pion/dtls/v3"
	"github.com/pion/dtls/v3/pkg/crypto/elliptic"
	"github.com/pion/logging"
)

// flightInterval is how long a DTLS flight waits for its answer before it is
// sent again, at first. RFC 6347 section 4.2.4.1 recommends a second and allows
// less; a peer that joins should not wait for it.
const flightInterval = 500 * time.Millisecond

// handshake is a DTLS handshake that is to be or under way.
type handshake struct {
	pipe        *pipe
	client      bool
	certificate *Certificate
	fingerprint Fingerprint // of the peer
	profiles    []Profile   // in the order of preference
	limit       *Limiter
}

// session is what a handshake leaves behind.
type session struct {
	keys   MasterKeys
	after  *afterlife
	closed bool // the peer ended it already
}

// run shakes hands, exports the keys and lets the connection go silently: its
// goroutines have ended when run returns. Datagrams that it did not read are
// in the pipe.
func (h *handshake) run(ctx context.Context) (*session, error) {
	release, err := h.limit.acquire(ctx)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrHandshake, err)
	}
	defer release()
	var secret secretLog
	conn, err := h.open(&secret)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrHandshake, err)
	}
	if err := conn.HandshakeContext(ctx); err != nil {
		_ = conn.Close() // sends nothing: there is no session
		switch {
		case errors.Is(err, ErrFingerprint):
			return nil, ErrFingerprint
		case h.hungUp(&secret):
			return nil, ErrPeerClosed
		}
		return nil, fmt.Errorf("%w: %w", ErrHandshake, err)
	}
	keys, err := exportKeys(conn, h.client)
	if err != nil {
		_ = conn.Close() // says so to the peer
		return nil, fmt.Errorf("%w: %w", ErrHandshake, err)
	}

	// conn.Close would send a close_notify and the peer would close. With the
	// pipe closed its loops come to their end, and Read sees them do so.
	_ = h.pipe.Close()
	for err := error(nil); err == nil; {
		var b [64]byte
		_, err = conn.Read(b[:])
	}
	after, err := newAfterlife(secret.master, secret.clientRandom, h.pipe.seen)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrHandshake, err)
	}
	// pion may have read the alert, and may have found no time to say so.
	return &session{keys: keys, after: after, closed: after.ended(h.pipe.seen.alert)}, nil
}

// hungUp says whether a handshake that failed did so because the peer, who had
// all that it needed, ended the session before pion had seen its own end of it.
func (h *handshake) hungUp(secret *secretLog) bool {
	_ = h.pipe.Close() // what is noted does not change any more
	if secret.master == nil || h.pipe.seen.alert == nil {
		return false
	}
	after, err := newAfterlife(secret.master, secret.clientRandom, h.pipe.seen)
	return err == nil && after.ended(h.pipe.seen.alert)
}

// open makes the connection.
func (h *handshake) open(secret *secretLog) (*dtls.Conn, error) {
	profiles := make([]dtls.SRTPProtectionProfile, len(h.profiles))
	for i, p := range h.profiles {
		profiles[i] = dtls.SRTPProtectionProfile(p)
	}
	options := []dtls.Option{
		dtls.WithCertificates(h.certificate.tls),
		dtls.WithSRTPProtectionProfiles(profiles...),
		dtls.WithFlightInterval(flightInterval),
		dtls.WithInsecureSkipVerify(true), // the fingerprint is what counts (RFC 8827 section 5)
		dtls.WithVerifyPeerCertificate(func(chain [][]byte, _ [][]*x509.Certificate) error {
			if len(chain) == 0 || !h.fingerprint.Matches(chain[0]) {
				return ErrFingerprint
			}
			return nil
		}),
		dtls.WithKeyLogWriter(secret),
		dtls.WithLoggerFactory(noLogs{}),
	}
	if h.client {
		all := []dtls.ClientOption{
			dtls.WithCipherSuites(dtls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, dtls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256),
			dtls.WithEllipticCurves(elliptic.P256, elliptic.X25519),
		}
		for _, o := range options {
			all = append(all, o)
		}
		return dtls.ClientWithOptions(h.pipe, pipeAddr{}, all...)
	}
	all := []dtls.ServerOption{
		// Every WebRTC endpoint has this suite and this curve (RFC 8827 section
		// 6.5). pion would take the client's first curve, most often X25519, which
		// takes several times as long as P-256 in Go.
		dtls.WithCipherSuites(dtls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256),
		dtls.WithEllipticCurves(elliptic.P256),
		dtls.WithClientAuth(dtls.RequireAnyClientCert),
		// The address is known by its ICE check: no cookie is needed.
		dtls.WithInsecureSkipVerifyHello(true),
	}
	for _, o := range options {
		all = append(all, o)
	}
	return dtls.ServerWithOptions(h.pipe, pipeAddr{}, all...)
}

// exportKeys takes the SRTP keys out of a connection (RFC 5764 section 4.2).
func exportKeys(conn *dtls.Conn, client bool) (MasterKeys, error) {
	chosen, ok := conn.SelectedSRTPProtectionProfile()
	p := Profile(chosen)
	if !ok || p.KeyLen() == 0 {
		return MasterKeys{}, errors.New("the peer does not use SRTP")
	}
	state, ok := conn.ConnectionState()
	if !ok {
		return MasterKeys{}, errors.New("DTLS has no state")
	}
	material, err := state.ExportKeyingMaterial("EXTRACTOR-dtls_srtp", nil, 2*(p.KeyLen()+p.SaltLen()))
	if err != nil {
		return MasterKeys{}, fmt.Errorf("export the SRTP keys: %w", err)
	}
	return splitMasterKeys(p, material, client), nil
}

// secretLog takes the master secret where pion gives it out: as a line of an
// NSS key log. It stays in memory.
type secretLog struct{ clientRandom, master []byte }

// Write implements io.Writer.
func (s *secretLog) Write(line []byte) (int, error) {
	fields := bytes.Fields(line)
	if len(fields) != 3 || string(fields[0]) != "CLIENT_RANDOM" {
		return 0, fmt.Errorf("key log line with %d fields", len(fields))
	}
	s.clientRandom, s.master = unhexBytes(fields[1]), unhexBytes(fields[2])
	return len(line), nil
}

func unhexBytes(text []byte) []byte {
	b := make([]byte, hex.DecodedLen(len(text)))
	n, _ := hex.Decode(b, text) // wrong text gives keys that do not fit, which is noticed
	return b[:n]
}

// noLogs keeps pion quiet: what goes wrong comes back as an error.
type noLogs struct{}

// NewLogger implements logging.LoggerFactory.
func (noLogs) NewLogger(string) logging.LeveledLogger { return noLog{} }

type noLog struct{}

func (noLog) Trace(string)          {}
func (noLog) Tracef(string, ...any) {}
func (noLog) Debug(string)          {}
func (noLog) Debugf(string, ...any) {}
func (noLog) Info(string)           {}
func (noLog) Infof(string, ...any)  {}
func (noLog) Warn(string)           {}
func (noLog) Warnf(string, ...any)  {}
func (noLog) Error(string)          {}
func (noLog) Errorf(string, ...any) {}
