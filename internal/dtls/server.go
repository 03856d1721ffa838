package dtls

import (
	"crypto/ecdh"
	"crypto/rand"
	"crypto/subtle"
	"encoding/binary"
	"fmt"
	"slices"
	"time"

	"golang.org/x/crypto/cryptobyte"
)

// The kinds of certificates that a server asks for (RFC 8422, section 5.5; RFC 5246,
// section 7.4.4).
const (
	certificateRSA   = 1
	certificateECDSA = 64
)

// handleClientHello answers the client's hello. Every WebRTC endpoint has the one
// suite and curve that are taken (RFC 8827, section 6.5). Of a client's curves the
// first is most often X25519, which takes several times as long as P-256 in Go.
func (h *Handshake) handleClientHello(body []byte, _ uint16, now time.Time) error {
	c, ok := readHello(body, true)
	switch {
	case !ok:
		return malformed("hello")
	// Versions count down. A client of DTLS 1.3 says that it is one of 1.2 here.
	case c.version > versionMajor<<8|versionMinor || c.versions != nil && !slices.Contains(c.versions, versionMajor<<8|versionMinor):
		return &alertError{alertVersion, fmt.Errorf("%w: it does not speak DTLS 1.2", ErrProtocol)}
	case !slices.Contains(c.suites, suiteECDSA):
		return refuse("it lacks the cipher suite ECDHE-ECDSA with AES-128-GCM")
	case !slices.Contains(c.compressions, 0):
		return refuse("it insists on compression")
	case c.groups != nil && !slices.Contains(c.groups, curveP256):
		return refuse("it lacks the curve P-256")
	case !slices.Contains(c.schemes, schemeECDSA256):
		return refuse("it takes no signature by ECDSA on P-256")
	}
	chosen := slices.IndexFunc(h.cfg.profiles, func(p uint16) bool { return slices.Contains(c.profiles, p) })
	if chosen < 0 {
		return refuse("it does not use SRTP, or lacks our profiles")
	}
	h.profile, h.extendedMaster, h.suite = h.cfg.profiles[chosen], c.extendedMaster, suiteECDSA
	copy(h.clientRandom[:], c.random)
	_, _ = rand.Read(h.serverRandom[:]) // never fails
	private, err := ecdh.P256().GenerateKey(rand.Reader)
	if err != nil {
		return &alertError{alertInternal, fmt.Errorf("make a key: %w", err)}
	}
	h.private = private

	h.begin()
	h.add(messageServerHello, appendServerHello(nil, h.serverRandom[:], &c, h.profile))
	h.add(messageCertificate, appendCertificate(nil, h.cfg.certificate))
	share := private.PublicKey().Bytes()
	exchange := binary.BigEndian.AppendUint16([]byte{3}, curveP256) // a named curve
	exchange = append(append(exchange, byte(len(share))), share...)
	signature, err := sign(h.cfg.key, slices.Concat(h.clientRandom[:], h.serverRandom[:], exchange))
	if err != nil {
		return &alertError{alertInternal, err}
	}
	h.add(messageServerKeyExchange, appendSignature(exchange, schemeECDSA256, signature))
	request := appendVector([]byte{2, certificateECDSA, certificateRSA}, schemes...)
	h.add(messageCertificateRequest, append(request, 0, 0)) // of any authority
	h.add(messageServerHelloDone, nil)
	h.step = awaitClientCertificate
	h.transmit(now)
	return nil
}

// refuse is the error for a client that has nothing in common with this side.
func refuse(why string) error {
	return &alertError{alertHandshakeFailure, fmt.Errorf("%w: %s", ErrProtocol, why)}
}

func (h *Handshake) handleClientKeyExchange(body []byte, _ uint16, _ time.Time) error {
	s := cryptobyte.String(body)
	var share cryptobyte.String
	if !s.ReadUint8LengthPrefixed(&share) || !s.Empty() {
		return malformed("key exchange")
	}
	return h.takeShare(ecdh.P256(), share, awaitCertificateVerify)
}

// handleCertificateVerify verifies that the client has the key of its certificate.
// Only then is the secret computed.
func (h *Handshake) handleCertificateVerify(body []byte, seq uint16, now time.Time) error {
	s := cryptobyte.String(body)
	scheme, signature, ok := readSignature(&s)
	if !ok {
		return malformed("proof of its certificate")
	}
	if err := verifySignature(h.peerKey, scheme, h.transcript, signature); err != nil {
		return &alertError{alertDecrypt, fmt.Errorf("%w: %w", ErrProtocol, err)}
	}
	if err := h.deriveKeys(); err != nil {
		return err
	}
	h.record(messageCertificateVerify, seq, body)
	h.step = awaitClientFinished
	return h.openEarly(now)
}

func (h *Handshake) handleClientFinished(body []byte, seq uint16, now time.Time) error {
	if subtle.ConstantTimeCompare(body, h.finish(labelClientFinished)) != 1 {
		return &alertError{alertDecrypt, fmt.Errorf("%w: its Finished is wrong", ErrProtocol)}
	}
	h.record(messageFinished, seq, body)
	h.begin()
	h.addFinished(labelServerFinished)
	h.transmit(now)
	last := h.flight.messages[len(h.flight.messages)-1]
	h.finished = last.appendPart(nil, 0, len(last.body))
	h.done()
	return nil
}
