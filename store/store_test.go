package store

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/earshot-audio/earshot/room"
	"github.com/earshot-audio/earshot/store/kv"
)

func TestMain(m *testing.M) {
	if limitedChild() {
		return
	}
	if dir := os.Getenv(asVictim); dir != "" {
		if err := victim(dir, os.Stdout); err != nil {
			fmt.Println("! error", err)
		}
		return
	}
	goleak.VerifyTestMain(m)
}

// anybody may log in.
func anybody(string) error { return nil }

var noon = time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)

// place is where a store is, and can be opened again.
type place struct {
	t   *testing.T
	cfg Config
}

func (p place) open() *Store {
	p.t.Helper()
	s, err := Open(p.t.Context(), p.cfg)
	require.NoError(p.t, err)
	return s
}

// external starts a NATS server with a port, as one that somebody else runs.
func external(t *testing.T) place {
	return place{t, Config{URL: startNATS(t).url()}}
}

// lasting runs a test against an embedded server and an external one.
func lasting(t *testing.T, test func(*testing.T, place)) {
	t.Run("embedded", func(t *testing.T) { test(t, place{t, Config{Dir: t.TempDir()}}) })
	t.Run("external", func(t *testing.T) { test(t, external(t)) })
}

// every runs a test against all kinds of store.
func every(t *testing.T, test func(*testing.T, *Store)) {
	t.Run("memory", func(t *testing.T) {
		s := Memory()
		defer func() { assert.NoError(t, s.Close()) }()
		test(t, s)
	})
	lasting(t, func(t *testing.T, p place) {
		s := p.open()
		defer func() { assert.NoError(t, s.Close()) }()
		test(t, s)
	})
}

func TestStoreSurvivesARestart(t *testing.T) {
	lasting(t, func(t *testing.T, p place) {
		ctx := t.Context()
		s := p.open()
		kept := room.State{
			Config:  room.Config{Name: "b", Title: "Renamed", Owner: "ada", Capacity: 7, Slots: 2, Rules: room.Rules{Hands: room.HandsInvited}},
			Created: noon.Add(time.Second),
			Stage: []room.Member{{ID: "m", Name: "Ada", Role: room.Host, Identity: room.Identity{Account: "ada", TokenFamily: "p"},
				Muted: true, MutedBy: "x", DisconnectedAt: noon, JoinedAt: noon}},
			Blocks:       []room.Block{{Member: "y", Name: "Yo", Identity: room.Identity{TokenFamily: "q"}, By: "m", At: noon}},
			Reservations: []room.Reservation{{Key: "k", Name: "Guest", Role: room.Speaker, Until: noon.Add(time.Hour)}},
		}
		for _, id := range []string{"b", "a.b..c-", "gone"} {
			require.NoError(t, s.PutRoom(room.State{Config: room.Config{Name: id, Title: "The " + id}, Created: noon}))
		}
		require.NoError(t, s.PutRoom(kept))
		ada, key, err := s.CreateAccount(ctx, "Ada", "", 2, noon)
		require.NoError(t, err)
		club, clubCode, err := s.CreateInvite(ctx, Invite{Inviter: ada.ID, Uses: 1, Created: noon, Expires: noon.Add(time.Hour)})
		require.NoError(t, err)
		stage, stageCode, err := s.CreateInvite(ctx, Invite{Room: "b", Role: room.Speaker, Uses: 2, Created: noon, Expires: noon.Add(time.Hour)})
		require.NoError(t, err)
		lost, _, err := s.CreateInvite(ctx, Invite{Room: "gone", Role: room.Listener, Uses: 1, Created: noon, Expires: noon.Add(time.Hour)})
		require.NoError(t, err)
		_, err = s.Redeem(ctx, stageCode, noon)
		require.NoError(t, err)
		s.Audit(AuditEntry{At: noon, Actor: "operator", Action: "room.end", Room: "gone"})
		require.NoError(t, s.PutRoom(room.State{Config: room.Config{Name: "gone"}, Created: noon, Ended: true}))
		require.NoError(t, s.Close())

		s = p.open()
		defer func() { assert.NoError(t, s.Close()) }()
		rooms := s.Rooms()
		require.Len(t, rooms, 2, "the one that ended is gone")
		assert.Equal(t, "a.b..c-", rooms[0].Config.Name)
		assert.Equal(t, kept, rooms[1])

		stage.Used = 1
		assert.ElementsMatch(t, []Invite{club, stage}, s.Invites())
		_, err = s.FindInvite(lost.ID)
		assert.ErrorIs(t, err, ErrNotFound, "an invite ends with its room")
		_, err = s.PeekInvite(clubCode, noon)
		require.NoError(t, err)

		account, err := s.Account(ada.ID)
		require.NoError(t, err)
		assert.Equal(t, 1, account.Invites, "the budget is spent")
		again, err := s.Login(ctx, key, noon.Add(time.Minute), anybody)
		require.NoError(t, err)
		assert.EqualValues(t, 2, again.Login)

		trail, err := s.AuditLog(ctx, "gone", 10)
		require.NoError(t, err)
		assert.Equal(t, []AuditEntry{{At: noon, Actor: "operator", Action: "room.end", Room: "gone"}}, trail, "the trail outlives the room")
	})
}

