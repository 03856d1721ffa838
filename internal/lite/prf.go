package lite

import (
	"crypto/hmac"
	"crypto/sha256"
	"hash"
)

const (
	masterLength = 48 // of a master secret in bytes (RFC 5246, section 8.1)

	labelKeys     = "key expansion"       // RFC 5246, section 6.3
	labelExporter = "EXTRACTOR-dtls_srtp" // RFC 5764, section 4.2
)

// secretHash is HMAC-SHA256 keyed with a master secret.
func secretHash(master []byte) hash.Hash { return hmac.New(sha256.New, master) }

// expand fills out with the pseudorandom function of TLS 1.2 with SHA-256 (RFC
// 5246, section 5). The keyed hash is made once for all that is drawn from one
// secret, which is most of what this costs; the seed has two parts.
func expand(keyed hash.Hash, out []byte, label string, first, second []byte) {
	var a, p [sha256.Size]byte
	sum := func(to []byte, parts ...[]byte) {
		keyed.Reset()
		for _, b := range parts {
			keyed.Write(b)
		}
		keyed.Sum(to[:0])
	}
	name := []byte(label)
	sum(a[:], name, first, second)
	for {
		sum(p[:], a[:], name, first, second)
		if out = out[copy(out, p[:]):]; len(out) == 0 {
			return
		}
		sum(a[:], a[:])
	}
}
