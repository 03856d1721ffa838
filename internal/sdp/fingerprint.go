package sdp

import (
	"crypto"
	_ "crypto/sha256" // fingerprints
	_ "crypto/sha512" // fingerprints
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
)

// Fingerprint is a certificate's fingerprint, spelled as a=fingerprint has it:
// "sha-256 AB:CD:…" (RFC 8122, section 5).
type Fingerprint string

// ParseFingerprint reads the value of an a=fingerprint attribute in either case.
// It takes SHA-256, SHA-384 and SHA-512: older hashes can be forged. The result
// has memory of its own.
func ParseFingerprint(s string) (Fingerprint, error) {
	name, value, _ := strings.Cut(strings.TrimSpace(s), " ")
	name, value = strings.ToLower(name), strings.ToUpper(strings.TrimSpace(value))
	if name == "" {
		return "", errors.New("a=fingerprint is missing")
	}
	hash, ok := hashByName(name)
	if !ok {
		return "", fmt.Errorf("the fingerprint algorithm of a=fingerprint is %q, it must be sha-256, sha-384 or sha-512", name)
	}
	b, err := hex.DecodeString(strings.ReplaceAll(value, ":", ""))
	if err != nil || len(b) != hash.Size() || len(value) != 3*len(b)-1 {
		return "", fmt.Errorf("a=fingerprint is not %d bytes in hexadecimal with colons between", hash.Size())
	}
	return Fingerprint(name + " " + value), nil
}

// NewFingerprint is the SHA-256 fingerprint of a certificate in DER.
func NewFingerprint(der []byte) Fingerprint { return fingerprintOf("sha-256", crypto.SHA256, der) }

// Matches reports whether f is the fingerprint of a certificate in DER.
func (f Fingerprint) Matches(der []byte) bool {
	name, _, _ := strings.Cut(string(f), " ")
	hash, ok := hashByName(name)
	return ok && f == fingerprintOf(name, hash, der)
}

func hashByName(name string) (crypto.Hash, bool) {
	switch name {
	case "sha-256":
		return crypto.SHA256, true
	case "sha-384":
		return crypto.SHA384, true
	case "sha-512":
		return crypto.SHA512, true
	}
	return 0, false
}

func fingerprintOf(name string, hash crypto.Hash, der []byte) Fingerprint {
	h := hash.New()
	h.Write(der)
	var b strings.Builder
	b.WriteString(name)
	for i, v := range h.Sum(nil) {
		fmt.Fprintf(&b, "%c%02X", " :"[min(i, 1)], v)
	}
	return Fingerprint(b.String())
}
