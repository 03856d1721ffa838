package rtc

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"math/big"
	"time"

	"github.com/pion/webrtc/v4"
)

// newCertificate makes the certificate that all sessions of a process show,
// and Pion's form of it.
func newCertificate() (tls.Certificate, webrtc.Certificate, error) {
	fail := func(err error) (tls.Certificate, webrtc.Certificate, error) {
		return tls.Certificate{}, webrtc.Certificate{}, err
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return fail(err)
	}
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127))
	if err != nil {
		return fail(err)
	}
	now := time.Now()
	der, err := x509.CreateCertificate(rand.Reader, &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: "WebRTC"},
		NotBefore: now.AddDate(0, 0, -1), NotAfter: now.AddDate(1, 0, 0),
	}, &x509.Certificate{Subject: pkix.Name{CommonName: "WebRTC"}}, key.Public(), key)
	if err != nil {
		return fail(err)
	}
	parsed, err := x509.ParseCertificate(der)
	if err != nil {
		return fail(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, webrtc.CertificateFromX509(key, parsed), nil
}
