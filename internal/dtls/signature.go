package dtls

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	_ "crypto/sha512" // for crypto.SHA384 and crypto.SHA512
	"crypto/x509"
	"errors"
	"fmt"
	"sync/atomic"
)

// The signature schemes (RFC 8446, section 4.2.3).
const (
	schemeECDSA256 = 0x0403
	schemeECDSA384 = 0x0503
	schemeECDSA512 = 0x0603
	schemeEd25519  = 0x0807
	schemePSS256   = 0x0804
	schemePSS384   = 0x0805
	schemePSS512   = 0x0806
	schemeRSA256   = 0x0401
	schemeRSA384   = 0x0501
	schemeRSA512   = 0x0601
)

// schemes are what a peer may sign with. This side signs with the first.
var schemes = []uint16{schemeECDSA256, schemeECDSA384, schemeECDSA512, schemeEd25519,
	schemePSS256, schemePSS384, schemePSS512, schemeRSA256, schemeRSA384, schemeRSA512}

var errSignature = errors.New("the peer's signature is wrong")

// hashOf is the hash of a scheme, other than Ed25519's; 0 for one that is not
// among ours.
func hashOf(scheme uint16) crypto.Hash {
	switch scheme {
	case schemeECDSA256, schemePSS256, schemeRSA256:
		return crypto.SHA256
	case schemeECDSA384, schemePSS384, schemeRSA384:
		return crypto.SHA384
	case schemeECDSA512, schemePSS512, schemeRSA512:
		return crypto.SHA512
	}
	return 0
}

// verifySignature verifies the signature of a message that was made with a scheme.
// A scheme that does not fit the key is refused.
func verifySignature(key crypto.PublicKey, scheme uint16, message, signature []byte) error {
	if k, ok := key.(ed25519.PublicKey); ok {
		if scheme != schemeEd25519 || !ed25519.Verify(k, message, signature) {
			return errSignature
		}
		return nil
	}
	hash := hashOf(scheme)
	if hash == 0 {
		return fmt.Errorf("%w: scheme %#04x is none of those offered", errSignature, scheme)
	}
	h := hash.New()
	h.Write(message)
	digest := h.Sum(nil)
	switch k := key.(type) {
	case *ecdsa.PublicKey:
		if scheme&0xff == 3 && ecdsa.VerifyASN1(k, digest, signature) {
			return nil
		}
	case *rsa.PublicKey:
		switch {
		case scheme&0xff == 1 && rsa.VerifyPKCS1v15(k, hash, digest, signature) == nil:
			return nil
		case scheme>>8 == 8 && rsa.VerifyPSS(k, hash, digest, signature, &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash}) == nil:
			return nil
		}
	}
	return errSignature
}

// sign signs a message with a key on P-256, with schemeECDSA256.
func sign(key crypto.Signer, message []byte) ([]byte, error) {
	h := crypto.SHA256.New()
	h.Write(message)
	signature, err := key.Sign(rand.Reader, h.Sum(nil), crypto.SHA256)
	if err != nil {
		return nil, fmt.Errorf("sign with the DTLS key: %w", err)
	}
	return signature, nil
}

// keyCache keeps the key of the last certificate that was read: often thousands of
// peers show the same one.
type keyCache struct{ last atomic.Pointer[readKey] }

type readKey struct {
	der []byte
	key crypto.PublicKey
}

// key gives the public key of a certificate.
func (c *keyCache) key(der []byte) (crypto.PublicKey, error) {
	if last := c.last.Load(); last != nil && bytes.Equal(last.der, der) {
		return last.key, nil
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, fmt.Errorf("read the peer's certificate: %w", err)
	}
	switch leaf.PublicKey.(type) {
	case *ecdsa.PublicKey, *rsa.PublicKey, ed25519.PublicKey:
	default:
		return nil, fmt.Errorf("the peer's certificate has a key of %v, which is not supported", leaf.PublicKeyAlgorithm)
	}
	c.last.Store(&readKey{der: bytes.Clone(der), key: leaf.PublicKey})
	return leaf.PublicKey, nil
}
