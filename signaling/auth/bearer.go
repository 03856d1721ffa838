package auth

import (
	"net/http"
	"strings"

	"github.com/earshot-audio/earshot/signaling/wire"
)

// Bearer returns the token of the Authorization header (RFC 6750, section 2.1),
// or "" if there is no such header. A header of another form is refused with
// [wire.CodeUnauthorized].
func Bearer(r *http.Request) (string, error) {
	header := r.Header.Get("Authorization")
	if header == "" {
		return "", nil
	}
	scheme, token, _ := strings.Cut(header, " ")
	token = strings.TrimSpace(token)
	if !strings.EqualFold(scheme, "Bearer") || token == "" || len(token) > wire.MaxToken {
		return "", wire.NewError(wire.CodeUnauthorized, "the Authorization header must be: Bearer TOKEN")
	}
	return token, nil
}
