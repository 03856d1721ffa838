package auth

import (
	"fmt"
	"slices"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/earshot-audio/earshot/signaling/wire"
)

const (
	// tokenIssuer is the "iss" of all tokens.
	tokenIssuer = "earshot"
	// The values of "use". A session token authenticates requests; a refresh token
	// can only be exchanged for a new pair.
	useSession = ""
	useRefresh = "refresh"
	// guestAccount is the prefix of the stand-in for a guest's account.
	guestAccount = "guest:"
)

// Claims are the content of a token. There are three forms: with a room and a
// role, for someone who may enter that room in that role or a lesser one; with an
// account and no room, for a club member; with all three, for a member who
// redeemed an invite to a room.
type Claims struct {
	Use  string    `json:"use,omitempty"`
	Room string    `json:"room,omitempty"`
	Role wire.Role `json:"role,omitempty"`
	Name string    `json:"name,omitempty"`
	// TokenFamily is the same in all refreshes of a token.
	TokenFamily string `json:"sid,omitempty"`
	// Login is the number of the account's login that the token belongs to. The
	// account is the "sub".
	Login int64 `json:"login,omitempty"`
	// Invite is the ID of the invite that the token was issued for.
	Invite string `json:"inv,omitempty"`
	// InvitedBy is who invited the holder, see [Principal].
	InvitedBy string `json:"by,omitempty"`
	jwt.RegisteredClaims
}

// valid reports whether the claims have one of the three forms.
func (c Claims) valid() bool {
	member := c.Subject != ""
	if member != (c.Login > 0) {
		return false
	}
	if c.Room == "" {
		return member && c.Role == ""
	}
	roles := []wire.Role{wire.RoleListener, wire.RoleSpeaker, wire.RoleHost}
	return wire.ValidRoom(c.Room) && slices.Contains(roles, c.Role)
}

// Principal returns the principal whom the claims stand for.
func (c Claims) Principal() Principal {
	p := Principal{
		Room: c.Room, Role: c.Role, Name: c.Name, TokenFamily: c.TokenFamily,
		Account: c.Subject, Member: c.Subject != "",
		Reservation: c.Invite, Invited: c.Room != "", InvitedBy: c.InvitedBy,
	}
	if p.TokenFamily == "" {
		p.TokenFamily = c.ID
	}
	if p.Account == "" && c.Invite != "" {
		p.Account = guestAccount + p.TokenFamily
	}
	return p
}

// Tokens are a session token and the token that refreshes it, with the time at
// which each expires.
type Tokens struct {
	Token          string    `json:"token"`
	ExpiresAt      time.Time `json:"expires_at"`
	RefreshToken   string    `json:"refresh_token"`
	RefreshExpires time.Time `json:"refresh_expires_at"`
}

// Issue signs a pair of tokens with the configured lifetimes. Claims without a
// token family start a new one.
func (a *Authenticator) Issue(c Claims) (Tokens, error) { return a.IssueFor(c, a.cfg.TokenTTL) }

// IssueFor is Issue with another lifetime of the session token. The refresh token
// lives as long at least.
func (a *Authenticator) IssueFor(c Claims, ttl time.Duration) (Tokens, error) {
	if c.TokenFamily == "" {
		c.TokenFamily = NewID()
	}
	now := a.cfg.Clock()
	var t Tokens
	var errs [2]error
	t.Token, t.ExpiresAt, errs[0] = a.sign(c, useSession, now, ttl)
	t.RefreshToken, t.RefreshExpires, errs[1] = a.sign(c, useRefresh, now, max(a.cfg.RefreshTTL, ttl))
	for _, err := range errs {
		if err != nil {
			return Tokens{}, fmt.Errorf("sign a token: %w", err)
		}
	}
	return t, nil
}

func (a *Authenticator) sign(c Claims, use string, now time.Time, ttl time.Duration) (string, time.Time, error) {
	expires := now.Add(ttl).UTC().Truncate(time.Second)
	c.Use = use
	c.RegisteredClaims = jwt.RegisteredClaims{
		Issuer:    tokenIssuer,
		Subject:   c.Subject,
		ID:        NewID(),
		IssuedAt:  jwt.NewNumericDate(now),
		ExpiresAt: jwt.NewNumericDate(expires),
	}
	token, err := jwt.NewWithClaims(jwt.SigningMethodHS256, c).SignedString(a.cfg.Key)
	return token, expires, err
}
