package whip

import (
	"net/http"
	"strings"

	"github.com/earshot-audio/earshot/signaling/wire"
)

// bearer returns the token of the Authorization header (RFC 6750, section 2.1), or
// "" if the request has none. A header of another scheme counts as none, so that a
// server that needs no token admits clients that always send such a header.
func bearer(r *http.Request) (string, error) {
	values := r.Header.Values("Authorization")
	if len(values) == 0 {
		return "", nil
	}
	if len(values) > 1 {
		return "", wire.NewError(wire.CodeBadRequest, "send one Authorization header")
	}
	scheme, token, _ := strings.Cut(strings.TrimSpace(values[0]), " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return "", nil
	}
	token = strings.TrimSpace(token)
	if len(token) > wire.MaxToken || !tokenSyntax(token) {
		return "", wire.NewError(wire.CodeUnauthorized, "the bearer token is malformed")
	}
	return token, nil
}

// tokenSyntax reports whether s is a b64token (RFC 6750, section 2.1), or empty.
func tokenSyntax(s string) bool {
	for _, c := range []byte(strings.TrimRight(s, "=")) {
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9':
		case strings.IndexByte("-._~+/", c) >= 0:
		default:
			return false
		}
	}
	return true
}

// challenge returns WWW-Authenticate. Only a request with a token is told that the
// token is not valid (RFC 6750, section 3.1).
func challenge(realm string, r *http.Request) string {
	c := "Bearer realm=" + quote(realm)
	scheme, _, _ := strings.Cut(strings.TrimSpace(r.Header.Get("Authorization")), " ")
	if strings.EqualFold(scheme, "Bearer") {
		c += `, error="invalid_token"`
	}
	return c
}
