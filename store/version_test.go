package store

import (
	"archive/tar"
	"compress/gzip"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/earshot-audio/earshot/room"
	"github.com/earshot-audio/earshot/store/ledger"
)

// earlier unpacks a data directory that an earlier version has written, see
// testdata/write-old.
func earlier(t *testing.T, name string) (dir string) {
	t.Helper()
	f, err := os.Open(filepath.Join("testdata", name+".tar.gz"))
	require.NoError(t, err)
	defer func() { require.NoError(t, f.Close()) }()
	unzipped, err := gzip.NewReader(f)
	require.NoError(t, err)
	dir = t.TempDir()
	archive := tar.NewReader(unzipped)
	for {
		h, err := archive.Next()
		if errors.Is(err, io.EOF) {
			return dir
		}
		require.NoError(t, err)
		path := filepath.Join(dir, filepath.FromSlash(h.Name))
		if h.Typeflag == tar.TypeDir {
			require.NoError(t, os.MkdirAll(path, 0o700))
			continue
		}
		data, err := io.ReadAll(archive)
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(path, data, 0o600))
	}
}

// expected is what the earlier version said of its directory over its API.
type expected struct {
	Room, Hers, Ended, Live string
	Ada, Cy, Mal, Eve       struct{ Account, Key string }
	Members                 struct {
		Rooms []struct {
			Room, Name      string
			Capacity, Slots int
			CreatedAt       time.Time `json:"created_at"`
		}
	}
	Invites struct {
		Invites []struct {
			Invite, State, Room, Name string
			Uses, Used                int
			ExpiresAt                 time.Time `json:"expires_at"`
		}
	}
	Audit struct{ Entries []AuditEntry }
}

// TestStoreOfEarlierVersions opens what v0.1.0 left, and what the last version without
// versions in its records left, each of them killed. All is there, changes are kept, and
// later damage is noticed, which v0.1.0 had no ledger for.
func TestStoreOfEarlierVersions(t *testing.T) {
	for _, name := range []string{"v0.1.0", "ledger"} {
		t.Run(name, func(t *testing.T) {
			dir := earlier(t, name)
			_, err := os.Stat(filepath.Join(dir, ledger.File))
			require.Equal(t, name == "v0.1.0", os.IsNotExist(err), "v0.1.0 has no ledger")
			var want expected
			data, err := os.ReadFile(filepath.Join(dir, "expected.json"))
			require.NoError(t, err)
			require.NoError(t, json.Unmarshal(data, &want))
			require.NotEmpty(t, want.Members.Rooms)
			require.NotEmpty(t, want.Invites.Invites)

			s, err := Open(t.Context(), Config{Dir: dir})
			require.NoError(t, err)
			then := s.Rooms()[0].Created
			checkEarlier(t, s, want, then)

			// It goes on with it: old records are changed, and keep the rest of what they say.
			lobby := s.Rooms()[0]
			lobby.Standings = []room.Standing{{Person: "x", Muted: true}}
			require.NoError(t, s.PutRoom(lobby))
			i, err := s.Redeem(t.Context(), want.Live, then)
			require.NoError(t, err)
			assert.Equal(t, 2, i.Used)
			a, err := s.Login(t.Context(), want.Ada.Key, then, anybody)
			require.NoError(t, err)
			assert.Equal(t, int64(2), a.Login)
			require.NoError(t, s.Close())

			s, err = Open(t.Context(), Config{Dir: dir})
			require.NoError(t, err)
			assert.Equal(t, lobby, s.Rooms()[0])
			i, err = s.FindInvite(i.ID)
			require.NoError(t, err)
			assert.Equal(t, 2, i.Used)
			require.NoError(t, s.Close())

			// What is old is in the ledger now as well.
			file := block(t, dir)
			require.NoError(t, os.Truncate(file, 0))
			_, err = Open(t.Context(), Config{Dir: dir})
			require.ErrorContains(t, err, "is damaged")
		})
	}
}

