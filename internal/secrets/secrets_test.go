package secrets

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestLoadOrCreateKeepsTheSecret(t *testing.T) {
	path := filepath.Join(t.TempDir(), "data", "token")
	first, err := LoadOrCreate(path)
	require.NoError(t, err)
	assert.Len(t, first, 52)
	again, err := LoadOrCreate(path)
	require.NoError(t, err)
	assert.Equal(t, first, again)
	info, err := os.Stat(path)
	require.NoError(t, err)
	assert.Equal(t, os.FileMode(0o600), info.Mode().Perm())
}

func TestLoadOrCreateRejectsAnEmptyFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "token")
	require.NoError(t, os.WriteFile(path, []byte("\n"), 0o600))
	_, err := LoadOrCreate(path)
	assert.ErrorContains(t, err, "is empty")
}

func TestLoadTakesASecretAsEditorsWriteIt(t *testing.T) {
	path := filepath.Join(t.TempDir(), "token")
	for _, text := range []string{"secret", "secret\n", "secret\r\n", "\ufeffsecret\r\n"} {
		require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
		got, err := Load(path)
		require.NoError(t, err)
		assert.Equal(t, "secret", got)
	}
}
