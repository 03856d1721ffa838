package store

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/earshot-audio/earshot/room"
)

// asLimited makes the test binary open the directory that the variable names
// while no file may be longer than 4 MiB, and print how that went.
const asLimited = "EARSHOT_TEST_STORE_LIMITED"

func limitedChild() bool {
	dir := os.Getenv(asLimited)
	if dir == "" {
		return false
	}
	signal.Ignore(unix.SIGXFSZ)
	err := unix.Setrlimit(unix.RLIMIT_FSIZE, &unix.Rlimit{Cur: 4 << 20, Max: 4 << 20})
	if err == nil {
		_, err = Open(context.Background(), Config{Dir: dir})
	}
	fmt.Println(err)
	return true
}

func TestOpenOnADirectoryWithoutSpace(t *testing.T) {
	self, err := os.Executable()
	require.NoError(t, err)
	dir := t.TempDir()
	cmd := exec.Command(self)
	cmd.Env = append(os.Environ(), asLimited+"="+dir)
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, string(out))
	assert.Contains(t, string(out), "the data directory "+dir+" has no room for 8 MiB: free some, or choose another")
	left, err := os.ReadDir(dir)
	require.NoError(t, err)
	assert.Empty(t, left, "nothing is left behind")
}

// small mounts a file system of some MiB, or skips the test: that takes root.
func small(t *testing.T, mib int, flags uintptr) string {
	dir := t.TempDir()
	if err := unix.Mount("tmpfs", dir, "tmpfs", flags, fmt.Sprintf("size=%dm", mib)); err != nil {
		t.Skipf("a small file system cannot be mounted here: %v", err)
	}
	t.Cleanup(func() { assert.NoError(t, unix.Unmount(dir, unix.MNT_DETACH)) })
	return dir
}

func TestOpenOnAFullFileSystem(t *testing.T) {
	dir := small(t, 4, 0)
	_, err := Open(t.Context(), Config{Dir: dir})
	require.ErrorIs(t, err, unix.ENOSPC)
	assert.ErrorContains(t, err, "has no room")
}

func TestOpenOnAReadOnlyFileSystem(t *testing.T) {
	dir := small(t, 16, unix.MS_RDONLY)
	_, err := Open(t.Context(), Config{Dir: dir})
	require.ErrorIs(t, err, unix.EROFS)
	assert.ErrorContains(t, err, "cannot be written")
}

func TestOpenOnADirectoryWithoutPermission(t *testing.T) {
	if os.Getuid() == 0 {
		t.Skip("root can write everywhere; the read-only file system stands for it")
	}
	dir := t.TempDir()
	require.NoError(t, os.Chmod(dir, 0o500))
	_, err := Open(t.Context(), Config{Dir: dir})
	assert.ErrorContains(t, err, "cannot be written")
}

// A disk that fills up while the server runs: what cannot be written is not
// acknowledged, the store says that it is ill, and what was acknowledged is there
// when there is room again.
func TestFullDiskLosesNoAcknowledgedWrite(t *testing.T) {
	dir := small(t, 12, 0)
	s, err := Open(t.Context(), Config{Dir: dir})
	require.NoError(t, err)
	require.NoError(t, s.Healthy())
	fill := strings.Repeat("x", 50_000)
	kept := 0
	for err == nil && kept < 1000 {
		if err = s.PutRoom(room.State{Config: room.Config{Name: fmt.Sprint(kept), Title: fill}, Created: noon}); err == nil {
			kept++
		}
	}
	require.Error(t, err, "12 MiB do not hold 50")
	assert.Positive(t, kept)
	require.ErrorContains(t, s.Healthy(), "no space left on device")
	assert.ErrorContains(t, err, "no space left on device")
	assert.Len(t, s.Rooms(), kept, "memory is never ahead of the disk")
	require.NoError(t, s.Close())

	_, err = Open(t.Context(), Config{Dir: dir})
	require.ErrorContains(t, err, "has no room")
	require.NoError(t, unix.Mount("tmpfs", dir, "tmpfs", unix.MS_REMOUNT, "size=64m"))
	s, err = Open(t.Context(), Config{Dir: dir})
	require.NoError(t, err)
	defer func() { assert.NoError(t, s.Close()) }()
	rooms := map[string]bool{}
	for _, r := range s.Rooms() {
		rooms[r.Config.Name] = true
	}
	for n := range kept {
		assert.True(t, rooms[fmt.Sprint(n)], "the acknowledged room %d of %d is lost", n, kept)
	}
	require.NoError(t, s.PutRoom(room.State{Config: room.Config{Name: "after"}, Created: noon}))
}

// Files that were damaged on the disk: the start fails, and says so; it does not go
// on without what was kept. (What JetStream can mend without loss is no damage.)
func TestOpenOnADamagedDirectory(t *testing.T) {
	for name, damage := range map[string]func(file string, data []byte) error{
		"a block is cut short": func(file string, data []byte) error { return os.Truncate(file, int64(len(data)/2)) },
		"a block is emptied":   func(file string, _ []byte) error { return os.Truncate(file, 0) },
		"a block is gone":      func(file string, _ []byte) error { return os.Remove(file) },
		"a block is overwritten": func(file string, data []byte) error {
			for i := range data {
				data[i] ^= 0x55
			}
			return os.WriteFile(file, data, 0o600)
		},
		"a byte in the middle is another": func(file string, data []byte) error {
			data[len(data)/2] ^= 1
			return os.WriteFile(file, data, 0o600)
		},
		"the stream is gone": func(file string, _ []byte) error { return os.RemoveAll(filepath.Dir(filepath.Dir(file))) },
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			s, err := Open(t.Context(), Config{Dir: dir})
			require.NoError(t, err)
			for _, id := range []string{"a", "b", "c", "d"} {
				require.NoError(t, s.PutRoom(room.State{Config: room.Config{Name: id}, Created: noon}))
			}
			require.NoError(t, s.Close())
			files, err := filepath.Glob(filepath.Join(dir, "jetstream", "*", "streams", "KV_earshot-rooms", "msgs", "*.blk"))
			require.NoError(t, err)
			require.Len(t, files, 1)
			data, err := os.ReadFile(files[0])
			require.NoError(t, err)
			require.NoError(t, damage(files[0], data))
			_, err = Open(t.Context(), Config{Dir: dir})
			require.ErrorContains(t, err, "the data directory "+dir+" is damaged: some of its rooms are lost")

			require.NoError(t, os.Remove(filepath.Join(dir, checkpointFile)))
			s, err = Open(t.Context(), Config{Dir: dir})
			require.NoError(t, err, "whoever knows better goes on with what is left")
			assert.Less(t, len(s.Rooms()), 4)
			require.NoError(t, s.Close())
		})
	}
}
