// Package iceuri reads the URIs of STUN and TURN servers.
package iceuri

import (
	"errors"
	"fmt"
	"net/url"
	"strings"

	"github.com/pion/stun/v4"
)

// ErrHost is the error for a URI whose host ends in something that is no port.
var ErrHost = errors.New("there is more than a port after the host's brackets")

// Parse reads a stun:, stuns:, turn: or turns: URI (RFC 7064, RFC 7065). Whatever
// the text, it returns: pion's own reader, which does the work, puts a port after a
// host like "[::1]x" without end.
func Parse(raw string) (*stun.URI, error) {
	u, err := url.Parse(raw)
	if err != nil {
		return nil, fmt.Errorf("parse the URI: %w", err)
	}
	if strings.HasPrefix(u.Opaque, "[") {
		_, port, _ := strings.Cut(u.Opaque, "]")
		if port != "" && port[0] != ':' {
			return nil, ErrHost
		}
	}
	return stun.ParseURI(raw)
}
