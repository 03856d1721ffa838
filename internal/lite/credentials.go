package lite

import (
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"strings"
)

// Credentials are one side's ICE user name fragment and password.
type Credentials struct {
	Ufrag string // a=ice-ufrag
	Pwd   string // a=ice-pwd
}

// maxPwd is the longest password that is taken: a block of SHA-1. RFC 8445
// section 5.3 lets it be longer; nobody's is.
const maxPwd = 64

// NewCredentials makes random credentials: 96 bits of name and 144 of password
// (RFC 8445 section 5.3 asks for 24 and 128).
func NewCredentials() Credentials {
	var b [30]byte
	_, _ = rand.Read(b[:]) // never fails (crypto/rand)
	text := base64.RawStdEncoding.EncodeToString(b[:])
	return Credentials{Ufrag: text[:16], Pwd: text[16:]}
}

// Validate says what is wrong with credentials that came in an SDP (RFC 8445
// section 5.3, RFC 8839 section 5.4).
func (c Credentials) Validate() error {
	if n := len(c.Ufrag); n < 4 || n > 256 {
		return fmt.Errorf("ice-ufrag has %d characters, 4 to 256 are allowed", n)
	}
	if n := len(c.Pwd); n < 22 || n > maxPwd {
		return fmt.Errorf("ice-pwd has %d characters, 22 to %d are allowed", n, maxPwd)
	}
	for _, s := range []string{c.Ufrag, c.Pwd} {
		if strings.ContainsFunc(s, func(r rune) bool { return !iceChar(r) }) {
			return fmt.Errorf("ice-ufrag or ice-pwd has a character that is not a letter, a digit, + or /")
		}
	}
	return nil
}

func iceChar(r rune) bool {
	return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '+' || r == '/'
}
