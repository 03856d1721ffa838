package secrets

import (
	"os"
	"path/filepath"
	"runtime"
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

func TestLooseSecretsAreRefused(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("modes say nothing here")
	}
	dir := t.TempDir()
	token, certificate := filepath.Join(dir, "token"), filepath.Join(dir, "certificate.pem")
	_, err := LoadOrCreate(token)
	require.NoError(t, err)
	_, err = SelfSigned("127.0.0.1", certificate)
	require.NoError(t, err)
	for mode, refused := range map[os.FileMode]bool{
		0o600: false, 0o400: false, 0o640: false, 0o660: false, 0o644: true, 0o604: true, 0o602: true, 0o666: true, 0o777: true,
	} {
		for path, read := range map[string]func() error{
			token:       func() error { _, err := LoadOrCreate(token); return err },
			certificate: func() error { _, err := SelfSigned("127.0.0.1", certificate); return err },
		} {
			require.NoError(t, os.Chmod(path, mode))
			err := read()
			if refused {
				assert.ErrorContains(t, err, "chmod 600 "+path, "%04o", mode)
			} else {
				assert.NoError(t, err, "%04o", mode)
			}
		}
	}
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
