package sdp

import (
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
)

// Credentials are one side's ICE user name fragment and password.
type Credentials struct {
	Ufrag string // a=ice-ufrag
	Pwd   string // a=ice-pwd
}

// The lengths of RFC 8839, section 5.4. The longest password is an exception:
// the RFC allows 256 characters, but browsers and Pion use 22 to 32, and one of
// up to 64 is an HMAC-SHA1 key that needs no hashing.
const (
	minUfrag, maxUfrag = 4, 256
	minPwd, maxPwd     = 22, 64
)

// NewCredentials makes random credentials: 96 bits of user name fragment and
// 144 of password. RFC 8445, section 5.3, asks for 24 and 128.
func NewCredentials() Credentials {
	var b [30]byte
	_, _ = rand.Read(b[:]) // never fails (crypto/rand)
	text := base64.RawStdEncoding.EncodeToString(b[:])
	return Credentials{Ufrag: text[:16], Pwd: text[16:]}
}

// Validate returns an error that says which rule the credentials break.
func (c Credentials) Validate() error {
	if n := len(c.Ufrag); n < minUfrag || n > maxUfrag {
		return fmt.Errorf("ice-ufrag is missing or not %d to %d characters long", minUfrag, maxUfrag)
	}
	if n := len(c.Pwd); n < minPwd || n > maxPwd {
		return fmt.Errorf("ice-pwd is missing or not %d to %d characters long", minPwd, maxPwd)
	}
	if !isICEChars(c.Ufrag) || !isICEChars(c.Pwd) {
		return errors.New("ice-ufrag or ice-pwd has a character that is not a letter, a digit, + or /")
	}
	return nil
}

// Clone copies the credentials into memory of their own.
func (c Credentials) Clone() Credentials {
	return Credentials{Ufrag: strings.Clone(c.Ufrag), Pwd: strings.Clone(c.Pwd)}
}

// isICEChars reports whether s has only characters that RFC 8839, section 5.1,
// calls ice-char, and at least one.
func isICEChars(s string) bool {
	for _, c := range []byte(s) {
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', c == '+', c == '/':
		default:
			return false
		}
	}
	return s != ""
}
