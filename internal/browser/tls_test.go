package browser_test

import (
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"os"
	"path/filepath"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// keyOf returns the SHA-256 of the public key of a certificate in a file, as Chromium
// takes it.
func keyOf(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
		if block.Type != "CERTIFICATE" {
			continue
		}
		certificate, err := x509.ParseCertificate(block.Bytes)
		require.NoError(t, err)
		sum := sha256.Sum256(certificate.RawSubjectPublicKeyInfo)
		return base64.StdEncoding.EncodeToString(sum[:])
	}
	require.FailNow(t, "no certificate", path)
	return ""
}

// A browser that trusts the certificate that the server made, and no other, speaks and
// hears over HTTPS and secure WebSockets.
func TestRoomOverTLS(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	s := serve(t, "--tls-self-signed", "--operator-token", operatorToken, "--data", data)
	c := ownChromium(t, "speech.ogg", chromedp.Flag("ignore-certificate-errors-spki-list", keyOf(t, filepath.Join(data, "tls-self-signed.pem"))))
	ada := c.person("Ada")
	ada.goTo(s.url)
	assert.Equal(t, "https:", eval[string](ada, "location.protocol"))
	ada.fill("Login key or operator’s token", operatorToken)
	ada.click("Sign in")
	ada.sees("You are the operator")
	ada.opensClosedRoom("Board meeting")
	bo := c.person("Bo")
	bo.follows(ada.invites(), "Come in")
	bo.hears(envelopeOf(clip(t, "speech.ogg")))
}
