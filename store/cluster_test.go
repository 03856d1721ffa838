package store

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/earshot-audio/earshot/room"
)

// openNode opens the store of a NATS server as a node of a cluster. It is closed with the
// test.
func openNode(t *testing.T, url, node string) *Store {
	t.Helper()
	s, err := Open(t.Context(), Config{URL: url, Node: node, leaseTTL: shortLease})
	require.NoError(t, err)
	t.Cleanup(func() {
		if !s.conn.IsClosed() {
			_ = s.Close()
		}
	})
	return s
}

func eventually(t *testing.T, holds func() bool, what string) {
	t.Helper()
	require.Eventually(t, holds, time.Minute, 10*time.Millisecond, what)
}

// TestNodesSeeOneAnother changes things at one node of a cluster and looks at them at
// another.
func TestNodesSeeOneAnother(t *testing.T) {
	nats := startNATS(t)
	a, b := openNode(t, nats.url(), "a"), openNode(t, nats.url(), "b")
	var changes atomic.Int64
	b.OnRoom(func(id string) {
		if id == "lobby" {
			changes.Add(1)
		}
	})

	require.NoError(t, a.PutRoom(room.State{Config: room.Config{Name: "lobby", Owner: "ada"}, Created: noon}))
	eventually(t, func() bool { owner, there := b.Owner("lobby"); return there && owner == "a" }, "the room and its owner")
	eventually(t, func() bool { return changes.Load() > 0 }, "and says so")
	assert.Equal(t, 1, b.OwnedBy("ada"))

	account, key, err := a.CreateAccount(t.Context(), "Ada", "", 2, noon)
	require.NoError(t, err)
	again, err := b.Login(t.Context(), key, noon, anybody)
	require.NoError(t, err, "an account that was made just now is known everywhere")
	assert.Equal(t, account.Login+1, again.Login)
	require.NoError(t, a.RefreshAccount(t.Context(), account.ID))
	known, err := a.Account(account.ID)
	require.NoError(t, err)
	assert.Equal(t, again.Login, known.Login, "so is a login: earlier tokens are refused")

	_, err = a.PutPlan(t.Context(), planned("friday", account.ID, noon))
	require.NoError(t, err)
	_, err = b.Plan(t.Context(), "friday")
	require.NoError(t, err, "and a plan")
	require.NoError(t, b.RemovePlan(t.Context(), "friday"))
	eventually(t, func() bool { return len(a.Plans()) == 0 }, "removed everywhere")

	invite, code, err := a.CreateInvite(t.Context(), Invite{Room: "lobby", Role: room.Listener, Uses: 1, Created: noon, Expires: noon.Add(time.Hour)})
	require.NoError(t, err)
	_, err = b.Redeem(t.Context(), code, noon)
	require.NoError(t, err, "and an invite")
	eventually(t, func() bool { i, err := a.FindInvite(invite.ID); return err == nil && i.Used == 1 }, "used up everywhere")

	require.NoError(t, a.PutRoom(room.State{Config: room.Config{Name: "lobby"}, Created: noon, Ended: true}))
	eventually(t, func() bool { _, there := b.Owner("lobby"); return !there }, "an ended room is gone")
	eventually(t, func() bool { return len(b.Invites()) == 0 }, "and its invites")
}

// TestRedeemFromManyNodes redeems an invite of many uses at three nodes at once: each use
// is given once.
func TestRedeemFromManyNodes(t *testing.T) {
	const uses, tries = 7, 300
	nats := startNATS(t)
	nodes := []*Store{openNode(t, nats.url(), "a"), openNode(t, nats.url(), "b"), openNode(t, nats.url(), "c")}
	_, code, err := nodes[0].CreateInvite(t.Context(), Invite{Room: "a", Role: room.Listener, Uses: uses, Created: noon, Expires: noon.Add(time.Hour)})
	require.NoError(t, err)
	var given, refused atomic.Int64
	var all sync.WaitGroup
	for n := range tries {
		all.Go(func() {
			switch _, err := nodes[n%len(nodes)].Redeem(t.Context(), code, noon); {
			case err == nil:
				given.Add(1)
			case errors.Is(err, ErrUnavailable):
				refused.Add(1)
			}
		})
	}
	all.Wait()
	assert.EqualValues(t, uses, given.Load())
	assert.EqualValues(t, tries-uses, refused.Load(), "nobody is refused for another reason")
}