func checkEarlier(t *testing.T, s *Store, want expected, then time.Time) {
	t.Helper()
	rooms := s.Rooms()
	require.Len(t, rooms, len(want.Members.Rooms))
	for n, r := range want.Members.Rooms {
		assert.Equal(t, r.Room, rooms[n].Config.Name)
		assert.Equal(t, r.Name, rooms[n].Config.Title)
		assert.Equal(t, r.Capacity, rooms[n].Config.Capacity)
		assert.Equal(t, r.Slots, rooms[n].Config.Slots)
		assert.True(t, r.CreatedAt.Equal(rooms[n].Created))
		_, err := room.Restore(rooms[n], then)
		assert.NoError(t, err, "a room can be made of it")
	}
	lobby, hers := rooms[0], rooms[1]
	assert.Equal(t, want.Room, lobby.Config.Name)
	assert.Equal(t, want.Ada.Account, hers.Config.Owner)
	require.Len(t, lobby.Blocks, 2)
	assert.Equal(t, "Eve", lobby.Blocks[0].Name)
	assert.NotEmpty(t, lobby.Blocks[0].TokenFamily)
	assert.Equal(t, want.Mal.Account, lobby.Blocks[1].Account)
	require.Len(t, lobby.Reservations, 1)
	assert.Equal(t, "Bo", lobby.Reservations[0].Name)

	assert.Len(t, s.Invites(), len(want.Invites.Invites))
	states := map[string]bool{}
	for _, w := range want.Invites.Invites {
		i, err := s.FindInvite(w.Invite)
		require.NoError(t, err)
		states[w.State] = true
		assert.Equal(t, []any{w.State, w.Room, w.Name, w.Uses, w.Used}, []any{string(i.Status(then)), i.Room, i.Name, i.Uses, i.Used})
		assert.True(t, w.ExpiresAt.Equal(i.Expires))
	}
	assert.Subset(t, states, map[string]bool{"live": true, "spent": true, "revoked": true})
	_, err := s.PeekInvite(want.Live, then)
	assert.NoError(t, err)

	assert.Len(t, s.Accounts(), 3)
	for _, who := range []struct{ Account, Key string }{want.Ada, want.Cy} {
		a, err := s.Account(who.Account)
		require.NoError(t, err)
		assert.Equal(t, digest(strings.Split(who.Key, "-")[1]), a.Key)
	}
	cy, err := s.Account(want.Cy.Account)
	require.NoError(t, err)
	assert.Equal(t, want.Ada.Account, cy.Inviter)

	trail, err := s.AuditLog(t.Context(), "", MaxEntries)
	require.NoError(t, err)
	if time.Since(then) < auditRetention {
		assert.Equal(t, want.Audit.Entries, trail)
	} // else JetStream has dropped it, as it should
}

// TestNewerRecordIsRefused writes records as a newer version may: a start refuses them,
// and leaves them as they are.
func TestNewerRecordIsRefused(t *testing.T) {
	newer := fmt.Appendf(nil, `{"version":%d,"Config":7,"at":{"a":1}}`, recordVersion+1)
	for _, bucketName := range []string{"rooms", "invites", "accounts", "plans"} {
		t.Run(bucketName, func(t *testing.T) {
			lasting(t, func(t *testing.T, p place) {
				s := p.open()
				_, err := s.buckets[bucketName].Put(t.Context(), keyOf("new"), newer, 0)
				require.NoError(t, err)
				require.NoError(t, s.Close())
				for _, repair := range []bool{false, true} {
					cfg := p.cfg
					cfg.Repair = repair
					_, err = Open(t.Context(), cfg)
					require.ErrorIs(t, err, ErrNewer)
					assert.ErrorContains(t, err, "the record new of the "+bucketName)
				}
			})
		})
	}
	t.Run("while it runs", func(t *testing.T) {
		every(t, func(t *testing.T, s *Store) {
			require.NoError(t, s.PutRoom(room.State{Config: room.Config{Name: "a"}, Created: noon}))
			_, err := s.rooms.bucket.Put(t.Context(), keyOf("a"), newer, s.rooms.rows[keyOf("a")].revision)
			require.NoError(t, err)
			require.ErrorIs(t, s.PutRoom(room.State{Config: room.Config{Name: "a"}, Created: noon}), ErrNewer)
			r, err := s.rooms.bucket.Get(t.Context(), keyOf("a"))
			require.NoError(t, err)
			assert.Equal(t, newer, r.Data, "it is as it was")
		})
	})
	t.Run("the audit trail", func(t *testing.T) {
		every(t, func(t *testing.T, s *Store) {
			_, err := s.audit.bucket.Put(t.Context(), clubAuditKey+".1", newer, 0)
			require.NoError(t, err)
			_, err = s.AuditLog(t.Context(), "", 1)
			require.ErrorIs(t, err, ErrNewer)
		})
	})
}

