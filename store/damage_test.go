package store

import (
	"fmt"
	"hash/crc32"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/earshot-audio/earshot/room"
	"github.com/earshot-audio/earshot/store/ledger"
)

// keptRooms is how many rooms a directory holds that is to be damaged.
const keptRooms = 20

// killedDir returns what a killed process leaves: a directory without a last checkpoint.
func killedDir(t *testing.T) string {
	t.Helper()
	_, left := keptDirs(t)
	return left
}

// keptDirs returns what a process leaves that is stopped, and one that is killed.
func keptDirs(t *testing.T) (dir, left string) {
	t.Helper()
	dir, left = t.TempDir(), filepath.Join(t.TempDir(), "left")
	s, err := Open(t.Context(), Config{Dir: dir})
	require.NoError(t, err)
	defer func() { require.NoError(t, s.Close()) }()
	for n := range keptRooms {
		require.NoError(t, s.PutRoom(room.State{Config: room.Config{Name: fmt.Sprint("room-", n)}, Created: noon}))
	}
	require.NoError(t, os.CopyFS(left, os.DirFS(dir)))
	return dir, left
}

// block is the file with the rooms.
func block(t *testing.T, dir string) string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "jetstream", "*", "streams", "KV_earshot-rooms", "msgs", "*.blk"))
	require.NoError(t, err)
	require.Len(t, files, 1)
	return files[0]
}

// TestDamageAfterAKillIsSaid damages what a killed process left, in many places: the
// start has all rooms, or it fails at once and says what is damaged, and a repair goes on
// with the rest and keeps a copy.
func TestDamageAfterAKillIsSaid(t *testing.T) {
	whole := killedDir(t)
	data, err := os.ReadFile(block(t, whole))
	require.NoError(t, err)
	said := 0
	for what, damage := range map[string]func(data []byte, at int){
		"one bit":       func(data []byte, at int) { data[at] ^= 4 },
		"64 zero bytes": func(data []byte, at int) { clear(data[at:min(at+64, len(data))]) },
	} {
		for part := range 6 {
			at := len(data)*part/6 + 7
			t.Run(fmt.Sprintf("%s at %d", what, at), func(t *testing.T) {
				dir := filepath.Join(t.TempDir(), "data")
				require.NoError(t, os.CopyFS(dir, os.DirFS(whole)))
				file := block(t, dir)
				changed := append([]byte(nil), data...)
				damage(changed, at)
				require.NoError(t, os.WriteFile(file, changed, 0o600))
				begun := time.Now()
				s, err := Open(t.Context(), Config{Dir: dir})
				if err == nil {
					assert.Len(t, s.Rooms(), keptRooms, "what JetStream mends without loss is no damage")
					require.NoError(t, s.Close())
					return
				}
				said++
				assert.ErrorContains(t, err, "the data directory "+dir+" is damaged")
				assert.ErrorContains(t, err, "--repair")
				assert.Less(t, time.Since(begun), openTimeout/2)
				s, err = Open(t.Context(), Config{Dir: dir, Repair: true})
				require.NoError(t, err)
				left := len(s.Rooms())
				assert.Less(t, left, keptRooms)
				require.NoError(t, s.PutRoom(room.State{Config: room.Config{Name: "after"}, Created: noon}))
				require.NoError(t, s.Close())
				s, err = Open(t.Context(), Config{Dir: dir})
				require.NoError(t, err, "it is repaired")
				assert.Len(t, s.Rooms(), left+1)
				require.NoError(t, s.Close())
				copies, err := filepath.Glob(filepath.Join(dir, "damaged-*", "jetstream"))
				require.NoError(t, err)
				assert.Len(t, copies, 1)
			})
		}
	}
	assert.Positive(t, said)
}

// TestUnreadableRecordAfterAStopIsSaid damages a record in the middle of what a process
// left that was stopped: JetStream trusts its index, and stops reading there.
func TestUnreadableRecordAfterAStopIsSaid(t *testing.T) {
	dir, _ := keptDirs(t)
	file := block(t, dir)
	data, err := os.ReadFile(file)
	require.NoError(t, err)
	clear(data[len(data)/2 : len(data)/2+64])
	require.NoError(t, os.WriteFile(file, data, 0o600))
	_, err = Open(t.Context(), Config{Dir: dir})
	require.ErrorContains(t, err, "the data directory "+dir+" is damaged")
	s, err := Open(t.Context(), Config{Dir: dir, Repair: true})
	require.NoError(t, err)
	assert.NotEmpty(t, s.Rooms())
	require.NoError(t, s.Close())
}

