package wholefile

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func content(text string) func(io.Writer) error {
	return func(w io.Writer) error {
		_, err := io.WriteString(w, text)
		return err
	}
}

// holds checks that a directory has these files, and nothing besides.
func holds(t *testing.T, dir string, want map[string]string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	got := map[string]string{}
	for _, e := range entries {
		data, err := os.ReadFile(filepath.Join(dir, e.Name()))
		require.NoError(t, err)
		got[e.Name()] = string(data)
	}
	assert.Equal(t, want, got)
}

func TestWrite(t *testing.T) {
	for _, c := range []struct {
		name  string
		there map[string]string
		links map[string]string
		path  string
		want  map[string]string
	}{
		{"a new file", nil, nil, "a", map[string]string{"a": "new"}},
		{"a file that is there is replaced", map[string]string{"a": "old and longer"}, nil, "a", map[string]string{"a": "new"}},
		{"a link is followed", map[string]string{"a": "old"}, map[string]string{"l": "a"}, "l", map[string]string{"a": "new", "l": "new"}},
		{"a link to what is not there yet is followed", nil, map[string]string{"l": "a"}, "l", map[string]string{"a": "new", "l": "new"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			for name, text := range c.there {
				require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600))
			}
			for name, to := range c.links {
				require.NoError(t, os.Symlink(to, filepath.Join(dir, name)))
			}
			path := filepath.Join(dir, c.path)
			require.NoError(t, Check(path))
			require.NoError(t, Write(path, Public, content("new")))
			holds(t, dir, c.want)
			for name := range c.links {
				info, err := os.Lstat(filepath.Join(dir, name))
				require.NoError(t, err)
				assert.NotZero(t, info.Mode()&fs.ModeSymlink, "%s is a link still", name)
			}
			if c.there != nil {
				info, err := os.Stat(path)
				require.NoError(t, err)
				assert.Equal(t, fs.FileMode(0o600), info.Mode().Perm(), "its permissions")
			}
		})
	}
}

func TestCheckLeavesNothingBehind(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, Check(filepath.Join(dir, "new")))
	holds(t, dir, map[string]string{})
	old := filepath.Join(dir, "old")
	require.NoError(t, os.WriteFile(old, []byte("old"), 0o600))
	require.NoError(t, Check(old))
	holds(t, dir, map[string]string{"old": "old"})
	require.ErrorContains(t, Check(dir), "is a directory")
	require.ErrorContains(t, Check(filepath.Join(dir, "no", "where")), "can't be written: no such file or directory")
}

func TestWhatCannotBeWrittenLeavesWhatWasThere(t *testing.T) {
	dir := t.TempDir()
	old := filepath.Join(dir, "old")
	require.NoError(t, os.WriteFile(old, []byte("old"), 0o600))
	broken := errors.New("the report is broken")
	half := func(w io.Writer) error {
		_, err := io.WriteString(w, "half")
		return errors.Join(err, broken)
	}
	require.ErrorIs(t, Write(old, Public, half), broken)
	require.ErrorIs(t, Write(filepath.Join(dir, "new"), Public, half), broken)
	require.ErrorIs(t, New(old, []byte("new")), fs.ErrExist)
	holds(t, dir, map[string]string{"old": "old"})
}