// TestRoomHasOneOwner lets nodes claim a room at once, from one another, many times. One
// gets it each time, and from then on only that one can write it.
func TestRoomHasOneOwner(t *testing.T) {
	nats := startNATS(t)
	names := []string{"a", "b", "c"}
	nodes := map[string]*Store{}
	for _, name := range names {
		nodes[name] = openNode(t, nats.url(), name)
	}
	state := room.State{Config: room.Config{Name: "lobby"}, Created: noon}
	require.NoError(t, nodes["a"].PutRoom(state))
	for round := range 20 {
		owner, _ := nodes["a"].Owner("lobby")
		for _, name := range names {
			eventually(t, func() bool { is, _ := nodes[name].Owner("lobby"); return is == owner }, "all know the owner")
		}
		var won atomic.Int64
		var next atomic.Value
		var all sync.WaitGroup
		for _, name := range names {
			if name != owner {
				all.Go(func() {
					if _, err := nodes[name].Claim(t.Context(), "lobby", owner); err == nil {
						won.Add(1)
						next.Store(name)
					} else {
						assert.ErrorIs(t, err, ErrNotOwner)
					}
				})
			}
		}
		all.Wait()
		require.EqualValues(t, 1, won.Load(), "round %d", round)
		for _, name := range names {
			err := nodes[name].PutRoom(state)
			if name == next.Load() {
				assert.NoError(t, err)
			} else {
				assert.ErrorIs(t, err, ErrNotOwner, "round %d: %s", round, name)
			}
		}
		eventually(t, func() bool { is, _ := nodes["a"].Owner("lobby"); return is == next.Load() }, "the owner")
	}
}

// TestOwnerThatHasLostARoomDoesNotBringItBack ends a room at its new owner: the former one
// can neither end it nor make it again.
func TestOwnerThatHasLostARoomDoesNotBringItBack(t *testing.T) {
	nats := startNATS(t)
	a, b := openNode(t, nats.url(), "a"), openNode(t, nats.url(), "b")
	state := room.State{Config: room.Config{Name: "lobby"}, Created: noon}
	require.NoError(t, a.PutRoom(state))
	_, err := b.Claim(t.Context(), "lobby", "a")
	require.NoError(t, err)
	ended := state
	ended.Ended = true
	require.ErrorIs(t, a.PutRoom(ended), ErrNotOwner)
	require.NoError(t, b.PutRoom(ended))
	eventually(t, func() bool { _, there := a.Owner("lobby"); return !there }, "it has ended")
	require.ErrorIs(t, a.PutRoom(state), ErrNotOwner)
	_, err = a.Claim(t.Context(), "lobby", "b")
	require.ErrorIs(t, err, ErrNotFound)
}

// TestReleasedRoomKeepsItsLastState hands a room over.
func TestReleasedRoomKeepsItsLastState(t *testing.T) {
	nats := startNATS(t)
	a, b := openNode(t, nats.url(), "a"), openNode(t, nats.url(), "b")
	state := room.State{Config: room.Config{Name: "lobby"}, Created: noon}
	require.NoError(t, a.PutRoom(state))
	state.Blocks = []room.Block{{Member: "mal", At: noon}}
	require.NoError(t, a.Release(t.Context(), state))
	require.ErrorIs(t, a.PutRoom(state), ErrNotOwner)
	eventually(t, func() bool { owner, there := b.Owner("lobby"); return there && owner == "" }, "it is nobody's")
	got, err := b.Claim(t.Context(), "lobby", "")
	require.NoError(t, err)
	assert.Equal(t, state, got)
}

