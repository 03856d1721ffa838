package signaling

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base32"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/earshot-audio/earshot/signaling/wire"
	"github.com/earshot-audio/earshot/store"
)

// grant is what a request is allowed to do, and on whose behalf.
type grant struct {
	// operator: everything.
	operator bool
	// room and role are those of a session token; empty for a member's own token
	// and without one.
	room string
	role wire.Role
	// account is whose token it is: a club member's account, or what stands in for
	// one with a guest, who has none; empty for the operator, on an open server and
	// for the host token of their rooms. An account has one live session.
	account string
	// member tells that the account is a club member's.
	member bool
	// pass names the token over all of its refreshes; empty without one.
	pass string
	// invited tells that an invite to the room brought the holder, or that the
	// room is theirs.
	invited bool
	// reservation is the invite's id, under which a place on stage may be held.
	reservation string
	// name is what the holder is called, if the token knows.
	name string
}

// who names the one a grant is for in the audit trail.
func (have grant) who() string {
	switch {
	case have.operator:
		return "operator"
	case have.account != "":
		return have.account // a guest's says so
	case have.pass != "":
		return "pass:" + have.pass
	}
	return "anybody"
}

// The kinds of a session, as the API calls them.
const (
	kindOperator = "operator"
	kindMember   = "member"
	kindHost     = "host"
	kindGuest    = "guest"
)

// kind tells what a grant is.
func (have grant) kind() string {
	switch {
	case have.operator:
		return kindOperator
	case have.room == "" && have.member:
		return kindMember
	case have.role == wire.RoleHost:
		return kindHost
	}
	return kindGuest
}

// gate tells who a request comes from. Safe for concurrent use.
type gate struct {
	open     bool
	operator []byte // SHA-256 of the operator's token; nil: there is none
	key      []byte
	ttl      time.Duration
	renewal  time.Duration
	clock    func() time.Time
	parser   *jwt.Parser
	store    *store.Store
}

func newGate(cfg *Config) *gate {
	g := &gate{open: cfg.Open, key: cfg.Key, ttl: cfg.TokenTTL, renewal: cfg.RefreshTTL, clock: cfg.Clock, store: cfg.Store}
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

// check tells what a token allows. No token at all is enough on an open server,
// and allows nothing in particular; a wrong one is refused everywhere, so that
// a client learns that its token is no good. It waits for no disk.
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
		return grant{operator: true, invited: true}, nil
	}
	c, err := g.read(token, useSession)
	if err != nil {
		return grant{}, err
	}
	return c.grant(), nil
}

// read checks a signed token and returns what it says.
func (g *gate) read(token, use string) (claims, error) {
	var c claims
	_, err := g.parser.ParseWithClaims(token, &c, func(*jwt.Token) (any, error) { return g.key, nil })
	switch {
	case errors.Is(err, jwt.ErrTokenExpired):
		return claims{}, wire.NewError(wire.CodeUnauthorized, "the token has expired")
	case err != nil, c.Use != use, !c.valid():
		return claims{}, wire.NewError(wire.CodeUnauthorized, "the token is not valid")
	}
	if c.Subject != "" {
		if a, err := g.store.Account(c.Subject); err != nil || a.Login != c.Login {
			return claims{}, wire.NewError(wire.CodeUnauthorized, "the account has logged in elsewhere")
		}
	}
	return c, nil
}

// admit tells in which role a grant lets somebody into a room that wants the
// given role (empty: whatever the grant allows, or listener). Whether the room is
// there for them is for its own rules to say. A role that the grant could have in
// its own room only is refused elsewhere as if the room did not exist.
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
	allowed := have.role
	if have.room != room {
		if have.pass == "" {
			return "", errNoRoom
		}
		// Any token of this server lets its holder listen where everybody may.
		allowed = wire.RoleListener
	}
	switch {
	case want == "":
		return allowed, nil
	case rank(want) <= rank(allowed):
		return want, nil
	case have.room != room:
		return "", errNoRoom
	}
	return "", wire.NewError(wire.CodeForbidden, "the token does not allow that role")
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
