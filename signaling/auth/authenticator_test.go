package auth

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/earshot-audio/earshot/signaling/wire"
	"github.com/earshot-audio/earshot/store"
)

const operatorToken = "operator-token-of-the-tests"

var testKey = []byte("0123456789abcdef0123456789abcdef")

// newAuthenticator returns an authenticator whose time the test sets.
func newAuthenticator(now *time.Time) *Authenticator {
	return New(Config{OperatorToken: operatorToken, Key: testKey, TokenTTL: time.Hour, RefreshTTL: 24 * time.Hour,
		Store: store.Memory(), Clock: func() time.Time { return *now }})
}

func TestAuthenticate(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	a := newAuthenticator(&now)
	host := Claims{Room: "lobby", Role: wire.RoleHost, TokenFamily: "p"}
	pair, err := a.Issue(host)
	require.NoError(t, err)
	good := pair.Token
	assert.Equal(t, now.Add(time.Hour), pair.ExpiresAt)
	assert.Equal(t, now.Add(24*time.Hour), pair.RefreshExpires)
	mine, err := a.Issue(Claims{Room: "lobby", Role: wire.RoleSpeaker, Name: "Bo", Invite: "i", TokenFamily: "q"})
	require.NoError(t, err)
	member, _, err := a.cfg.Store.CreateAccount(t.Context(), "Ada", "", 2, now)
	require.NoError(t, err)
	own := Claims{Login: member.Login, Name: "Ada", TokenFamily: "r"}
	own.Subject = member.ID
	ada, err := a.Issue(own)
	require.NoError(t, err)
	own.Login = 9
	late, err := a.Issue(own)
	require.NoError(t, err)
	own.Login, own.Subject = 1, "nobody"
	unknown, err := a.Issue(own)
	require.NoError(t, err)

	sign := func(method jwt.SigningMethod, key any, change func(*Claims)) string {
		c := Claims{Room: "lobby", Role: wire.RoleHost, TokenFamily: "p", RegisteredClaims: jwt.RegisteredClaims{
			Issuer: tokenIssuer, ExpiresAt: jwt.NewNumericDate(now.Add(time.Hour))}}
		if change != nil {
			change(&c)
		}
		token, err := jwt.NewWithClaims(method, c).SignedString(key)
		require.NoError(t, err)
		return token
	}

	for name, row := range map[string]struct {
		token string
		want  *Principal // nil: refused
		text  string
	}{
		"an issued token":                   {token: good, want: &Principal{Room: "lobby", Role: wire.RoleHost, TokenFamily: "p", Invited: true}},
		"a token signed with the key":       {token: sign(jwt.SigningMethodHS256, testKey, nil), want: &Principal{Room: "lobby", Role: wire.RoleHost, TokenFamily: "p", Invited: true}},
		"a guest's":                         {token: mine.Token, want: &Principal{Room: "lobby", Role: wire.RoleSpeaker, Account: "guest:q", TokenFamily: "q", Invited: true, Reservation: "i", Name: "Bo"}},
		"a member's own":                    {token: ada.Token, want: &Principal{Account: member.ID, Member: true, TokenFamily: "r", Name: "Ada"}},
		"a member's from another login":     {token: late.Token, text: "logged in elsewhere"},
		"an unknown member's":               {token: unknown.Token, text: "logged in elsewhere"},
		"a refresh token":                   {token: pair.RefreshToken, text: "not valid"},
		"the operator's token":              {token: operatorToken, want: &Principal{Operator: true, Invited: true}},
		"no token":                          {token: "", text: "token is needed"},
		"not a token":                       {token: "nonsense", text: "not valid"},
		"part of the operator's token":      {token: operatorToken[:20], text: "not valid"},
		"a changed signature":               {token: good[:len(good)-4] + "AAAA", text: "not valid"},
		"another key":                       {token: sign(jwt.SigningMethodHS256, []byte(strings.Repeat("x", 32)), nil), text: "not valid"},
		"another algorithm of the same key": {token: sign(jwt.SigningMethodHS512, testKey, nil), text: "not valid"},
		"no algorithm":                      {token: sign(jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType, nil), text: "not valid"},
		"an expired token":                  {token: sign(jwt.SigningMethodHS256, testKey, func(c *Claims) { c.ExpiresAt = jwt.NewNumericDate(now.Add(-time.Second)) }), text: "expired"},
		"a token without an expiry":         {token: sign(jwt.SigningMethodHS256, testKey, func(c *Claims) { c.ExpiresAt = nil }), text: "not valid"},
		"a token of another issuer":         {token: sign(jwt.SigningMethodHS256, testKey, func(c *Claims) { c.Issuer = "x" }), text: "not valid"},
		"a token without a room":            {token: sign(jwt.SigningMethodHS256, testKey, func(c *Claims) { c.Room = "" }), text: "not valid"},
		"a token without a role":            {token: sign(jwt.SigningMethodHS256, testKey, func(c *Claims) { c.Role = "king" }), text: "not valid"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := a.Authenticate(row.token)
			if row.want != nil {
				require.NoError(t, err)
				assert.Equal(t, *row.want, got)
				return
			}
			require.ErrorIs(t, err, wire.Error{Code: wire.CodeUnauthorized})
			assert.ErrorContains(t, err, row.text)
			assert.Zero(t, got)
		})
	}

	now = now.Add(2 * time.Hour)
	_, err = a.Authenticate(good)
	assert.ErrorContains(t, err, "expired", "tokens expire")
}

func TestBearer(t *testing.T) {
	for header, want := range map[string]string{
		"": "", "Bearer abc": "abc", "bearer abc": "abc", "Bearer  abc ": "abc",
		"Basic abc": "!", "Bearer": "!", "Bearer ": "!", "abc": "!", "Bearer " + strings.Repeat("x", wire.MaxToken+1): "!",
	} {
		r := &http.Request{Header: http.Header{}}
		if header != "" {
			r.Header.Set("Authorization", header)
		}
		got, err := Bearer(r)
		if want == "!" {
			assert.ErrorIs(t, err, wire.Error{Code: wire.CodeUnauthorized}, "%.20q", header)
			continue
		}
		require.NoError(t, err)
		assert.Equal(t, want, got)
	}
}

func TestNewIDIsValidAndUnique(t *testing.T) {
	seen := map[string]bool{}
	for range 1000 {
		id := NewID()
		assert.True(t, wire.ValidRoom(id), id)
		assert.Len(t, id, 26)
		assert.False(t, seen[id])
		seen[id] = true
	}
}