// TestClusterAndOneServerExcludeEachOther opens a store that a cluster has as one server,
// and the other way round.
func TestClusterAndOneServerExcludeEachOther(t *testing.T) {
	nats := startNATS(t)
	a := openNode(t, nats.url(), "a")
	require.NoError(t, a.PutRoom(room.State{Config: room.Config{Name: "lobby"}, Created: noon}))
	_, err := Open(t.Context(), Config{URL: nats.url(), leaseTTL: shortLease})
	require.ErrorIs(t, err, ErrBusy)
	b := openNode(t, nats.url(), "b")
	require.NoError(t, b.Close())
	require.NoError(t, a.Healthy(), "a node that leaves takes nothing from the others")
	require.NoError(t, a.Close())

	one := openOver(t, nats.url()) // when the cluster's lease has run out
	assert.Len(t, one.Rooms(), 1)
	require.NoError(t, ban(one, "mal"))
	_, err = Open(t.Context(), Config{URL: nats.url(), Node: "c", leaseTTL: shortLease})
	require.ErrorIs(t, err, ErrBusy)
	require.NoError(t, one.Close())
	c := openNode(t, nats.url(), "c")
	assert.Equal(t, map[string]bool{"mal": true}, banned(c))
	owner, there := c.Owner("lobby")
	assert.True(t, there)
	assert.Empty(t, owner, "one server frees the rooms that it writes")
}

// TestNodesOutliveTheirNATSServer stops and starts the NATS server of a cluster. What is
// written meanwhile is refused, and afterwards all see what each writes.
func TestNodesOutliveTheirNATSServer(t *testing.T) {
	t.Parallel()
	nats := startNATS(t)
	a, b := openNode(t, nats.url(), "a"), openNode(t, nats.url(), "b")
	require.NoError(t, a.PutRoom(room.State{Config: room.Config{Name: "lobby"}, Created: noon}))
	for round := range 2 {
		nats.stop()
		require.Error(t, ban(a, "refused"))
		require.Error(t, a.Healthy())
		nats.start()
		if !assert.Eventually(t, func() bool { return a.Healthy() == nil && b.Healthy() == nil }, time.Minute, 10*time.Millisecond, "both are back") {
			require.FailNow(t, "one is not", "round %d: a: %v, b: %v", round, a.Healthy(), b.Healthy())
		}
		id := fmt.Sprint("after-", round)
		eventually(t, func() bool { return ban(a, id) == nil }, "a writes again")
		eventually(t, func() bool { return banned(b)[id] }, "and b sees it")
	}
	assert.NotContains(t, banned(b), "refused")
}

// TestNodeWritesWhileItsServerIsInspected has a node write all the time while it holds its NATS server against what
// it knows: what is acknowledged meanwhile is not lost.
func TestNodeWritesWhileItsServerIsInspected(t *testing.T) {
	a := openNode(t, startNATS(t).url(), "a")
	state := room.State{Config: room.Config{Name: "lobby"}, Created: noon}
	require.NoError(t, a.PutRoom(state))
	var inspected atomic.Bool
	var writing sync.WaitGroup
	writing.Go(func() {
		for written := true; written && !inspected.Load(); {
			written = assert.NoError(t, a.PutRoom(state))
		}
	})
	for range 100 {
		assert.NoError(t, a.inspectTables(t.Context()))
	}
	inspected.Store(true)
	writing.Wait()
	assert.NoError(t, a.Healthy())
}

// TestNodesShareSecrets asks for one secret at several nodes at once.
func TestNodesShareSecrets(t *testing.T) {
	nats := startNATS(t)
	var all sync.WaitGroup
	got := make([]string, 3)
	for i := range got {
		s := openNode(t, nats.url(), fmt.Sprint(i))
		all.Go(func() {
			var err error
			got[i], err = s.Secret(t.Context(), "key", func() (string, error) { return fmt.Sprint("made by ", i), nil })
			assert.NoError(t, err)
		})
	}
	all.Wait()
	assert.NotEmpty(t, got[0])
	assert.Equal(t, []string{got[0], got[0], got[0]}, got)
}
