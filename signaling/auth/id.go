package auth

import (
	"crypto/rand"
	"encoding/base32"
	"strings"
)

// NewID returns an unguessable ID: 128 random bits in lower-case base32, which is
// 26 characters that are valid in a room's ID.
func NewID() string {
	var b [16]byte
	// crypto/rand.Read never fails: it ends the program if it would.
	_, _ = rand.Read(b[:])
	return strings.ToLower(base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(b[:]))
}
