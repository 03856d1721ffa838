package whip

import (
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/pion/stun/v4"

	"github.com/earshot-audio/earshot/internal/iceuri"
	"github.com/earshot-audio/earshot/signaling/wire"
)

const (
	defaultRetryAfter = 2 * time.Second
	defaultRealm      = "earshot"
)

// Config is what a [Handler] is made with.
type Config struct {
	// Endpoint makes and finds the sessions. It is required.
	Endpoint Endpoint
	// ICEServers are told to clients in Link headers of the 201 (RFC 9725, section 4.6).
	ICEServers []ICEServer
	// MaxOffer is the longest offer in bytes; 0 means [wire.MaxSDP].
	MaxOffer int
	// RetryAfter is how long clients are told to wait on 429 and 503 if the error does
	// not say; 0 means 2 s. It is sent in whole seconds, rounded up.
	RetryAfter time.Duration
	// Realm names the protection space in WWW-Authenticate; empty means
	// "earshot".
	Realm string
	// Log is where errors go that clients are not told; nil: nowhere.
	Log *slog.Logger
}

// ICEServer is a STUN or TURN server that clients may use.
type ICEServer struct {
	// URL is a stun:, stuns:, turn: or turns: URI (RFC 7064, RFC 7065).
	URL string
	// Username and Credential are long-term credentials (RFC 8489, section 9.2): needed
	// for TURN, absent for STUN. Printable ASCII.
	Username, Credential string
}

// link formats the server as a Link header field (RFC 9725, section 4.6).
func (s ICEServer) link() (string, error) {
	uri, err := iceuri.Parse(s.URL)
	if err != nil {
		return "", fmt.Errorf("ICE server %q: not a stun, stuns, turn or turns URI: %w", s.URL, err)
	}
	if !printable(s.URL) || strings.ContainsAny(s.URL, `<>" `) {
		return "", fmt.Errorf("ICE server %q: the URI has characters that no URI has", s.URL)
	}
	link := "<" + s.URL + `>; rel="ice-server"`
	relayed := uri.Scheme == stun.SchemeTypeTURN || uri.Scheme == stun.SchemeTypeTURNS
	if !relayed {
		if s.Username != "" || s.Credential != "" {
			return "", fmt.Errorf("ICE server %q: STUN takes no credentials; leave them out", s.URL)
		}
		return link, nil
	}
	if s.Username == "" || s.Credential == "" {
		return "", fmt.Errorf("ICE server %q: TURN needs a username and a credential", s.URL)
	}
	if !printable(s.Username) || !printable(s.Credential) {
		return "", fmt.Errorf("ICE server %q: the credentials must be printable ASCII", s.URL)
	}
	return link + "; username=" + quote(s.Username) + "; credential=" + quote(s.Credential) +
		`; credential-type="password"`, nil
}

func printable(s string) bool {
	for _, c := range []byte(s) {
		if c < ' ' || c > '~' {
			return false
		}
	}
	return true
}

// quote formats a quoted-string (RFC 9110, section 5.6.4) of printable ASCII.
func quote(s string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s) + `"`
}

// check fills in the defaults and refuses what is out of range.
func (c Config) check() (Config, error) {
	switch {
	case c.Endpoint == nil:
		return c, errors.New("whip: an Endpoint is needed")
	case c.MaxOffer < 0:
		return c, fmt.Errorf("whip: MaxOffer is %d, need a number of bytes, or 0 for the default of %d", c.MaxOffer, wire.MaxSDP)
	case c.RetryAfter < 0:
		return c, fmt.Errorf("whip: RetryAfter is %v, need a time to wait, or 0 for the default of %v", c.RetryAfter, defaultRetryAfter)
	case !printable(c.Realm):
		return c, fmt.Errorf("whip: Realm %q must be printable ASCII", c.Realm)
	}
	if c.MaxOffer == 0 {
		c.MaxOffer = wire.MaxSDP
	}
	if c.RetryAfter == 0 {
		c.RetryAfter = defaultRetryAfter
	}
	if c.Realm == "" {
		c.Realm = defaultRealm
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	return c, nil
}
