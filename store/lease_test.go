package store

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/earshot-audio/earshot/room"
	"github.com/earshot-audio/earshot/store/stateserver"
)

// shortLease is a lease that a test can wait for.
const shortLease = 3 * time.Second

func portText(port int) string { return strconv.Itoa(port) }

// openOver opens a store of an external server. It is closed with the test.
func openOver(t *testing.T, url string) *Store {
	t.Helper()
	var s *Store
	require.Eventually(t, func() bool { // the machine may be so busy that the last owner renews again
		var err error
		s, err = Open(t.Context(), Config{URL: url, leaseTTL: shortLease})
		require.True(t, err == nil || errors.Is(err, ErrBusy), "%v", err)
		return err == nil
	}, time.Minute, shortLease)
	t.Cleanup(func() {
		if !s.conn.IsClosed() {
			_ = s.Close() // some have been taken over
		}
	})
	return s
}

// ban writes one more block to the first room.
func ban(s *Store, id string) error { return banIn(s, 0, id) }

func banIn(s *Store, which int, id string) error {
	state := s.Rooms()[which]
	state.Blocks = append(append([]room.Block(nil), state.Blocks...), room.Block{Member: room.MemberID(id), At: noon})
	return s.PutRoom(state)
}

func banned(s *Store) map[string]bool {
	all := map[string]bool{}
	for _, r := range s.Rooms() {
		for _, b := range r.Blocks {
			all[string(b.Member)] = true
		}
	}
	return all
}

// TestSharedLeaseIsMadeAnew has the record of the lease vanish, as a replica that was away may say: the cluster holds it all the same,
// and one server by itself takes it for lost.
func TestSharedLeaseIsMadeAnew(t *testing.T) {
	for _, c := range []struct {
		name string
		node string
		want error
	}{
		{"a cluster's", "a", nil},
		{"one server's", "", ErrLost},
	} {
		t.Run(c.name, func(t *testing.T) {
			s, err := Open(t.Context(), Config{URL: startNATS(t).url(), Node: c.node})
			require.NoError(t, err)
			t.Cleanup(func() { _ = s.Close() })
			js, err := jetstream.New(s.conn)
			require.NoError(t, err)
			leases, err := js.KeyValue(t.Context(), stateserver.OwnerBucket)
			require.NoError(t, err)
			require.NoError(t, leases.Purge(t.Context(), "owner"))
			require.ErrorIs(t, s.lease.Renew(t.Context()), c.want)
			if c.want == nil {
				require.NoError(t, s.lease.Check())
			}
		})
	}
}

// TestPausedOwnerWritesNothing pauses the owner of an external store past its lease, with
// a write under way. Another takes over, with all that was acknowledged; what the first
// writes afterwards is refused, and so is what was under way.
func TestPausedOwnerWritesNothing(t *testing.T) {
	nats := startNATS(t)
	way := newRelay(t, nats)
	first := openOver(t, way.url())
	require.NoError(t, first.PutRoom(room.State{Config: room.Config{Name: "a"}, Created: noon}))
	require.NoError(t, ban(first, "before"))
	_, code, err := first.CreateInvite(t.Context(), Invite{Room: "a", Role: room.Listener, Uses: 1, Created: noon, Expires: noon.Add(time.Hour)})
	require.NoError(t, err)

	way.hold(true)
	late := make(chan error, 1)
	go func() { late <- ban(first, "late") }()
	second := openOver(t, nats.url())
	assert.Equal(t, map[string]bool{"before": true}, banned(second))
	way.hold(false)

	require.Error(t, <-late, "it was under way when another server took over, which has not touched the room since")
	require.NoError(t, ban(second, "after"))
	require.Eventually(t, func() bool { return errors.Is(first.Healthy(), ErrLost) }, time.Minute, 10*time.Millisecond)
	require.ErrorIs(t, ban(first, "lost"), ErrLost)
	_, err = first.Redeem(t.Context(), code, noon)
	require.ErrorIs(t, err, ErrLost)
	first.Audit(AuditEntry{At: noon, Actor: "operator", Action: "lost"})
	require.Error(t, first.Flush(t.Context()))
	require.Error(t, first.RemoveExpiredInvites(t.Context(), noon.Add(2*time.Hour)), "nor does it remove anything")
	_, err = second.Redeem(t.Context(), code, noon)
	require.NoError(t, err)
	second.Audit(AuditEntry{At: noon, Actor: "operator", Action: "kept"})
	require.NoError(t, second.Flush(t.Context()))
	first.audit.drop = func(ctx context.Context, announce func(uint64) error) (uint64, error) {
		return dropOldest(ctx, first.buckets["audit"], 0, announce) // however small it is
	}
	first.audit.bound() // its own goroutine waits, for nothing is written any more
	require.NoError(t, second.Healthy())
	require.NoError(t, second.Close())

	third := openOver(t, nats.url())
	assert.Equal(t, map[string]bool{"before": true, "after": true}, banned(third))
	trail, err := third.AuditLog(t.Context(), "", 10)
	require.NoError(t, err)
	require.Len(t, trail, 1, "and drops nothing of the trail")
	assert.Equal(t, "kept", trail[0].Action)
}

