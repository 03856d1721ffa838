package wholefile

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestFullDeviceIsAnError(t *testing.T) {
	require.NoError(t, Check("/dev/full"), "it is no file: nothing is written to it before the end")
	require.ErrorIs(t, Write("/dev/full", Public, content("new")), syscall.ENOSPC)
}

// TestFullDiskLeavesWhatWasThere writes to a disk of two pages.
func TestFullDiskLeavesWhatWasThere(t *testing.T) {
	dir := t.TempDir()
	if err := syscall.Mount("none", dir, "tmpfs", 0, "size=8k"); err != nil {
		t.Skip("mounting a small disk is not allowed:", err)
	}
	defer func() { require.NoError(t, syscall.Unmount(dir, 0)) }()
	old := filepath.Join(dir, "old")
	require.NoError(t, Write(old, Public, content("old")))
	large := strings.Repeat("x", 20_000)
	for _, path := range []string{old, filepath.Join(dir, "new")} {
		require.NoError(t, Check(path))
		require.ErrorIs(t, Write(path, Public, content(large)), syscall.ENOSPC)
	}
	require.ErrorIs(t, New(filepath.Join(dir, "made"), []byte(large)), syscall.ENOSPC)
	holds(t, dir, map[string]string{"old": "old"})
}

// TestNoFileLeftToOpenLeavesWhatWasThere writes when the process is at its limit of files.
func TestNoFileLeftToOpenLeavesWhatWasThere(t *testing.T) {
	dir := t.TempDir()
	old := filepath.Join(dir, "old")
	require.NoError(t, Write(old, Public, content("old")))
	var limit syscall.Rlimit
	require.NoError(t, syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit))
	defer func() { require.NoError(t, syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit)) }()
	require.NoError(t, syscall.Setrlimit(syscall.RLIMIT_NOFILE, &syscall.Rlimit{Cur: 64, Max: limit.Max}))
	var open []*os.File
	var full error
	for range 65 {
		f, err := os.Open(os.DevNull)
		if full = err; err != nil {
			break
		}
		open = append(open, f)
	}
	require.ErrorIs(t, full, syscall.EMFILE)
	for _, path := range []string{old, filepath.Join(dir, "new")} {
		require.ErrorIs(t, Check(path), syscall.EMFILE)
		require.ErrorIs(t, Write(path, Public, content("new")), syscall.EMFILE)
	}
	for _, f := range open {
		require.NoError(t, f.Close())
	}
	holds(t, dir, map[string]string{"old": "old"})
}

// TestMountedFileIsWrittenInPlace: a file that is mounted into a container can't be replaced.
func TestMountedFileIsWrittenInPlace(t *testing.T) {
	dir := t.TempDir()
	outside, inside := filepath.Join(dir, "outside"), filepath.Join(dir, "inside")
	for _, path := range []string{outside, inside} {
		require.NoError(t, os.WriteFile(path, nil, 0o600))
	}
	if err := syscall.Mount(outside, inside, "", syscall.MS_BIND, ""); err != nil {
		t.Skip("mounting is not allowed:", err)
	}
	defer func() { require.NoError(t, syscall.Unmount(inside, 0)) }()
	require.NoError(t, Check(inside))
	require.NoError(t, Write(inside, Public, content("new")))
	holds(t, dir, map[string]string{"outside": "new", "inside": "new"})
}
