package dtls

import (
	"crypto"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"crypto/subtle"
	"fmt"
	"slices"
	"time"

	"golang.org/x/crypto/cryptobyte"
)

// maxCookies is how many cookies a client sends back: a server asks for one, and once
// more if its secret has just changed.
const maxCookies = 3

// sendHello sends the client's hello.
func (h *Handshake) sendHello(cookie []byte, now time.Time) {
	h.transcript = h.transcript[:0] // the hello without a cookie does not count (RFC 6347, section 4.2.1)
	h.begin()
	h.add(messageClientHello, appendClientHello(nil, h.clientRandom[:], cookie, h.cfg.profiles))
	h.transmit(now)
}

func (h *Handshake) handleHelloVerify(body []byte, _ uint16, now time.Time) error {
	cookie, ok := readHelloVerify(body)
	if h.cookies++; !ok || h.cookies > maxCookies {
		return malformed("request for a cookie")
	}
	h.sendHello(cookie, now)
	return nil
}

func (h *Handshake) handleServerHello(body []byte, _ uint16, _ time.Time) error {
	s, ok := readHello(body, false)
	switch {
	case !ok:
		return malformed("hello")
	case s.version != versionMajor<<8|versionMinor:
		return &alertError{alertVersion, fmt.Errorf("%w: it wants version %#04x, and not DTLS 1.2", ErrProtocol, s.version)}
	case s.suites[0] != suiteECDSA && s.suites[0] != suiteRSA || s.compressions[0] != 0:
		return &alertError{alertIllegalParameter, fmt.Errorf("%w: it chose what was not offered: suite %#04x", ErrProtocol, s.suites[0])}
	case len(s.profiles) == 0:
		return &alertError{alertHandshakeFailure, fmt.Errorf("%w: it does not use SRTP", ErrProtocol)}
	case len(s.profiles) != 1 || !slices.Contains(h.cfg.profiles, s.profiles[0]):
		return &alertError{alertIllegalParameter, fmt.Errorf("%w: it chose SRTP profiles that were not offered: %v", ErrProtocol, s.profiles)}
	}
	copy(h.serverRandom[:], s.random)
	h.suite, h.profile, h.extendedMaster = s.suites[0], s.profiles[0], s.extendedMaster
	h.step = awaitServerCertificate
	return nil
}

// fits reports whether a certificate's key is one for a cipher suite (RFC 8422,
// section 2).
func fits(suite uint16, key crypto.PublicKey) bool {
	switch key.(type) {
	case *rsa.PublicKey:
		return suite == suiteRSA
	case *ecdsa.PublicKey, ed25519.PublicKey:
		return suite == suiteECDSA
	}
	return false
}

// handleServerKeyExchange takes the server's share, which its certificate's key has
// signed (RFC 8422, section 5.4).
func (h *Handshake) handleServerKeyExchange(body []byte, _ uint16, _ time.Time) error {
	s := cryptobyte.String(body)
	var kind uint8
	var id uint16
	var share cryptobyte.String
	if !s.ReadUint8(&kind) || !s.ReadUint16(&id) || !s.ReadUint8LengthPrefixed(&share) {
		return malformed("key exchange")
	}
	signed := slices.Concat(h.clientRandom[:], h.serverRandom[:], body[:len(body)-len(s)])
	scheme, signature, ok := readSignature(&s)
	if !ok {
		return malformed("key exchange")
	}
	curve := curveOf(id)
	if kind != 3 || curve == nil {
		return &alertError{alertIllegalParameter, fmt.Errorf("%w: it chose curve %d, which was not offered", ErrProtocol, id)}
	}
	if err := verifySignature(h.peerKey, scheme, signed, signature); err != nil {
		return &alertError{alertDecrypt, fmt.Errorf("%w: %w", ErrProtocol, err)}
	}
	return h.takeShare(curve, share, awaitCertificateRequest)
}

func curveOf(id uint16) ecdh.Curve {
	switch id {
	case curveP256:
		return ecdh.P256()
	case curveX25519:
		return ecdh.X25519()
	}
	return nil
}

// takeShare keeps the peer's share of the secret, and makes this side's if there is
// none.
func (h *Handshake) takeShare(curve ecdh.Curve, share []byte, next step) (err error) {
	if h.peerShare, err = curve.NewPublicKey(share); err != nil {
		return &alertError{alertIllegalParameter, fmt.Errorf("%w: %w", ErrProtocol, err)}
	}
	if h.private == nil {
		if h.private, err = curve.GenerateKey(rand.Reader); err != nil {
			return &alertError{alertInternal, fmt.Errorf("make a key: %w", err)}
		}
	}
	h.step = next
	return nil
}

// handleCertificateRequest notes that the server wants a certificate. It gets the
// only one there is, if its kind of signature is wanted.
func (h *Handshake) handleCertificateRequest(body []byte, _ uint16, _ time.Time) error {
	s := cryptobyte.String(body)
	var types, authorities cryptobyte.String
	if !s.ReadUint8LengthPrefixed(&types) {
		return malformed("request for a certificate")
	}
	wanted, ok := readVector(&s)
	if !ok || !s.ReadUint16LengthPrefixed(&authorities) || !s.Empty() {
		return malformed("request for a certificate")
	}
	if !slices.Contains(wanted, schemeECDSA256) {
		return &alertError{alertHandshakeFailure, fmt.Errorf("%w: it takes no signature by ECDSA on P-256", ErrProtocol)}
	}
	h.wantsCertificate, h.step = true, awaitServerHelloDone
	return nil
}

func (h *Handshake) handleServerHelloDone(body []byte, _ uint16, now time.Time) error {
	if len(body) != 0 {
		return malformed("end of the hello")
	}
	h.begin()
	if h.wantsCertificate {
		h.add(messageCertificate, appendCertificate(nil, h.cfg.certificate))
	}
	share := h.private.PublicKey().Bytes()
	h.add(messageClientKeyExchange, append([]byte{byte(len(share))}, share...))
	if err := h.deriveKeys(); err != nil {
		return err
	}
	if h.wantsCertificate {
		signature, err := sign(h.cfg.key, h.transcript)
		if err != nil {
			return &alertError{alertInternal, err}
		}
		h.add(messageCertificateVerify, appendSignature(nil, schemeECDSA256, signature))
	}
	h.addFinished(labelClientFinished)
	h.step = awaitServerFinished
	h.transmit(now)
	return h.openEarly(now)
}

func (h *Handshake) handleServerFinished(body []byte, _ uint16, _ time.Time) error {
	if subtle.ConstantTimeCompare(body, h.finish(labelServerFinished)) != 1 {
		return &alertError{alertDecrypt, fmt.Errorf("%w: its Finished is wrong", ErrProtocol)}
	}
	h.done()
	return nil
}
