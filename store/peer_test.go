package store

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/earshot-audio/earshot/internal/lab"
	"github.com/earshot-audio/earshot/room"
	"github.com/earshot-audio/earshot/store/stateserver"
)

// peerSets makes the sets of three peers of this machine.
func peerSets(t *testing.T) (sets []stateserver.PeerSet) {
	t.Helper()
	addresses := lab.FreeAddresses(t, 3)
	for i := range addresses {
		sets = append(sets, stateserver.PeerSet{Self: addresses[i], Others: []string{addresses[(i+1)%3], addresses[(i+2)%3]}})
	}
	return sets
}

// testPeer is a peer and the store of its node.
type testPeer struct {
	peer  *stateserver.Peer
	store *Store
	end   func()
}

// startPeers starts peers, and their stores, at once.
func startPeers(t *testing.T, dirs []string, sets ...stateserver.PeerSet) (all []testPeer) {
	t.Helper()
	all = make([]testPeer, len(sets))
	var wait sync.WaitGroup
	for i, set := range sets {
		wait.Go(func() {
			peer, err := stateserver.StartPeer(stateserver.PeerConfig{Dir: dirs[i], Set: set, Log: slog.New(slog.DiscardHandler)})
			if !assert.NoError(t, err) {
				return
			}
			ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
			defer cancel()
			all[i].peer = peer
			if assert.NoError(t, peer.Await(ctx, func(string) {})) {
				all[i].store, err = Open(ctx, Config{Peer: peer, Node: fmt.Sprint("n", i)})
				assert.NoError(t, err)
			}
		})
	}
	wait.Wait()
	for i := range all {
		p := all[i]
		all[i].end = sync.OnceFunc(func() {
			if p.store != nil {
				assert.NoError(t, p.store.Close())
			}
			if p.peer != nil {
				assert.NoError(t, p.peer.Close())
			}
		})
		t.Cleanup(all[i].end)
	}
	require.False(t, t.Failed())
	return all
}

// TestPeersKeepTheStoreTogether stops one of three peers and loses its disk. The others go on, and fill
// an empty one; that of another node is refused.
func TestPeersKeepTheStoreTogether(t *testing.T) {
	if testing.Short() {
		t.Skip("NATS servers take seconds to choose who of them leads")
	}
	t.Parallel()
	sets := peerSets(t)
	dirs := []string{t.TempDir(), t.TempDir(), t.TempDir()}
	peers := startPeers(t, dirs, sets...)
	a, b := peers[0].store, peers[1].store
	made := func(id string) room.State { return room.State{Config: room.Config{Name: id}, Created: noon} }
	require.NoError(t, a.PutRoom(made("one")))
	eventually(t, func() bool { owner, _ := b.Owner("one"); return owner == "n0" }, "the others know")
	require.NoError(t, a.Confirm(t.Context(), "one"))
	require.NoError(t, b.RefreshRoom(t.Context(), "one"))
	require.ErrorIs(t, b.Confirm(t.Context(), "one"), ErrNotOwner)
	for _, p := range peers {
		require.NoError(t, p.store.Healthy())
	}
	eventually(t, func() bool {
		leaders := 0
		for _, p := range peers {
			if p.store.Leads()["rooms"] {
				leaders++
			}
		}
		return leaders == 1
	}, "one of them leads")

	peers[2].end()
	eventually(t, func() bool { return a.PutRoom(made("two")) == nil }, "two of three go on")
	_, err := stateserver.StartPeer(stateserver.PeerConfig{Dir: dirs[2], Set: sets[1], Log: slog.New(slog.DiscardHandler)})
	require.ErrorContains(t, err, "is that of node "+sets[2].Self)
	require.NoError(t, os.RemoveAll(dirs[2]))
	c := startPeers(t, dirs[2:], sets[2])[0].store
	// What a replica is asked for that is being filled may be old; whoever misses a room asks the leader.
	for _, id := range []string{"one", "two"} {
		require.NoError(t, c.RefreshRoom(t.Context(), id))
		owner, _ := c.Owner(id)
		assert.Equal(t, "n0", owner, "room %s is known with an empty disk", id)
	}
	require.NoError(t, b.PutRoom(made("three")))
	eventually(t, func() bool { owner, _ := c.Owner("three"); return owner == "n1" }, "and goes on with the others")
}
