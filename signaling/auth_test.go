package signaling

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

// gateAt returns a gate whose time the test sets.
func gateAt(open bool, now *time.Time) *gate {
	return newGate(&Config{Open: open, OperatorToken: operatorToken, Key: testKey, TokenTTL: time.Hour, RefreshTTL: 24 * time.Hour,
		Store: store.Memory(), Clock: func() time.Time { return *now }})
}

func TestTokens(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	g := gateAt(false, &now)
	host := claims{Room: "lobby", Role: wire.RoleHost, Pass: "p"}
	pair, err := g.issue(host, g.ttl)
	require.NoError(t, err)
	good := pair.Token
	assert.Equal(t, now.Add(time.Hour), pair.ExpiresAt)
	assert.Equal(t, now.Add(24*time.Hour), pair.RefreshExpires)
	mine, err := g.issue(claims{Room: "lobby", Role: wire.RoleSpeaker, Name: "Bo", Invite: "i", Pass: "q"}, g.ttl)
	require.NoError(t, err)
	member, _, err := g.store.CreateAccount(t.Context(), "Ada", "", 2, now)
	require.NoError(t, err)
	own := claims{Login: member.Login, Name: "Ada", Pass: "r"}
	own.Subject = member.ID
	ada, err := g.issue(own, g.ttl)
	require.NoError(t, err)
	own.Login = 9
	late, err := g.issue(own, g.ttl)
	require.NoError(t, err)
	own.Login, own.Subject = 1, "nobody"
	unknown, err := g.issue(own, g.ttl)
	require.NoError(t, err)

	sign := func(method jwt.SigningMethod, key any, change func(*claims)) string {
		c := claims{Room: "lobby", Role: wire.RoleHost, Pass: "p", RegisteredClaims: jwt.RegisteredClaims{
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
		want  *grant // nil: refused
		text  string
	}{
		"the token that was issued":         {token: good, want: &grant{room: "lobby", role: wire.RoleHost, pass: "p", invited: true}},
		"one signed by hand with the key":   {token: sign(jwt.SigningMethodHS256, testKey, nil), want: &grant{room: "lobby", role: wire.RoleHost, pass: "p", invited: true}},
		"a guest's":                         {token: mine.Token, want: &grant{room: "lobby", role: wire.RoleSpeaker, account: "guest:q", pass: "q", invited: true, reservation: "i", name: "Bo"}},
		"a member's own":                    {token: ada.Token, want: &grant{account: member.ID, member: true, pass: "r", name: "Ada"}},
		"a member's of another login":       {token: late.Token, text: "logged in elsewhere"},
		"an unknown member's":               {token: unknown.Token, text: "logged in elsewhere"},
		"a refresh token":                   {token: pair.RefreshToken, text: "not valid"},
		"the operator's token":              {token: operatorToken, want: &grant{operator: true, invited: true}},
		"no token":                          {token: "", text: "token is needed"},
		"nonsense":                          {token: "nonsense", text: "not valid"},
		"part of the operator's token":      {token: operatorToken[:20], text: "not valid"},
		"a changed signature":               {token: good[:len(good)-4] + "AAAA", text: "not valid"},
		"another key":                       {token: sign(jwt.SigningMethodHS256, []byte(strings.Repeat("x", 32)), nil), text: "not valid"},
		"another algorithm of the same key": {token: sign(jwt.SigningMethodHS512, testKey, nil), text: "not valid"},
		"no algorithm":                      {token: sign(jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType, nil), text: "not valid"},
		"one that has expired":              {token: sign(jwt.SigningMethodHS256, testKey, func(c *claims) { c.ExpiresAt = jwt.NewNumericDate(now.Add(-time.Second)) }), text: "expired"},
		"one that never expires":            {token: sign(jwt.SigningMethodHS256, testKey, func(c *claims) { c.ExpiresAt = nil }), text: "not valid"},
		"one of another issuer":             {token: sign(jwt.SigningMethodHS256, testKey, func(c *claims) { c.Issuer = "x" }), text: "not valid"},
		"one for no room":                   {token: sign(jwt.SigningMethodHS256, testKey, func(c *claims) { c.Room = "" }), text: "not valid"},
		"one for no role":                   {token: sign(jwt.SigningMethodHS256, testKey, func(c *claims) { c.Role = "king" }), text: "not valid"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := g.check(row.token)
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
	_, err = g.check(good)
	assert.ErrorContains(t, err, "expired", "time passes for tokens, too")
}

func TestWhoIsAdmittedInWhichRole(t *testing.T) {
	now := time.Now()
	host := grant{room: "a", role: wire.RoleHost, pass: "p"}
	speaker := grant{room: "a", role: wire.RoleSpeaker, pass: "q"}
	for name, row := range map[string]struct {
		open bool
		have grant
		room string
		want wire.Role
		role wire.Role
		code wire.Code
	}{
		"a host token gives its role if none is asked":    {have: host, room: "a", role: wire.RoleHost},
		"a host token gives a lesser role":                {have: host, room: "a", want: wire.RoleListener, role: wire.RoleListener},
		"a speaker token gives no higher role":            {have: speaker, room: "a", want: wire.RoleHost, code: wire.CodeForbidden},
		"a token for another room makes a listener":       {have: host, room: "b", role: wire.RoleListener},
		"a token for another room gives no role there":    {have: host, room: "b", want: wire.RoleSpeaker, code: wire.CodeNotFound},
		"a member's token makes a listener":               {have: grant{account: "x", member: true, pass: "r"}, room: "a", role: wire.RoleListener},
		"a grant of nothing finds nothing":                {room: "a", code: wire.CodeNotFound},
		"the operator may be anything":                    {have: grant{operator: true}, room: "a", want: wire.RoleHost, role: wire.RoleHost},
		"the operator is a listener by default":           {have: grant{operator: true}, room: "a", role: wire.RoleListener},
		"an open server gives what is asked":              {open: true, room: "a", want: wire.RoleHost, role: wire.RoleHost},
		"an open server makes listeners by default":       {open: true, room: "a", role: wire.RoleListener},
		"a host token on an open server is for a host":    {open: true, have: host, room: "a", role: wire.RoleHost},
		"a host token opens nothing less on other rooms":  {open: true, have: host, room: "b", role: wire.RoleListener},
		"an open server does not hold a token's role low": {open: true, have: speaker, room: "a", want: wire.RoleHost, role: wire.RoleHost},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := gateAt(row.open, &now).admit(row.have, row.room, row.want)
			if row.code != "" {
				assert.ErrorIs(t, err, wire.Error{Code: row.code})
				return
			}
			require.NoError(t, err)
			assert.Equal(t, row.role, got)
		})
	}
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
		got, err := bearer(r)
		if want == "!" {
			assert.ErrorIs(t, err, wire.Error{Code: wire.CodeUnauthorized}, "%.20q", header)
			continue
		}
		require.NoError(t, err)
		assert.Equal(t, want, got)
	}
}

func TestIDsAreValidRoomsAndDiffer(t *testing.T) {
	seen := map[string]bool{}
	for range 1000 {
		id := newID()
		assert.True(t, wire.ValidRoom(id), id)
		assert.Len(t, id, 26)
		assert.False(t, seen[id])
		seen[id] = true
	}
}