// TestRedeemFromTwoServers redeems a one-use invite from an owner and from one that has
// been taken over and does not know yet, at once.
func TestRedeemFromTwoServers(t *testing.T) {
	nats := startNATS(t)
	way := newRelay(t, nats)
	a := openOver(t, way.url())
	_, code, err := a.CreateInvite(t.Context(), Invite{Room: "a", Role: room.Listener, Uses: 1, Created: noon, Expires: noon.Add(time.Hour)})
	require.NoError(t, err)
	way.hold(true)
	b := openOver(t, nats.url())
	way.hold(false)
	var seats atomic.Int64
	var all sync.WaitGroup
	for n := range 1000 {
		all.Go(func() {
			if _, err := []*Store{a, b}[n%2].Redeem(context.Background(), code, noon); err == nil {
				seats.Add(1)
			}
		})
	}
	all.Wait()
	assert.EqualValues(t, 1, seats.Load())
}

// TestOwnerOutlivesItsNATSServer stops and starts the external server. Meanwhile nothing
// is acknowledged, and the store is not ready; then its owner goes on, and nobody else
// gets in between.
func TestOwnerOutlivesItsNATSServer(t *testing.T) {
	t.Parallel()
	nats := startNATS(t)
	url := nats.url()
	s := openOver(t, url)
	require.NoError(t, s.PutRoom(room.State{Config: room.Config{Name: "a"}, Created: noon}))
	for round := range 2 {
		require.NoError(t, ban(s, fmt.Sprint("before-", round)))
		nats.stop()
		require.Error(t, ban(s, "refused"))
		require.Error(t, s.Healthy())
		require.Eventually(t, func() bool { return errors.Is(s.lease.Check(), ErrLapsed) }, time.Minute, 10*time.Millisecond)
		require.ErrorIs(t, ban(s, "refused"), ErrLapsed)
		nats.start()
		other, err := Open(t.Context(), Config{URL: url})
		require.ErrorIs(t, err, ErrBusy, "%v", other)
		require.Eventually(t, func() bool { return s.Healthy() == nil }, time.Minute, 10*time.Millisecond)
		require.NoError(t, ban(s, fmt.Sprint("after-", round)))
	}
	kept := banned(s)
	assert.Len(t, kept, 4)
	require.NoError(t, s.Close())
	assert.Equal(t, kept, banned(openOver(t, url)))
}