func TestInviteCodeIsStoredHashed(t *testing.T) {
	s := Memory()
	defer func() { assert.NoError(t, s.Close()) }()
	made, code, err := s.CreateInvite(t.Context(), Invite{Room: "a", Role: room.Listener, Uses: 1, Created: noon, Expires: noon.Add(time.Hour)})
	require.NoError(t, err)
	assert.Len(t, code, CodeLength)
	raw, err := s.invites.bucket.Get(t.Context(), made.ID)
	require.NoError(t, err)
	assert.NotContains(t, string(raw.Data), code)
	assert.Equal(t, made.ID, s.InviteID(code))
	_, key, err := s.CreateAccount(t.Context(), "Ada", "", 2, noon)
	require.NoError(t, err)
	for _, a := range s.accounts.all() {
		assert.NotContains(t, fmt.Sprint(a), key[CodeLength+1:])
	}
}

func TestInviteStatus(t *testing.T) {
	every(t, func(t *testing.T, s *Store) {
		ctx := t.Context()
		invite := func(uses int, ttl time.Duration) (Invite, string) {
			i, code, err := s.CreateInvite(ctx, Invite{Room: "a", Role: room.Speaker, Uses: uses, Created: noon, Expires: noon.Add(ttl)})
			require.NoError(t, err)
			return i, code
		}
		spent, spentCode := invite(2, time.Hour)
		for n := range 2 {
			got, err := s.Redeem(ctx, spentCode, noon)
			require.NoError(t, err)
			assert.Equal(t, n+1, got.Used)
			assert.Equal(t, room.Speaker, got.Role)
		}
		expired, expiredCode := invite(1, time.Second)
		revoked, revokedCode := invite(1, time.Hour)
		_, err := s.RevokeInvite(ctx, revoked.ID, noon)
		require.NoError(t, err)
		_, err = s.RevokeInvite(ctx, NewCode(), noon)
		require.ErrorIs(t, err, ErrNotFound)

		later := noon.Add(time.Second)
		for name, code := range map[string]string{
			"a spent one": spentCode, "an expired one": expiredCode, "a revoked one": revokedCode,
			"an unknown one": NewCode(), "no code": "", "nonsense": "not a code. At all!",
		} {
			_, err := s.Redeem(ctx, code, later)
			assert.Equal(t, ErrUnavailable, err, "%s cannot be told from another", name)
			_, err = s.PeekInvite(code, later)
			assert.Equal(t, ErrUnavailable, err, name)
		}
		for id, want := range map[string]InviteStatus{spent.ID: Spent, expired.ID: Expired, revoked.ID: Revoked} {
			i, err := s.FindInvite(id)
			require.NoError(t, err)
			assert.Equal(t, want, i.Status(later))
		}
		require.NoError(t, s.RemoveExpiredInvites(ctx, later.Add(time.Second)))
		assert.Len(t, s.Invites(), 2, "what ended long ago is cleared away")
	})
}

func TestInviteBudget(t *testing.T) {
	every(t, func(t *testing.T, s *Store) {
		ctx := t.Context()
		ada, _, err := s.CreateAccount(ctx, "Ada", "", 2, noon)
		require.NoError(t, err)
		give := func(uses int) (Invite, error) {
			i, _, err := s.CreateInvite(ctx, Invite{Inviter: ada.ID, Uses: uses, Created: noon, Expires: noon.Add(time.Hour)})
			return i, err
		}
		left := func() int {
			a, err := s.Account(ada.ID)
			require.NoError(t, err)
			return a.Invites
		}
		_, err = give(3)
		require.ErrorIs(t, err, ErrBudget)
		assert.Equal(t, 2, left(), "a refusal costs nothing")
		first, err := give(1)
		require.NoError(t, err)
		_, err = give(1)
		require.NoError(t, err)
		_, err = give(1)
		require.ErrorIs(t, err, ErrBudget)
		for range 2 { // the second time it is revoked already
			_, err = s.RevokeInvite(ctx, first.ID, noon)
			require.NoError(t, err)
			assert.Equal(t, 1, left(), "what is revoked unused comes back, once")
		}
		_, _, err = s.CreateInvite(ctx, Invite{Inviter: "nobody", Uses: 1, Expires: noon})
		require.ErrorIs(t, err, ErrNotFound)
	})
}

