package secrets

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"net"
	"os"
	"time"
)

const (
	lifetime = 365 * 24 * time.Hour
	// renewBefore is how long a kept certificate must still be valid.
	renewBefore = 7 * 24 * time.Hour
)

// SelfSigned returns a self-signed certificate for a host. It is kept, with its
// key, in the file path, so that a browser has to be told only once to trust it;
// it is renewed when it is not for this host or expires soon. With an empty path
// nothing is kept.
func SelfSigned(host, path string) (tls.Certificate, error) {
	if path != "" {
		data, err := os.ReadFile(path)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return tls.Certificate{}, fmt.Errorf("read the self-signed certificate: %w", err)
		}
		pair, bad := tls.X509KeyPair(data, data)
		if err == nil && bad == nil && time.Until(pair.Leaf.NotAfter) > renewBefore && covers(pair.Leaf, host) {
			return pair, CheckMode(path)
		}
	}
	data, err := makeCertificate(host, time.Now())
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("make a self-signed certificate: %w", err)
	}
	if path != "" {
		if err := writeFile(path, data); err != nil {
			return tls.Certificate{}, fmt.Errorf("write the self-signed certificate: %w", err)
		}
	}
	return tls.X509KeyPair(data, data)
}

// covers reports whether a certificate is for all names and addresses of a host.
func covers(c *x509.Certificate, host string) bool {
	names, addresses := namesOf(host)
	for _, n := range names {
		if c.VerifyHostname(n) != nil {
			return false
		}
	}
	for _, a := range addresses {
		if c.VerifyHostname(a.String()) != nil {
			return false
		}
	}
	return true
}

// namesOf returns the names and addresses by which clients can reach a server that
// listens on host. An empty or unspecified host is all addresses of this machine.
func namesOf(host string) (names []string, addresses []net.IP) {
	names = []string{"localhost"}
	addresses = []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback}
	ip := net.ParseIP(host)
	switch {
	case host == "" || ip != nil && ip.IsUnspecified():
		if name, err := os.Hostname(); err == nil {
			names = append(names, name)
		}
		own, _ := net.InterfaceAddrs() // on an error, the loopback names remain
		for _, a := range own {
			if n, ok := a.(*net.IPNet); ok && !n.IP.IsLoopback() {
				addresses = append(addresses, n.IP)
			}
		}
	case ip != nil && !ip.IsLoopback():
		addresses = append(addresses, ip)
	case ip == nil && host != "localhost":
		names = append(names, host)
	}
	return names, addresses
}

// makeCertificate returns a self-signed certificate and its key in PEM.
func makeCertificate(host string, now time.Time) ([]byte, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127))
	if err != nil {
		return nil, err
	}
	names, addresses := namesOf(host)
	template := &x509.Certificate{
		SerialNumber: serial,
		Subject:      pkix.Name{CommonName: "earshot"},
		DNSNames:     names, IPAddresses: addresses,
		NotBefore: now.Add(-time.Hour), NotAfter: now.Add(lifetime),
		KeyUsage:    x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		// Not a certificate authority: a client can add it to its roots (--ca) without
		// trusting it for other hosts.
		BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil, err
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	for _, b := range []*pem.Block{{Type: "CERTIFICATE", Bytes: der}, {Type: "PRIVATE KEY", Bytes: private}} {
		if err := pem.Encode(&out, b); err != nil {
			return nil, err
		}
	}
	return out.Bytes(), nil
}
