package main

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
	"path/filepath"
	"time"
)

const (
	// certificateFile is the self-signed certificate, with its key, under --data.
	certificateFile = "tls-self-signed.pem"
	certificateFor  = 365 * 24 * time.Hour
	// renewBefore is how long a kept certificate must still be valid.
	renewBefore = 7 * 24 * time.Hour
)

// tls returns how HTTP is to be encrypted; nil: not at all.
func (f serveFlags) tls() (*tls.Config, error) {
	var pair tls.Certificate
	var err error
	switch {
	case f.tlsSelfSigned:
		pair, err = f.selfSigned()
	case f.tlsCert != "":
		if pair, err = tls.LoadX509KeyPair(f.tlsCert, f.tlsKey); err != nil {
			err = fmt.Errorf("--tls-cert, --tls-key: %w", err)
		}
	default:
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	// WebSockets need HTTP/1.1 (RFC 6455), so HTTP/2 is not offered.
	return &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12, NextProtos: []string{"http/1.1"}}, nil
}

// selfSigned returns the certificate that is kept under --data, so that a browser
// has to be told once to trust it, and makes one if there is none, or if it is not
// for this address or not for long. An open server keeps none.
func (f serveFlags) selfSigned() (tls.Certificate, error) {
	host, _, _ := net.SplitHostPort(f.http) // checked
	path := filepath.Join(f.data, certificateFile)
	if !f.open {
		data, err := os.ReadFile(path)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return tls.Certificate{}, fmt.Errorf("read the self-signed certificate: %w", err)
		}
		pair, bad := tls.X509KeyPair(data, data)
		if err == nil && bad == nil && time.Until(pair.Leaf.NotAfter) > renewBefore && covers(pair.Leaf, host) {
			return pair, nil
		}
	}
	data, err := makeCertificate(host, time.Now())
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("make a self-signed certificate: %w", err)
	}
	if !f.open {
		if err := keepFile(path, data); err != nil {
			return tls.Certificate{}, fmt.Errorf("keep the self-signed certificate: %w", err)
		}
	}
	return tls.X509KeyPair(data, data)
}

// covers tells whether a certificate is for all the names of a host.
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

// namesOf returns what clients may call the host of --http: itself, and for one
// that stands for all addresses each that this machine has.
func namesOf(host string) (names []string, addresses []net.IP) {
	names = []string{"localhost"}
	addresses = []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback}
	ip := net.ParseIP(host)
	switch {
	case host == "" || ip != nil && ip.IsUnspecified():
		if name, err := os.Hostname(); err == nil {
			names = append(names, name)
		}
		own, _ := net.InterfaceAddrs() // without them the others are left
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

// makeCertificate makes a certificate that signs itself, and its key, both in PEM.
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
		NotBefore: now.Add(-time.Hour), NotAfter: now.Add(certificateFor),
		KeyUsage:    x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		// For itself alone, so that it can be trusted as an authority (--ca) without
		// being one for others.
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
