package signaling

import (
	"fmt"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/earshot-audio/earshot/signaling/wire"
)

const (
	// tokenIssuer is the "iss" of all tokens.
	tokenIssuer = "earshot"
	// What a token is for: its "use". A session token opens doors; a refresh token
	// is good for nothing but a new pair.
	useSession = ""
	useRefresh = "refresh"
	// guestAccount begins what stands in for the account of a guest, who has one
	// live session as a member has, and is kept out as one.
	guestAccount = "guest:"
	// creatorTTL is how long the host token lives that the creator of a room gets
	// who is the operator, or anybody on an open server: they can make another at
	// any time.
	creatorTTL = 24 * time.Hour
)

// claims are what a token says. A room's token has a room and a role: its holder
// may enter that room in that role or a lesser one. A member's has an account and
// no room. What a member got by an invite to a room has both.
type claims struct {
	Use  string    `json:"use,omitempty"`
	Room string    `json:"room,omitempty"`
	Role wire.Role `json:"role,omitempty"`
	Name string    `json:"name,omitempty"`
	// Pass is the "sid": the same over all refreshes.
	Pass string `json:"sid,omitempty"`
	// Login is which login of the account it belongs to; the account is the "sub".
	Login int64 `json:"login,omitempty"`
	// Invite is the id of the invite that brought its holder.
	Invite string `json:"inv,omitempty"`
	jwt.RegisteredClaims
}

// valid tells whether the claims can be meant: a room with a role, or an account.
func (c claims) valid() bool {
	member := c.Subject != ""
	if member != (c.Login > 0) {
		return false
	}
	if c.Room == "" {
		return member && c.Role == ""
	}
	return wire.ValidRoom(c.Room) && rank(c.Role) >= 0
}

// grant returns what the claims allow.
func (c claims) grant() grant {
	have := grant{
		room: c.Room, role: c.Role, name: c.Name, pass: c.Pass,
		account: c.Subject, member: c.Subject != "",
		reservation: c.Invite, invited: c.Room != "",
	}
	if have.pass == "" {
		have.pass = c.ID
	}
	if have.account == "" && c.Invite != "" {
		have.account = guestAccount + have.pass
	}
	return have
}

// tokens are a pair of a session token and what refreshes it.
type tokens struct {
	Token          string    `json:"token"`
	ExpiresAt      time.Time `json:"expires_at"`
	RefreshToken   string    `json:"refresh_token"`
	RefreshExpires time.Time `json:"refresh_expires_at"`
}

// issue signs a pair. Claims without a pass begin a new one.
func (g *gate) issue(c claims, ttl time.Duration) (tokens, error) {
	if c.Pass == "" {
		c.Pass = newID()
	}
	now := g.clock()
	var t tokens
	var errs [2]error
	t.Token, t.ExpiresAt, errs[0] = g.sign(c, useSession, now, ttl)
	t.RefreshToken, t.RefreshExpires, errs[1] = g.sign(c, useRefresh, now, max(g.renewal, ttl))
	for _, err := range errs {
		if err != nil {
			return tokens{}, fmt.Errorf("sign a token: %w", err)
		}
	}
	return t, nil
}

func (g *gate) sign(c claims, use string, now time.Time, ttl time.Duration) (string, time.Time, error) {
	expires := now.Add(ttl).UTC().Truncate(time.Second)
	c.Use = use
	c.RegisteredClaims = jwt.RegisteredClaims{
		Issuer:    tokenIssuer,
		Subject:   c.Subject,
		ID:        newID(),
		IssuedAt:  jwt.NewNumericDate(now),
		ExpiresAt: jwt.NewNumericDate(expires),
	}
	token, err := jwt.NewWithClaims(jwt.SigningMethodHS256, c).SignedString(g.key)
	return token, expires, err
}
