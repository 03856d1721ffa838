package store

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base32"
	"slices"
	"strings"
)

// CodeLength is the length of a code: 128 random bits in base32, 26 characters.
const CodeLength = 26

var alphabet = base32.StdEncoding.WithPadding(base32.NoPadding)

// NewCode returns a secret of 128 random bits, in lower-case base32.
func NewCode() string {
	var b [16]byte
	// crypto/rand.Read never fails (it ends the program if it would).
	_, _ = rand.Read(b[:])
	return strings.ToLower(alphabet.EncodeToString(b[:]))
}

// digest is what is kept of a secret, and an invite's public id: 160 bits of its
// SHA-256, in lower-case base32, 32 characters. A secret of 128 random bits needs
// no slow hash: there is nothing to guess (NIST SP 800-63B, section 5.1.2.2, asks for
// one only of look-up secrets below 112 bits).
func digest(secret string) string {
	sum := sha256.Sum256([]byte(secret))
	return strings.ToLower(alphabet.EncodeToString(sum[:20]))
}

// keyOf makes any text a key that every bucket takes.
func keyOf(text string) string { return strings.ToLower(alphabet.EncodeToString([]byte(text))) }

// readableKey returns the text that a key was made of, if it was.
func readableKey(key string) string {
	text, err := alphabet.DecodeString(strings.ToUpper(key))
	if err != nil || len(text) == 0 || slices.ContainsFunc(text, func(b byte) bool { return b < ' ' || b > '~' }) {
		return key
	}
	return string(text)
}
