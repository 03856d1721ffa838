package store

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestOpenRefusesASecondOwner(t *testing.T) {
	lasting(t, func(t *testing.T, p place) {
		s := p.open()
		_, err := Open(t.Context(), p.cfg)
		require.ErrorIs(t, err, ErrBusy)
		require.NoError(t, s.Close())
		require.NoError(t, p.open().Close(), "and is free when that is gone")
	})
}

func TestOpenOnAnUnusableDirectory(t *testing.T) {
	for name, row := range map[string]struct {
		make func(t *testing.T, dir string) string
		text string
	}{
		"a file is in its place": {func(t *testing.T, dir string) string {
			path := filepath.Join(dir, "file")
			require.NoError(t, os.WriteFile(path, []byte("x"), 0o600))
			return path
		}, "make the data directory"},
		"a file is in the place of the server's own": {func(t *testing.T, dir string) string {
			require.NoError(t, os.WriteFile(filepath.Join(dir, "jetstream"), []byte("x"), 0o600))
			return dir
		}, "the data directory"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Open(t.Context(), Config{Dir: row.make(t, t.TempDir())})
			require.Error(t, err)
			assert.ErrorContains(t, err, row.text)
		})
	}
}

func TestOpenOnAnUnusableExternalServer(t *testing.T) {
	_, err := Open(t.Context(), Config{URL: "nats://127.0.0.1:1"})
	require.ErrorContains(t, err, "reach the NATS server of the store")
	_, err = Open(t.Context(), Config{URL: "::"})
	require.Error(t, err)
}
