package sdp

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestCredentials(t *testing.T) {
	c := NewCredentials()
	require.NoError(t, c.Validate())
	assert.NotEqual(t, c, NewCredentials())
	for name, bad := range map[string]Credentials{
		"a short ufrag":              {Ufrag: "abc", Pwd: c.Pwd},
		"a short password":           {Ufrag: c.Ufrag, Pwd: c.Pwd[:21]},
		"a password past a block":    {Ufrag: c.Ufrag, Pwd: strings.Repeat("a", 65)},
		"a colon in the ufrag":       {Ufrag: "ab:cd", Pwd: c.Pwd},
		"a line break in a password": {Ufrag: c.Ufrag, Pwd: c.Pwd + "\n"},
	} {
		assert.Error(t, bad.Validate(), name)
	}
}

func TestFingerprint(t *testing.T) {
	a, b := []byte("a certificate"), []byte("another")
	text := string(NewFingerprint(a))
	for _, spelling := range []string{text, strings.ToLower(text), strings.ToUpper(text), " " + text + " "} {
		f, err := ParseFingerprint(spelling)
		require.NoError(t, err)
		assert.True(t, f.Matches(a))
		assert.False(t, f.Matches(b))
	}
	for _, bad := range []string{"", "sha-256", "md5 " + text[8:], "sha-256 AB:CD", text + ":00",
		"sha-256 " + strings.ReplaceAll(text[8:], ":", ""), "sha-256 " + strings.Repeat("ZZ:", 31) + "ZZ"} {
		_, err := ParseFingerprint(bad)
		assert.Error(t, err, bad)
	}
	assert.False(t, Fingerprint("").Matches(a), "no fingerprint matches nothing")
}