// TestRecordThatSaysNothingIsSaid puts a record where JetStream and the ledger find it in
// order, and nobody can read it: the start says so, and a repair goes on without it, for
// good.
func TestRecordThatSaysNothingIsSaid(t *testing.T) {
	kept, _ := keptDirs(t)
	for what, data := range map[string]string{
		"no JSON":                     "{",
		"nothing":                     "",
		"zeroes":                      string(make([]byte, 64)),
		"a list":                      "[]",
		"a field of another type":     `{"version":1,"config":"x","created":7,"id":[],"room":[],"name":{}}`,
		"a version that is no number": `{"version":"x"}`,
	} {
		for _, bucket := range []string{"rooms", "invites", "accounts", "plans", "audit"} {
			t.Run(bucket+": "+what, func(t *testing.T) {
				t.Parallel()
				dir := filepath.Join(t.TempDir(), "data")
				require.NoError(t, os.CopyFS(dir, os.DirFS(kept)))
				s, err := Open(t.Context(), Config{Dir: dir})
				require.NoError(t, err)
				s.Audit(AuditEntry{At: noon, Actor: "operator", Action: "kept"})
				require.NoError(t, s.Flush(t.Context()))
				key := keyOf("hostile")
				if bucket == "audit" {
					key = clubAuditKey + ".1"
				}
				revision, err := s.buckets[bucket].Put(t.Context(), key, []byte(data), 0)
				require.NoError(t, err)
				if bucket != "audit" {
					require.NoError(t, s.ledger.Note(bucket, key, ledger.Mark{Kind: ledger.Written, Revision: revision, Sum: crc32.ChecksumIEEE([]byte(data))}))
				}
				require.NoError(t, s.Close())

				cfg := Config{Dir: dir}
				if bucket != "audit" {
					_, err = Open(t.Context(), cfg)
					require.ErrorContains(t, err, "the data directory "+dir+" is damaged: the record hostile of the "+bucket)
					require.ErrorContains(t, err, "--repair")
					cfg.Repair = true
				}
				for range 2 {
					s, err = Open(t.Context(), cfg)
					require.NoError(t, err)
					assert.Len(t, s.Rooms(), keptRooms)
					trail, err := s.AuditLog(t.Context(), "", 10)
					require.NoError(t, err)
					assert.Contains(t, trail, AuditEntry{At: noon, Actor: "operator", Action: "kept"})
					require.NoError(t, s.Close())
					cfg.Repair = false
				}
			})
		}
	}
}

// TestDamagedLedgerIsSaid damages a line of the ledger.
func TestDamagedLedgerIsSaid(t *testing.T) {
	dir := killedDir(t)
	path := filepath.Join(dir, ledger.File)
	data, err := os.ReadFile(path)
	require.NoError(t, err)
	data[len(data)/2] ^= 1
	require.NoError(t, os.WriteFile(path, data, 0o600))
	_, err = Open(t.Context(), Config{Dir: dir})
	require.ErrorContains(t, err, "ledger")

	// A last line that was never ended is what a kill leaves.
	data[len(data)/2] ^= 1
	require.NoError(t, os.WriteFile(path, append(data, "+ rooms x 99"...), 0o600))
	s, err := Open(t.Context(), Config{Dir: dir})
	require.NoError(t, err)
	assert.Len(t, s.Rooms(), keptRooms)
	require.NoError(t, s.Close())
}

// TestRemovedDirectoryIsSaid removes the data directory, or a part of it, while the
// store is open: nothing is acknowledged any more, and the store is not ready.
func TestRemovedDirectoryIsSaid(t *testing.T) {
	for name, remove := range map[string]func(dir string) error{
		"all of it":              os.RemoveAll,
		"the files of JetStream": func(dir string) error { return os.RemoveAll(filepath.Join(dir, "jetstream")) },
		"another is in its place": func(dir string) error {
			return errorsOf(os.Rename(dir, dir+"-old"), os.CopyFS(dir, os.DirFS(dir+"-old")))
		},
	} {
		for _, asked := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, asked before: %t", name, asked), func(t *testing.T) {
				dir := filepath.Join(t.TempDir(), "data")
				s, err := Open(t.Context(), Config{Dir: dir})
				require.NoError(t, err)
				require.NoError(t, s.Healthy())
				require.NoError(t, remove(dir))
				if asked {
					assert.ErrorContains(t, s.Healthy(), "removed or replaced")
				}
				assert.Error(t, s.PutRoom(room.State{Config: room.Config{Name: "x"}, Created: noon}))
				assert.ErrorContains(t, s.Healthy(), "removed or replaced")
				_ = s.Close() // it cannot write its last checkpoint
			})
		}
	}
}

func errorsOf(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}
