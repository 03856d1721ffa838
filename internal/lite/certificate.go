package lite

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"math/big"
	"time"

	"github.com/earshot-audio/earshot/internal/sdp"
)

// Certificate is what a process shows in DTLS: self-signed, one for all peers.
type Certificate struct {
	tls         tls.Certificate
	fingerprint sdp.Fingerprint
}

// NewCertificate makes a certificate with a new P-256 key, valid for a year
// from a day before now.
func NewCertificate(now time.Time) (*Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("make a DTLS key: %w", err)
	}
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127))
	if err != nil {
		return nil, fmt.Errorf("make a DTLS certificate: %w", err)
	}
	template := &x509.Certificate{
		SerialNumber: serial,
		Subject:      pkix.Name{CommonName: "WebRTC"},
		NotBefore:    now.AddDate(0, 0, -1),
		NotAfter:     now.AddDate(1, 0, 0),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil, fmt.Errorf("make a DTLS certificate: %w", err)
	}
	return CertificateFrom(tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key})
}

// CertificateFrom takes a certificate that exists, such as the one of the
// process's other endpoints. Its key has to be ECDSA on P-256 (RFC 8827,
// section 6.5).
func CertificateFrom(c tls.Certificate) (*Certificate, error) {
	key, ok := c.PrivateKey.(*ecdsa.PrivateKey)
	if !ok || key.Curve != elliptic.P256() || len(c.Certificate) == 0 {
		return nil, fmt.Errorf("a DTLS certificate needs an ECDSA key on P-256, not %T", c.PrivateKey)
	}
	if c.Leaf == nil { // or DTLS would parse it for each peer anew
		leaf, err := x509.ParseCertificate(c.Certificate[0])
		if err != nil {
			return nil, fmt.Errorf("read the DTLS certificate: %w", err)
		}
		c.Leaf = leaf
	}
	return &Certificate{tls: c, fingerprint: sdp.NewFingerprint(c.Certificate[0])}, nil
}

// Fingerprint is the certificate's SHA-256 fingerprint, for the SDP.
func (c *Certificate) Fingerprint() sdp.Fingerprint { return c.fingerprint }