// TestNewerDirectoryIsRefusedUntouched raises the version in the checkpoint: not a byte
// of the directory is another after the start that fails, with --repair either.
func TestNewerDirectoryIsRefusedUntouched(t *testing.T) {
	dir, _ := keptDirs(t)
	path := filepath.Join(dir, checkpointFile)
	data, err := os.ReadFile(path)
	require.NoError(t, err)
	own := fmt.Sprintf(`"%s":{"last":%d}`, checkpointVersion, recordVersion)
	require.Contains(t, string(data), own)
	raised := strings.Replace(string(data), own, strings.Replace(own, fmt.Sprint(recordVersion), fmt.Sprint(recordVersion+1), 1), 1)
	require.NoError(t, os.WriteFile(path, []byte(raised), 0o600))
	before := sumOf(t, dir)
	for _, repair := range []bool{false, true} {
		_, err = Open(t.Context(), Config{Dir: dir, Repair: repair})
		require.ErrorIs(t, err, ErrNewer)
		assert.ErrorContains(t, err, dir)
	}
	assert.Equal(t, before, sumOf(t, dir))
}

// sumOf returns the digest of all names and files of a directory.
func sumOf(t *testing.T, dir string) (sum [sha256.Size]byte) {
	t.Helper()
	var all []byte
	require.NoError(t, filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		all = append(all, path...)
		if err == nil && d.Type().IsRegular() {
			var data []byte
			data, err = os.ReadFile(path)
			all = append(all, data...)
		}
		return err
	}))
	return sha256.Sum256(all)
}

// TestLostLedgerIsSaid removes the ledger of a directory: only v0.1.0 had none.
func TestLostLedgerIsSaid(t *testing.T) {
	dir := killedDir(t)
	require.NoError(t, os.Remove(filepath.Join(dir, ledger.File)))
	_, err := Open(t.Context(), Config{Dir: dir})
	require.ErrorContains(t, err, "its ledger is lost")
	s, err := Open(t.Context(), Config{Dir: dir, Repair: true})
	require.NoError(t, err)
	assert.Len(t, s.Rooms(), keptRooms)
	require.NoError(t, s.Close())
}

// TestFieldsHaveAVersion holds the fields of the records against those of the version
// that the program writes. An earlier program would drop a new field when it writes a
// record anew: it must refuse the record instead.
func TestFieldsHaveAVersion(t *testing.T) {
	var have []string
	for name, record := range map[string]any{"room": room.State{}, "invite": Invite{}, "account": Account{}, "plan": Plan{}, "audit": AuditEntry{}} {
		have = append(have, fieldsOf(name, reflect.TypeOf(record))...)
	}
	slices.Sort(have)
	path := filepath.Join("testdata", fmt.Sprintf("fields-%d.txt", recordVersion))
	want, err := os.ReadFile(path)
	if os.Getenv("UPDATE") != "" && os.IsNotExist(err) { // a new version; a version's fields are never changed
		want = []byte(strings.Join(have, "\n") + "\n")
		require.NoError(t, os.WriteFile(path, want, 0o600))
		err = nil
	}
	require.NoError(t, err, "write it with UPDATE=1 go test ./store -run TestFieldsHaveAVersion")
	assert.Equal(t, strings.Fields(string(want)), have,
		"the fields of the records are others than those of version %d: raise recordVersion, unless no release has written that version", recordVersion)
}

// fieldsOf returns the paths of a type's fields in JSON.
func fieldsOf(path string, of reflect.Type) (paths []string) {
	for of.Kind() == reflect.Slice || of.Kind() == reflect.Pointer {
		of = of.Elem()
	}
	if of.Kind() != reflect.Struct || of == reflect.TypeFor[time.Time]() {
		return []string{path}
	}
	for n := range of.NumField() {
		f := of.Field(n)
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		switch {
		case !f.IsExported() || name == "-":
		case f.Anonymous && name == "":
			paths = append(paths, fieldsOf(path, f.Type)...)
		case name == "":
			paths = append(paths, fieldsOf(path+"."+f.Name, f.Type)...)
		default:
			paths = append(paths, fieldsOf(path+"."+name, f.Type)...)
		}
	}
	return paths
}
