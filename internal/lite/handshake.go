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
// sent again, at first. RFC 6347 section 4.2.4.1 recommends a second and allows
// less; a peer that joins should not wait for it.
const flightInterval = 500 * time.Millisecond

// handshake is a DTLS handshake that is to be or under way.
type handshake struct {
	pipe        *pipe
	client      bool
	terms       *terms
	fingerprint sdp.Fingerprint // of the peer
	limit       *Limiter
}

// session is what a handshake leaves behind.
type session struct {
	keys   srtp.MasterKeys
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
	after, err := newAfterlife(keyed, secret.clientRandom, h.pipe.seen)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrHandshake, err)
	}
	keys := exportKeys(profile, keyed, secret.clientRandom, h.pipe.seen)
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
	after, err := newAfterlife(secretHash(secret.master), secret.clientRandom, h.pipe.seen)
	return err == nil && after.ended(h.pipe.seen.alert)
}

// open makes the connection.
func (h *handshake) open(secret *secretLog) (*dtls.Conn, error) {
	verify := dtls.WithVerifyPeerCertificate(func(chain [][]byte, _ [][]*x509.Certificate) error {
		if len(chain) == 0 || !h.fingerprint.Matches(chain[0]) {
			return ErrFingerprint
		}
		return nil
	})
	log := dtls.WithKeyLogWriter(secret)
	if h.client {
		return dtls.ClientWithOptions(h.pipe, pipeAddr{}, append(slices.Clip(h.terms.client), verify, log)...)
	}
	return dtls.ServerWithOptions(h.pipe, pipeAddr{}, append(slices.Clip(h.terms.server), verify, log)...)
}

// terms are what all handshakes of one endpoint go by, made once for all.
type terms struct {
	client []dtls.ClientOption
	server []dtls.ServerOption
}

func newTerms(c *Certificate, profiles []srtp.Profile) *terms {
	offered := make([]dtls.SRTPProtectionProfile, len(profiles))
	for i, p := range profiles {
		offered[i] = dtls.SRTPProtectionProfile(p)
	}
	t := &terms{
		client: []dtls.ClientOption{
			dtls.WithCipherSuites(dtls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, dtls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256),
			dtls.WithEllipticCurves(elliptic.P256, elliptic.X25519),
		},
		server: []dtls.ServerOption{
			// Every WebRTC endpoint has this suite and this curve (RFC 8827 section
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
		dtls.WithInsecureSkipVerify(true), // the fingerprint is what counts (RFC 8827 section 5)
		dtls.WithLoggerFactory(noLogs{}),
	} {
		t.client, t.server = append(t.client, o), append(t.server, o)
	}
	return t
}

// exportKeys derives the SRTP keys of a connection (RFC 5764 section 4.2).
func exportKeys(p srtp.Profile, keyed hash.Hash, clientRandom []byte, seen *flightLog) srtp.MasterKeys {
	material := make([]byte, 2*(p.KeyLen()+p.SaltLen()))
	expand(keyed, material, labelExporter, clientRandom, seen.serverRandom[:])
	return srtp.SplitMasterKeys(p, material, seen.client)
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
