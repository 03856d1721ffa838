package lite

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestFingerprintsAreReadInAnySpellingAndCompared(t *testing.T) {
	a, b := must(NewCertificate(time.Now())), must(NewCertificate(time.Now()))
	print := string(a.Fingerprint())
	for _, spelling := range []string{print, strings.ToLower(print), strings.ToUpper(print), " " + print + " "} {
		f, err := ParseFingerprint(spelling)
		require.NoError(t, err)
		assert.True(t, f.Matches(a.tls.Certificate[0]))
		assert.False(t, f.Matches(b.tls.Certificate[0]))
	}
	for _, bad := range []string{"", "sha-256", "md5 " + print[8:], "sha-256 AB:CD", print + ":00",
		"sha-256 " + strings.ReplaceAll(print[8:], ":", ""), "sha-256 " + strings.Repeat("ZZ:", 31) + "ZZ"} {
		_, err := ParseFingerprint(bad)
		assert.Error(t, err, bad)
	}
	assert.False(t, Fingerprint("").Matches(a.tls.Certificate[0]), "no fingerprint matches nothing")
}