// TestNATSServerThatForgotIsSaid puts an older copy of its files in the place of the
// external server's: what it has forgotten is said, and nothing is acknowledged any more.
func TestNATSServerThatForgotIsSaid(t *testing.T) {
	for _, written := range []bool{false, true} {
		t.Run(fmt.Sprintf("and is written to: %t", written), func(t *testing.T) {
			nats := startNATS(t)
			s := openOver(t, nats.url())
			require.NoError(t, s.PutRoom(room.State{Config: room.Config{Name: "a"}, Created: noon}))
			old := filepath.Join(t.TempDir(), "old")
			nats.stop()
			require.NoError(t, os.CopyFS(old, os.DirFS(nats.dir)))
			nats.start()
			require.Eventually(t, func() bool { return s.Healthy() == nil }, time.Minute, 10*time.Millisecond)
			require.NoError(t, ban(s, "forgotten"))
			nats.stop()
			require.NoError(t, os.RemoveAll(nats.dir))
			require.NoError(t, os.CopyFS(nats.dir, os.DirFS(old)))
			nats.start()
			if written {
				require.Eventually(t, func() bool { return errors.Is(ban(s, "new"), ErrFailed) }, time.Minute, 10*time.Millisecond)
			}
			require.Eventually(t, func() bool { return errors.Is(s.Healthy(), ErrFailed) }, time.Minute, 10*time.Millisecond)
			assert.ErrorContains(t, s.Healthy(), "has lost 1 acknowledged writes of the rooms")
			assert.ErrorIs(t, ban(s, "new"), ErrFailed)
		})
	}
}

// TestServersThatFightLoseNothing lets servers take a store over from one another, held
// and let go at random, with their NATS server stopped at times. Each of them bans people
// as long as it may. All bans that were acknowledged are there in the end.
func TestServersThatFightLoseNothing(t *testing.T) {
	t.Parallel()
	const lives, rounds, rooms = 3, 8, 12
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	nats := startNATS(t)
	begun := openOver(t, nats.url())
	for n := range rooms {
		require.NoError(t, begun.PutRoom(room.State{Config: room.Config{Name: fmt.Sprint(n)}, Created: noon}))
	}
	require.NoError(t, begun.Close())

	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var mu sync.Mutex
	acknowledged := map[string]bool{}
	owner := 0 // who was acknowledged last
	var all sync.WaitGroup
	ways := make([]*relay, lives)
	for n := range ways {
		ways[n] = newRelay(t, nats)
		all.Go(func() {
			for life := 0; ctx.Err() == nil; life++ {
				banWhileOwner(ctx, Config{URL: ways[n].url(), leaseTTL: shortLease / 3}, fmt.Sprintf("%d-%d", n, life), func(id string) {
					mu.Lock()
					defer mu.Unlock()
					acknowledged[id], owner = true, n
				})
			}
		})
	}
	count := func() int {
		mu.Lock()
		defer mu.Unlock()
		return len(acknowledged)
	}
	for round := range rounds {
		before := count()
		assert.Eventually(t, func() bool { return count() > before }, time.Minute, 10*time.Millisecond, "somebody goes on")
		mu.Lock()
		held := ways[owner]
		mu.Unlock()
		held.hold(true)
		if round%4 == 3 {
			nats.stop()
			time.Sleep(time.Duration(random.IntN(200)) * time.Millisecond)
			nats.start()
		}
		time.Sleep(shortLease/3 + time.Duration(random.IntN(1000))*time.Millisecond)
		held.hold(false)
	}
	cancel()
	all.Wait()
	last := openOver(t, nats.url())
	kept := banned(last)
	mu.Lock()
	defer mu.Unlock()
	t.Logf("%d bans acknowledged", len(acknowledged))
	for id := range maps.Keys(acknowledged) {
		assert.True(t, kept[id], "the acknowledged ban %s is lost", id)
	}
}

// banWhileOwner bans people, in one room after the other, for as long as the store is this
// server's, and tells which of the bans were acknowledged.
func banWhileOwner(ctx context.Context, cfg Config, life string, acknowledged func(id string)) {
	s, err := Open(ctx, cfg)
	if err != nil {
		time.Sleep(10 * time.Millisecond)
		return
	}
	for count := 0; ctx.Err() == nil && !errors.Is(err, ErrFailed) && !errors.Is(err, ErrLost); count++ {
		id := fmt.Sprintf("%s-%d", life, count)
		if err = banIn(s, count%len(s.Rooms()), id); err == nil {
			acknowledged(id)
		}
		time.Sleep(5 * time.Millisecond)
	}
	_ = s.Close() // it may have been taken over
}
