package dtls

import (
	"crypto/hmac"
	"crypto/sha256"
	"hash"
)

const (
	masterLength   = 48 // of a master secret in bytes (RFC 5246, section 8.1)
	finishedLength = 12 // of a Finished (RFC 5246, section 7.4.9)

	labelKeys           = "key expansion"          // RFC 5246, section 6.3
	labelMaster         = "master secret"          // RFC 5246, section 8.1
	labelExtendedMaster = "extended master secret" // RFC 7627, section 4
	labelClientFinished = "client finished"        // RFC 5246, section 7.4.9
	labelServerFinished = "server finished"
	labelExporter       = "EXTRACTOR-dtls_srtp" // RFC 5764, section 4.2
)

// secretHash is HMAC-SHA256 keyed with a secret.
func secretHash(secret []byte) hash.Hash { return hmac.New(sha256.New, secret) }

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
