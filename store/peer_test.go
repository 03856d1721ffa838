package store

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/earshot-audio/earshot/room"
)

// peerSets makes the sets of three peers of this machine.
func peerSets(t *testing.T) (sets []PeerSet) {
	t.Helper()
	var addresses []string
	for range 3 {
		l, err := net.Listen("tcp4", "127.0.0.1:0")
		require.NoError(t, err)
		defer l.Close()
		addresses = append(addresses, l.Addr().String())
	}
	for i := range addresses {
		sets = append(sets, PeerSet{addresses[i], []string{addresses[(i+1)%3], addresses[(i+2)%3]}})
	}
	return sets
}

// testPeer is a peer and the store of its node.
type testPeer struct {
	peer  *Peer
	store *Store
	end   func()
}

// startPeers starts peers, and their stores, at once.
func startPeers(t *testing.T, dirs []string, sets ...PeerSet) (all []testPeer) {
	t.Helper()
	all = make([]testPeer, len(sets))
	var wait sync.WaitGroup
	for i, set := range sets {
		wait.Go(func() {
			peer, err := StartPeer(PeerConfig{Dir: dirs[i], Set: set, Log: slog.New(slog.DiscardHandler)})
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
	_, err := StartPeer(PeerConfig{Dir: dirs[2], Set: sets[1], Log: slog.New(slog.DiscardHandler)})
	require.ErrorContains(t, err, "is that of node "+sets[2].Self)
	require.NoError(t, os.RemoveAll(dirs[2]))
	c := startPeers(t, dirs[2:], sets[2])[0].store
	for _, id := range []string{"one", "two"} {
		owner, _ := c.Owner(id)
		assert.Equal(t, "n0", owner, "the empty disk was filled with room %s", id)
	}
	require.NoError(t, b.PutRoom(made("three")))
	eventually(t, func() bool { owner, _ := c.Owner("three"); return owner == "n1" }, "and goes on with the others")
}

// TestPeerThatFindsNoOthersSaysWhom starts peers that can't become a cluster.
func TestPeerThatFindsNoOthersSaysWhom(t *testing.T) {
	t.Parallel()
	start := func(set PeerSet) *Peer {
		p, err := StartPeer(PeerConfig{Dir: t.TempDir(), Set: set, Log: slog.New(slog.DiscardHandler)})
		require.NoError(t, err)
		t.Cleanup(func() { assert.NoError(t, p.Close()) })
		return p
	}
	sets := peerSets(t)
	one := start(sets[0])
	var said []string
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	err := one.Await(ctx, func(text string) { said = append(said, text) })
	others := strings.Join(sets[0].Others, ", ")
	require.ErrorContains(t, err, "this node could not join the others: it waited for two more nodes: "+others)
	assert.Equal(t, []string{"waiting for two more nodes: " + others}, said)

	_, err = StartPeer(PeerConfig{Dir: t.TempDir(), Set: sets[0], Log: slog.New(slog.DiscardHandler)})
	require.ErrorContains(t, err, "is another server running there?")

	// It has the first for a peer, which does not have it.
	stranger := start(PeerSet{sets[1].Self, []string{sets[0].Self, "127.0.0.1:1"}})
	eventually(t, func() bool { return strings.Contains(stranger.log.lastly(), "give all nodes the same three") }, "peers of other clusters are refused")
}

func TestPeerSetIsKeptInTheDirectory(t *testing.T) {
	abc := PeerSet{"a:1", []string{"b:1", "c:1"}}
	for name, c := range map[string]struct {
		set  PeerSet
		says string
	}{
		"the same":                           {abc, ""},
		"the others in another order":        {PeerSet{"a:1", []string{"c:1", "b:1"}}, ""},
		"another node of the cluster":        {PeerSet{"b:1", []string{"a:1", "c:1"}}, "is that of node a:1 of a:1, b:1, c:1, and not of node b:1"},
		"the same node of another cluster":   {PeerSet{"a:1", []string{"b:1", "d:1"}}, "and not of node a:1 of a:1, b:1, d:1: the addresses of a cluster can't be changed"},
		"a node that took another's address": {PeerSet{"d:1", []string{"b:1", "c:1"}}, "the data directory"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			require.NoError(t, abc.keep(dir))
			err := c.set.keep(dir)
			if c.says == "" {
				require.NoError(t, err)
				assert.Equal(t, abc.name(), c.set.name())
				return
			}
			require.ErrorContains(t, err, c.says)
		})
	}
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, peerFile), []byte("{"), 0o600))
	require.ErrorContains(t, abc.keep(dir), "says not whose directory it is")
}
