package lite

import (
	"bytes"
	"context"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"slices"
	"time"

	"github.com/pion/dtls/v3"
	"github.com/pion/dtls/v3/pkg/crypto/elliptic"
	"github.com/pion/logging"

	"github.com/earshot-audio/earshot/internal/sdp"
	"github.com/earshot-audio/earshot/internal/srtp"
)

// flightInterval is how long a DTLS flight waits for its answer before it is
// sent again, at first. RFC 6347, section 4.2.4.1 recommends a second and allows
// less; a peer that joins should not wait for it.
const flightInterval = 500 * time.Millisecond

// handshake is a DTLS handshake.
type handshake struct {
	pipe        *pipe
	client      bool
	options     *dtlsOptions
	fingerprint sdp.Fingerprint // of the peer
	limit       *Limiter
}

// handshakeResult is what a completed handshake leaves behind.
type handshakeResult struct {
	keys       srtp.MasterKeys
	dtls       *dtlsState
	peerClosed bool // the peer ended it already
}

// run performs the handshake, exports the keys and drops the connection without
// a close_notify. Its goroutines have ended when run returns. Datagrams that it
// did not read are left in the pipe.
func (h *handshake) run(ctx context.Context) (*handshakeResult, error) {
	release, err := h.limit.acquire(ctx)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrHandshake, err)
	}
	defer release()
	var secret keyLog
	conn, err := h.newConn(&secret)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrHandshake, err)
	}
	if err := conn.HandshakeContext(ctx); err != nil {
		_ = conn.Close() // sends nothing: there is no session
		switch {
		case errors.Is(err, ErrFingerprint):
			return nil, ErrFingerprint
		case h.peerEndedSession(&secret):
			return nil, ErrPeerClosed
		}
		return nil, fmt.Errorf("%w: %w", ErrHandshake, err)
	}
	chosen, ok := conn.SelectedSRTPProtectionProfile()
	profile := srtp.Profile(chosen)
	if !ok || profile.KeyLen() == 0 || len(secret.master) != masterLength {
		_ = conn.Close() // says so to the peer
		return nil, fmt.Errorf("%w: the peer does not use SRTP", ErrHandshake)
	}

	// conn.Close would send a close_notify and the peer would close. With the
	// pipe closed its loops come to their end, and Read sees them do so.
	_ = h.pipe.Close()
	for err := error(nil); err == nil; {
		var b [64]byte
		_, err = conn.Read(b[:])
	}
	keyed := secretHash(secret.master)
	after, err := newDTLSState(keyed, secret.clientRandom, h.pipe.flights)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrHandshake, err)
	}
	keys := exportKeys(profile, keyed, secret.clientRandom, h.pipe.flights)
	// pion may have read the alert, and may have found no time to say so.
	return &handshakeResult{keys: keys, dtls: after, peerClosed: after.endedBy(h.pipe.flights.alert)}, nil
}

// peerEndedSession reports whether a failed handshake failed because the peer had
// completed it, and ended the session before pion had completed this side.
func (h *handshake) peerEndedSession(secret *keyLog) bool {
	_ = h.pipe.Close() // what is noted does not change any more
	if secret.master == nil || h.pipe.flights.alert == nil {
		return false
	}
	after, err := newDTLSState(secretHash(secret.master), secret.clientRandom, h.pipe.flights)
	return err == nil && after.endedBy(h.pipe.flights.alert)
}

// newConn makes the connection.
func (h *handshake) newConn(secret *keyLog) (*dtls.Conn, error) {
	verify := dtls.WithVerifyPeerCertificate(func(chain [][]byte, _ [][]*x509.Certificate) error {
		if len(chain) == 0 || !h.fingerprint.Matches(chain[0]) {
			return ErrFingerprint
		}
		return nil
	})
	log := dtls.WithKeyLogWriter(secret)
	if h.client {
		return dtls.ClientWithOptions(h.pipe, pipeAddr{}, append(slices.Clip(h.options.client), verify, log)...)
	}
	return dtls.ServerWithOptions(h.pipe, pipeAddr{}, append(slices.Clip(h.options.server), verify, log)...)
}

// dtlsOptions are the options of all handshakes of an endpoint, made once.
type dtlsOptions struct {
	client []dtls.ClientOption
	server []dtls.ServerOption
}

func newDTLSOptions(c *Certificate, profiles []srtp.Profile) *dtlsOptions {
	offered := make([]dtls.SRTPProtectionProfile, len(profiles))
	for i, p := range profiles {
		offered[i] = dtls.SRTPProtectionProfile(p)
	}
	t := &dtlsOptions{
		client: []dtls.ClientOption{
			dtls.WithCipherSuites(dtls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, dtls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256),
			dtls.WithEllipticCurves(elliptic.P256, elliptic.X25519),
		},
		server: []dtls.ServerOption{
			// Every WebRTC endpoint has this suite and this curve (RFC 8827, section
			// 6.5). pion would take the client's first curve, most often X25519, which
			// takes several times as long as P-256 in Go.
			dtls.WithCipherSuites(dtls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256),
			dtls.WithEllipticCurves(elliptic.P256),
			dtls.WithClientAuth(dtls.RequireAnyClientCert),
			// The address is known by its ICE check: no cookie is needed.
			dtls.WithInsecureSkipVerifyHello(true),
		},
	}
	for _, o := range []dtls.Option{
		dtls.WithCertificates(c.tls),
		dtls.WithSRTPProtectionProfiles(offered...),
		dtls.WithFlightInterval(flightInterval),
		dtls.WithInsecureSkipVerify(true), // the fingerprint is what counts (RFC 8827, section 5)
		dtls.WithLoggerFactory(noLogs{}),
	} {
		t.client, t.server = append(t.client, o), append(t.server, o)
	}
	return t
}

// exportKeys derives the SRTP keys of a connection (RFC 5764, section 4.2).
func exportKeys(p srtp.Profile, keyed hash.Hash, clientRandom []byte, flights *flightLog) srtp.MasterKeys {
	material := make([]byte, 2*(p.KeyLen()+p.SaltLen()))
	expand(keyed, material, labelExporter, clientRandom, flights.serverRandom[:])
	return srtp.SplitMasterKeys(p, material, flights.client)
}

// keyLog takes the master secret from the only place where pion gives it out, a
// line of an NSS key log. It stays in memory.
type keyLog struct{ clientRandom, master []byte }

// Write implements io.Writer.
func (s *keyLog) Write(line []byte) (int, error) {
	fields := bytes.Fields(line)
	if len(fields) != 3 || string(fields[0]) != "CLIENT_RANDOM" {
		return 0, fmt.Errorf("key log line with %d fields", len(fields))
	}
	s.clientRandom, s.master = unhexBytes(fields[1]), unhexBytes(fields[2])
	return len(line), nil
}

func unhexBytes(text []byte) []byte {
	b := make([]byte, hex.DecodedLen(len(text)))
	n, _ := hex.Decode(b, text) // wrong text gives wrong keys, which newDTLSState notices
	return b[:n]
}

// noLogs silences pion: what goes wrong is returned as an error.
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
