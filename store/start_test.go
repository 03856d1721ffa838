package store

import (
	"bytes"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
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

// TestLooseDirectoryIsSaid opens directories into which everybody can put files, or not.
func TestLooseDirectoryIsSaid(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("modes say nothing here")
	}
	for mode, loose := range map[os.FileMode]bool{0o700: false, 0o755: false, 0o770: false, 0o777: true, 0o702: true, 0o777 | os.ModeSticky: true} {
		dir := filepath.Join(t.TempDir(), "data")
		require.NoError(t, os.Mkdir(dir, 0o700))
		require.NoError(t, os.Chmod(dir, mode))
		var said bytes.Buffer
		s, err := Open(t.Context(), Config{Dir: dir, Log: slog.New(slog.NewTextHandler(&said, nil))})
		require.NoError(t, err)
		require.NoError(t, s.Close())
		assert.Equal(t, loose, strings.Contains(said.String(), "replace its keys"), "%v: %s", mode, said.String())
	}
}

func TestOpenOnAnUnusableExternalServer(t *testing.T) {
	_, err := Open(t.Context(), Config{URL: "nats://127.0.0.1:1"})
	require.ErrorContains(t, err, "reach the NATS server of the store")
	_, err = Open(t.Context(), Config{URL: "::"})
	require.Error(t, err)
}

// TestOpenOnAServerThatRefusesABucket has a stream in the way that is no bucket.
func TestOpenOnAServerThatRefusesABucket(t *testing.T) {
	n := startNATS(t)
	conn, err := nats.Connect(n.url())
	require.NoError(t, err)
	defer conn.Close()
	js, err := jetstream.New(conn)
	require.NoError(t, err)
	_, err = js.CreateStream(t.Context(), jetstream.StreamConfig{Name: "KV_earshot-rooms", Subjects: []string{"other"}, Storage: jetstream.MemoryStorage})
	require.NoError(t, err)
	_, err = Open(t.Context(), Config{URL: n.url()})
	require.ErrorContains(t, err, "open the rooms of the store")
}
