package dtls

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"math/big"
	mathrand "math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// The SRTP profiles of RFC 5764 and RFC 7714.
const (
	profileCM128  = 0x0001
	profileGCM128 = 0x0007
	profileGCM256 = 0x0008
)

// patience is how long something that has to happen may take on a busy machine.
const patience = 30 * time.Second

// start is when tests with a clock of their own begin.
var start = time.Unix(1_000_000, 0)

var errStranger = errors.New("not the certificate that was expected")

func randomBytes(n int) []byte {
	b := make([]byte, n)
	_, _ = rand.Read(b)
	return b
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// certify makes a self-signed certificate of a key.
func certify(key crypto.Signer) tls.Certificate {
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "WebRTC"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour)}
	der := must(x509.CreateCertificate(rand.Reader, template, template, key.Public(), key))
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

func p256Certificate() tls.Certificate {
	return certify(must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader)))
}

// otherCertificates are of the kinds that a peer may show.
func otherCertificates() map[string]tls.Certificate {
	_, ed := must2(ed25519.GenerateKey(rand.Reader))
	return map[string]tls.Certificate{
		"P-384":    certify(must(ecdsa.GenerateKey(elliptic.P384(), rand.Reader))),
		"Ed25519":  certify(ed),
		"RSA 2048": certify(must(rsa.GenerateKey(rand.Reader, 2048))),
	}
}

func must2[T, U any](v T, w U, err error) (T, U) {
	if err != nil {
		panic(err)
	}
	return v, w
}

// expect verifies that a certificate is the one given.
func expect(c tls.Certificate) func([]byte) error {
	return func(der []byte) error {
		if !bytes.Equal(der, c.Certificate[0]) {
			return errStranger
		}
		return nil
	}
}

// side is one side of a test's handshake.
type side struct {
	*Handshake
	sent [][]byte // and not yet delivered
	err  error
}

// pair is both sides of a handshake, and the clock.
type pair struct {
	client, server *side
	now            time.Time
}

// newPair makes two sides that expect each other.
func newPair(t testing.TB) *pair {
	t.Helper()
	client, server := p256Certificate(), p256Certificate()
	return &pair{now: start,
		client: newSide(must(NewConfig(true, client, []uint16{profileGCM128, profileCM128})), expect(server)),
		server: newSide(must(NewConfig(false, server, []uint16{profileGCM128, profileCM128})), expect(client))}
}

func newSide(c *Config, verify func([]byte) error) *side {
	s := &side{}
	s.Handshake = c.NewHandshake(verify, func(b []byte) { s.sent = append(s.sent, bytes.Clone(b)) })
	return s
}

// take gives what was sent.
func (s *side) take() [][]byte {
	sent := s.sent
	s.sent = nil
	return sent
}

// deliver hands in datagrams.
func (s *side) deliver(now time.Time, datagrams ...[]byte) {
	for _, b := range datagrams {
		if err := s.Handle(b, now); err != nil && s.err == nil {
			s.err = err
		}
	}
}

// run exchanges everything until nobody says anything, without a loss.
func (p *pair) run() {
	if p.client.step == 0 {
		p.client.Start(p.now)
	}
	for len(p.client.sent)+len(p.server.sent) > 0 {
		p.server.deliver(p.now, p.client.take()...)
		p.client.deliver(p.now, p.server.take()...)
	}
}

// runOver exchanges everything over a network that loses, doubles and reorders, until
// the client is complete or so much time has passed.
func (p *pair) runOver(there *badNetwork, limit time.Duration) {
	back := *there
	p.client.Start(p.now)
	var after *Session // the server's
	for end := p.now.Add(limit); p.now.Before(end) && p.client.Session() == nil; p.now = p.now.Add(10 * time.Millisecond) {
		for _, b := range there.pass(p.client.take()) {
			if after != nil {
				if _, reply := after.Handle(b, p.now); reply != nil {
					p.server.sent = append(p.server.sent, reply)
				}
				continue
			}
			p.server.deliver(p.now, b)
			after = p.server.Session()
		}
		p.client.deliver(p.now, back.pass(p.server.take())...)
		p.client.Timeout(p.now)
		if after == nil {
			p.server.Timeout(p.now)
		}
	}
}

// badNetwork loses, doubles and delays datagrams.
type badNetwork struct {
	random             *mathrand.Rand
	lost, twice, later float64
	held               [][]byte
}

func (n *badNetwork) pass(datagrams [][]byte) (out [][]byte) {
	held := n.held
	n.held = nil
	for _, b := range datagrams {
		if n.random.Float64() < n.lost {
			continue
		}
		if n.random.Float64() < n.twice {
			out = append(out, b)
		}
		if n.random.Float64() < n.later {
			n.held = append(n.held, b)
			continue
		}
		out = append(out, b)
	}
	out = append(out, held...)
	n.random.Shuffle(len(out), func(i, j int) { out[i], out[j] = out[j], out[i] })
	return out
}

// requireAgreed requires that both sides are complete, with the same keys.
func (p *pair) requireAgreed(t testing.TB) {
	t.Helper()
	require.NoError(t, p.client.err)
	require.NoError(t, p.server.err)
	require.NotNil(t, p.client.Session())
	require.NotNil(t, p.server.Session())
	require.Equal(t, p.client.Profile(), p.server.Profile())
	mine, theirs := make([]byte, 60), make([]byte, 60)
	p.client.Export(mine)
	p.server.Export(theirs)
	require.Equal(t, mine, theirs)
	require.Equal(t, p.client.keys.readKey, p.server.keys.writeKey)
	require.Equal(t, p.client.keys.writeKey, p.server.keys.readKey)
	require.NotEqual(t, p.client.keys.writeKey, p.client.keys.readKey)
}

// split cuts every handshake message of a datagram into fragments of n bytes at most, one
// in each datagram (RFC 6347, section 4.2.3).
func split(datagram []byte, n int) (out [][]byte) {
	for r := range Records(datagram) {
		if r.Kind != RecordHandshake || r.Epoch != 0 {
			out = append(out, bytes.Clone(r.Raw))
			continue
		}
		body := r.Body
		kind, seq, message := body[0], uint16(body[4])<<8|uint16(body[5]), body[messageHeader:]
		for at := 0; ; {
			part := message[at:min(at+n, len(message))]
			b := appendRecordHeader(nil, RecordHandshake, 0, r.Seq<<10+uint64(at), messageHeader+len(part))
			b = appendMessageHeader(b, kind, len(message), seq, at, len(part))
			out = append(out, append(b, part...))
			if at += len(part); at == len(message) {
				break
			}
		}
	}
	return out
}
