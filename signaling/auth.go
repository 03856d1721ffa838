package signaling

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base32"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/earshot-audio/earshot/signaling/wire"
)

// tokenIssuer is the "iss" of the session tokens.
const tokenIssuer = "earshot"

// claims are what a session token says: its holder may enter one room in one
// role (or a lesser one) until it expires.
type claims struct {
	Room string    `json:"room"`
	Role wire.Role `json:"role"`
	jwt.RegisteredClaims
}

// grant is what a request is allowed to do.
type grant struct {
	// operator: everything.
	operator bool
	// room and role are those of a session token; empty without one.
	room string
	role wire.Role
	// account is whose token it is, if it is an account's; pass names the token,
	// over all of its refreshes.
	account, pass string
	// invited tells that an invite to the room brought the holder, and reservation
	// is the id of the invite, if it holds a place on stage.
	invited     bool
	reservation string
	// name is what the token calls its holder; it may be empty.
	name string
}

// gate issues and checks tokens. Safe for concurrent use.
type gate struct {
	open     bool
	operator []byte // SHA-256 of the operator's token; nil: there is none
	key      []byte
	ttl      time.Duration
	clock    func() time.Time
	parser   *jwt.Parser
}

func newGate(cfg *Config) *gate {
	g := &gate{open: cfg.Open, key: cfg.Key, ttl: cfg.TokenTTL, clock: cfg.Clock}
	if cfg.OperatorToken != "" {
		sum := sha256.Sum256([]byte(cfg.OperatorToken))
		g.operator = sum[:]
	}
	g.parser = jwt.NewParser(
		jwt.WithValidMethods([]string{jwt.SigningMethodHS256.Alg()}),
		jwt.WithIssuer(tokenIssuer),
		jwt.WithExpirationRequired(),
		jwt.WithTimeFunc(cfg.Clock),
	)
	return g
}

// issue signs a token for a room and a role.
func (g *gate) issue(room string, role wire.Role) (token string, expires time.Time, err error) {
	now := g.clock()
	expires = now.Add(g.ttl)
	token, err = jwt.NewWithClaims(jwt.SigningMethodHS256, claims{
		Room: room,
		Role: role,
		RegisteredClaims: jwt.RegisteredClaims{
			Issuer:    tokenIssuer,
			ID:        newID(),
			IssuedAt:  jwt.NewNumericDate(now),
			ExpiresAt: jwt.NewNumericDate(expires),
		},
	}).SignedString(g.key)
	if err != nil {
		return "", time.Time{}, fmt.Errorf("sign a session token: %w", err)
	}
	return token, expires, nil
}

// check tells what a token allows. No token at all is enough on an open server,
// and allows nothing in particular; a wrong one is refused everywhere, so that
// a client learns that its token is no good.
func (g *gate) check(token string) (grant, error) {
	if token == "" {
		if g.open {
			return grant{}, nil
		}
		return grant{}, wire.NewError(wire.CodeUnauthorized, "")
	}
	// Hashed first, so that the comparison takes the same time whatever the
	// length and the content.
	sum := sha256.Sum256([]byte(token))
	if g.operator != nil && subtle.ConstantTimeCompare(sum[:], g.operator) == 1 {
		return grant{operator: true}, nil
	}
	var c claims
	_, err := g.parser.ParseWithClaims(token, &c, func(*jwt.Token) (any, error) { return g.key, nil })
	switch {
	case errors.Is(err, jwt.ErrTokenExpired):
		return grant{}, wire.NewError(wire.CodeUnauthorized, "the token has expired")
	case err != nil, !wire.ValidRoom(c.Room), rank(c.Role) < 0:
		return grant{}, wire.NewError(wire.CodeUnauthorized, "the token is not valid")
	}
	return grant{room: c.Room, role: c.Role, pass: c.ID, invited: true}, nil
}

// admit tells in which role a grant lets somebody into a room that wants the
// given role (empty: whatever the grant allows, or listener). A room that the
// grant is not for looks as if it did not exist.
func (g *gate) admit(have grant, room string, want wire.Role) (wire.Role, error) {
	if g.open || have.operator {
		switch {
		case want != "":
			return want, nil
		case have.room == room && have.role != "":
			return have.role, nil
		}
		return wire.RoleListener, nil
	}
	if have.room != room {
		return "", wire.NewError(wire.CodeNotFound, "there is no such room")
	}
	if want == "" {
		return have.role, nil
	}
	if rank(want) > rank(have.role) {
		return "", wire.NewError(wire.CodeForbidden, "the token does not allow that role")
	}
	return want, nil
}

// mayManage tells whether a grant may end a room and see it listed. On an open
// server everybody may.
func (g *gate) mayManage(have grant, room string) bool {
	return g.open || have.operator || (have.room == room && have.role == wire.RoleHost)
}

// rank orders the roles; -1 for what is none.
func rank(role wire.Role) int {
	switch role {
	case wire.RoleListener:
		return 0
	case wire.RoleSpeaker:
		return 1
	case wire.RoleHost:
		return 2
	}
	return -1
}

// bearer returns the token of an Authorization header (RFC 6750 §2.1), or "".
func bearer(r *http.Request) (string, error) {
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

// newID returns an unguessable id: 128 random bits in lower-case base32, 26
// characters that are valid in a room's id.
func newID() string {
	var b [16]byte
	// crypto/rand.Read never fails (it ends the program if it would).
	_, _ = rand.Read(b[:])
	return strings.ToLower(base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(b[:]))
}