func TestLoginEndsTheEarlierLogin(t *testing.T) {
	every(t, func(t *testing.T, s *Store) {
		ctx := t.Context()
		ada, key, err := s.CreateAccount(ctx, "Ada", "", 2, noon)
		require.NoError(t, err)
		for n := range 3 {
			a, err := s.Login(ctx, key, noon.Add(time.Hour), anybody)
			require.NoError(t, err)
			assert.EqualValues(t, n+2, a.Login)
			assert.Equal(t, noon.Add(time.Hour), a.Since)
		}
		for _, wrong := range []string{"", "-", ada.ID, ada.ID + "-", ada.ID + "-" + NewCode(), NewCode() + "-" + key[CodeLength+1:], key + "x"} {
			_, err := s.Login(ctx, wrong, noon, anybody)
			assert.Equal(t, ErrKey, err, "%q", wrong)
		}
		assert.Len(t, s.Accounts(), 1)
	})
}

func TestAuditLogKeepsItsOrder(t *testing.T) {
	every(t, func(t *testing.T, s *Store) {
		for n := range 30 {
			// All at one instant, and one before the others: the order is that of noting.
			s.Audit(AuditEntry{At: noon.Add(-time.Duration(n%2) * time.Second), Actor: "operator", Action: fmt.Sprint(n), Room: []string{"a", "b", ""}[n%3]})
		}
		all, err := s.AuditLog(t.Context(), "", MaxEntries)
		require.NoError(t, err)
		require.Len(t, all, 30)
		for n, e := range all {
			assert.Equal(t, fmt.Sprint(n), e.Action)
		}
		some, err := s.AuditLog(t.Context(), "b", 3)
		require.NoError(t, err)
		require.Len(t, some, 3)
		assert.Equal(t, []string{"22", "25", "28"}, []string{some[0].Action, some[1].Action, some[2].Action})
		for _, wrong := range []int{0, -1, MaxEntries + 1} {
			_, err = s.AuditLog(t.Context(), "", wrong)
			assert.ErrorContains(t, err, "1 to 10000")
		}
	})
}

func TestRedeemOneUseInviteTenThousandTimes(t *testing.T) {
	every(t, func(t *testing.T, s *Store) {
		for _, uses := range []int{1, 7} {
			_, code, err := s.CreateInvite(t.Context(), Invite{Room: "a", Role: room.Listener, Uses: uses, Created: noon, Expires: noon.Add(time.Hour)})
			require.NoError(t, err)
			var seats, refused atomic.Int64
			start := make(chan struct{})
			var all sync.WaitGroup
			for range 10_000 {
				all.Go(func() {
					<-start
					switch _, err := s.Redeem(context.Background(), code, noon); {
					case err == nil:
						seats.Add(1)
					case errors.Is(err, ErrUnavailable):
						refused.Add(1)
					default:
						assert.NoError(t, err)
					}
				})
			}
			close(start)
			all.Wait()
			assert.EqualValues(t, uses, seats.Load())
			assert.EqualValues(t, 10_000-uses, refused.Load())
			i, err := s.FindInvite(s.InviteID(code))
			require.NoError(t, err)
			assert.Equal(t, uses, i.Used)
		}
	})
}

// counting is a bucket that counts what is asked of it.
type counting struct {
	kv.Bucket
	asked atomic.Int64
}

func (c *counting) Put(ctx context.Context, key string, data []byte, revision uint64) (uint64, error) {
	c.asked.Add(1)
	return c.Bucket.Put(ctx, key, data, revision)
}

func (c *counting) Get(ctx context.Context, key string) (kv.Record, error) {
	c.asked.Add(1)
	return c.Bucket.Get(ctx, key)
}

// A code that lets nobody in costs the same work whatever the reason: a hash, a look
// into a map, one judgement. None of them gets as far as the disk, on which the
// reasons would differ. BenchmarkRefusedCodes shows the times.
func TestRedeemUnusableCodeWritesNothing(t *testing.T) {
	s := Memory()
	defer func() { assert.NoError(t, s.Close()) }()
	codes := refused(t, s)
	disk := &counting{Bucket: s.invites.bucket}
	s.invites.bucket = disk
	for name, code := range codes {
		_, err := s.Redeem(t.Context(), code, noon)
		assert.Equal(t, ErrUnavailable, err, name)
		_, err = s.PeekInvite(code, noon)
		assert.Equal(t, ErrUnavailable, err, name)
	}
	assert.Zero(t, disk.asked.Load())
	for _, key := range []string{"", NewCode() + "-" + NewCode()} {
		_, err := s.Login(t.Context(), key, noon, anybody)
		assert.Equal(t, ErrKey, err)
	}
	assert.Zero(t, disk.asked.Load())
}

// refused returns a code of each kind that lets nobody in.
func refused(t testing.TB, s *Store) map[string]string {
	codes := map[string]string{"unknown": NewCode()}
	for name, i := range map[string]Invite{
		"spent":   {Uses: 1, Used: 1, Expires: noon.Add(time.Hour)},
		"expired": {Uses: 1, Expires: noon},
		"revoked": {Uses: 1, Expires: noon.Add(time.Hour), Revoked: true},
	} {
		i.Room, i.Role, i.Created = "a", room.Listener, noon.Add(-time.Hour)
		_, code, err := s.CreateInvite(t.Context(), i)
		require.NoError(t, err)
		codes[name] = code
	}
	return codes
}
