package lite

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	_ "crypto/sha256" // fingerprints
	_ "crypto/sha512" // fingerprints
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"fmt"
	"math/big"
	"strings"
	"time"
)

// Certificate is what a process shows in DTLS: self-signed, one for all peers.
type Certificate struct {
	tls         tls.Certificate
	fingerprint Fingerprint
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
// process's other endpoints. Its key has to be ECDSA on P-256 (RFC 8827
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
	return &Certificate{tls: c, fingerprint: fingerprintOf("sha-256", crypto.SHA256, c.Certificate[0])}, nil
}

// Fingerprint is the certificate's SHA-256 fingerprint, for the SDP.
func (c *Certificate) Fingerprint() Fingerprint { return c.fingerprint }

// Fingerprint is a certificate's fingerprint as a=fingerprint has it, in one
// spelling: "sha-256 AB:CD:…" (RFC 8122 section 5).
type Fingerprint string

// ParseFingerprint reads the value of an a=fingerprint attribute. SHA-256, -384
// and -512 are understood.
func ParseFingerprint(s string) (Fingerprint, error) {
	name, value, _ := strings.Cut(strings.TrimSpace(s), " ")
	name, value = strings.ToLower(name), strings.ToUpper(strings.TrimSpace(value))
	hash, ok := fingerprintHash(name)
	if !ok {
		return "", fmt.Errorf("fingerprint algorithm %q is not understood: use sha-256", name)
	}
	if b, err := hex.DecodeString(strings.ReplaceAll(value, ":", "")); err != nil || len(b) != hash.Size() || len(value) != 3*len(b)-1 {
		return "", fmt.Errorf("fingerprint is not %d bytes in hex with colons between", hash.Size())
	}
	return Fingerprint(name + " " + value), nil
}

func fingerprintHash(name string) (crypto.Hash, bool) {
	switch name {
	case "sha-256":
		return crypto.SHA256, true
	case "sha-384":
		return crypto.SHA384, true
	case "sha-512":
		return crypto.SHA512, true
	}
	return 0, false
}

func fingerprintOf(name string, hash crypto.Hash, der []byte) Fingerprint {
	h := hash.New()
	h.Write(der)
	var b strings.Builder
	b.WriteString(name)
	for i, v := range h.Sum(nil) {
		fmt.Fprintf(&b, "%c%02X", " :"[min(i, 1)], v)
	}
	return Fingerprint(b.String())
}

// Matches says whether it is the fingerprint of a certificate in DER.
func (f Fingerprint) Matches(der []byte) bool {
	name, _, _ := strings.Cut(string(f), " ")
	hash, ok := fingerprintHash(name)
	return ok && f == fingerprintOf(name, hash, der)
}
