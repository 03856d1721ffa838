package whip

import (
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/earshot-audio/earshot/signaling/wire"
)

// FuzzBearer checks that a bearer token has the syntax of RFC 6750, section 2.1, and is
// in its header as it is, and that a malformed header is not taken for one of another
// scheme.
func FuzzBearer(f *testing.F) {
	for _, seed := range []string{"Bearer a.b.c", "bearer  x= ", "Basic eA==", "Bearer", "Bearer x\x00", "Bearer a b"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, header string) {
		token, err := bearer(&http.Request{Header: http.Header{"Authorization": {header}}})
		if err != nil {
			require.Empty(t, token)
			require.ErrorIs(t, err, wire.Error{Code: wire.CodeUnauthorized})
			require.True(t, strings.EqualFold(strings.TrimSpace(header)[:6], "bearer"))
			return
		}
		require.Contains(t, header, token)
		require.LessOrEqual(t, len(token), wire.MaxToken)
		require.False(t, strings.ContainsAny(token, " \t\r\n\x00\","))
	})
}

// FuzzPrecondition checks that only the session's own tag, or "*", matches.
func FuzzPrecondition(f *testing.F) {
	const tag = `"abcdefghijkl"`
	const space = " \t" // all that HTTP calls so (RFC 9110 section 5.6.3)
	for _, seed := range []string{tag, "*", `"*"`, "W/" + tag, `"x", ` + tag, "abcdefghijkl", "", ","} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, value string) {
		if precondition([]string{value}, tag) == nil {
			require.True(t, strings.Contains(value, tag) || strings.Contains(value, "*"))
			require.False(t, strings.Trim(value, space) == "W/"+tag, "weak")
		} else {
			require.NotEqual(t, tag, strings.Trim(value, space))
		}
		require.Error(t, precondition(nil, tag))
	})
}
