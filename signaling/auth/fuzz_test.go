package auth

import (
	"encoding/base64"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/stretchr/testify/require"

	"github.com/earshot-audio/earshot/signaling/wire"
)

// FuzzToken checks that an accepted token has exactly the header and claims of a
// token that the server signed.
func FuzzToken(f *testing.F) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	a := newAuthenticator(&now)
	signed := map[string]bool{}
	for _, role := range []wire.Role{wire.RoleListener, wire.RoleSpeaker, wire.RoleHost} {
		// Without an ID, so that it is the same in every process of the fuzzer.
		c := Claims{Room: "lobby", Role: role, TokenFamily: "p", RegisteredClaims: jwt.RegisteredClaims{
			Issuer: tokenIssuer, ExpiresAt: jwt.NewNumericDate(now.Add(time.Hour))}}
		token, err := jwt.NewWithClaims(jwt.SigningMethodHS256, c).SignedString(testKey)
		require.NoError(f, err)
		parts := strings.Split(token, ".")
		signed[parts[0]+"."+parts[1]] = true
		f.Add(token)
		f.Add(parts[0] + "." + parts[1] + ".")
		none := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"none","typ":"JWT"}`))
		f.Add(none + "." + parts[1] + ".")
		f.Add(parts[0] + "." + base64.RawURLEncoding.EncodeToString([]byte(`{"room":"other","role":"host","iss":"earshot","exp":9999999999}`)) + "." + parts[2])
		c.Use = useRefresh
		refresh, err := jwt.NewWithClaims(jwt.SigningMethodHS256, c).SignedString(testKey)
		require.NoError(f, err)
		f.Add(refresh)
	}
	f.Add("")
	f.Add("..")
	f.Add(operatorToken)
	f.Fuzz(func(t *testing.T, token string) {
		got, err := a.Authenticate(token)
		if err != nil {
			require.Equal(t, Principal{}, got)
			require.ErrorIs(t, err, wire.Error{Code: wire.CodeUnauthorized})
			return
		}
		if got.Operator {
			require.Equal(t, operatorToken, token)
			return
		}
		parts := strings.Split(token, ".")
		require.Len(t, parts, 3)
		require.True(t, signed[parts[0]+"."+parts[1]])
		require.Equal(t, "lobby", got.Room)
	})
}

// FuzzBearer checks that a bearer token is part of its header, without white space
// around it, and not longer than the limit.
func FuzzBearer(f *testing.F) {
	for _, seed := range []string{"", "Bearer a.b.c", "bearer  x ", "Basic eA==", "Bearer", "Bearer\tx", "Bearer a b"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, header string) {
		r := &http.Request{Header: http.Header{"Authorization": {header}}}
		token, err := Bearer(r)
		if err != nil {
			require.Empty(t, token)
			require.ErrorIs(t, err, wire.Error{Code: wire.CodeUnauthorized})
			return
		}
		require.Contains(t, header, token)
		require.Equal(t, strings.TrimSpace(token), token)
		require.LessOrEqual(t, len(token), wire.MaxToken)
		require.Equal(t, header == "", token == "")
	})
}
