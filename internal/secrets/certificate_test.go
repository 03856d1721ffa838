package secrets

import (
	"crypto/tls"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestMakeCertificateCoversAllNamesOfItsHost(t *testing.T) {
	data, err := makeCertificate("0.0.0.0", time.Now())
	require.NoError(t, err)
	pair, err := tls.X509KeyPair(data, data)
	require.NoError(t, err)
	assert.True(t, covers(pair.Leaf, "127.0.0.1"))
	assert.True(t, covers(pair.Leaf, ""), "all addresses of this machine")
	assert.False(t, covers(pair.Leaf, "192.0.2.1"))
	assert.False(t, covers(pair.Leaf, "club.example"))
}

func TestSelfSignedMakesItsDirectory(t *testing.T) {
	_, err := SelfSigned("127.0.0.1", filepath.Join(t.TempDir(), "data", "certificate.pem"))
	assert.NoError(t, err)
}

func TestSelfSignedRenewsBeforeExpiry(t *testing.T) {
	path := filepath.Join(t.TempDir(), "certificate.pem")
	old, err := makeCertificate("127.0.0.1", time.Now().Add(-lifetime))
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(path, old, 0o600))
	fresh, err := SelfSigned("127.0.0.1", path)
	require.NoError(t, err)
	assert.True(t, time.Until(fresh.Leaf.NotAfter) > renewBefore)
	again, err := SelfSigned("127.0.0.1", path)
	require.NoError(t, err)
	assert.Equal(t, fresh.Certificate, again.Certificate, "it is kept")
	other, err := SelfSigned("192.0.2.1", path)
	require.NoError(t, err)
	assert.NotEqual(t, fresh.Certificate, other.Certificate, "it is renewed for another host")
}
