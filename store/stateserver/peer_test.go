package stateserver

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/earshot-audio/earshot/internal/lab"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// TestPeerThatFindsNoOthersSaysWhom starts peers that can't become a cluster.
func TestPeerThatFindsNoOthersSaysWhom(t *testing.T) {
	t.Parallel()
	start := func(set PeerSet) *Peer {
		p, err := StartPeer(PeerConfig{Dir: t.TempDir(), Set: set, Log: slog.New(slog.DiscardHandler)})
		require.NoError(t, err)
		t.Cleanup(func() { assert.NoError(t, p.Close()) })
		return p
	}
	at := lab.FreeAddresses(t, 3)
	first := PeerSet{at[0], []string{at[1], at[2]}}
	one := start(first)
	var said []string
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	err := one.Await(ctx, func(text string) { said = append(said, text) })
	others := strings.Join(first.Others, ", ")
	require.ErrorContains(t, err, "this node could not join the others: it waited for two more nodes: "+others)
	assert.Equal(t, []string{"waiting for two more nodes: " + others}, said)

	_, err = StartPeer(PeerConfig{Dir: t.TempDir(), Set: first, Log: slog.New(slog.DiscardHandler)})
	require.ErrorContains(t, err, "is another server running there?")

	// It has the first for a peer, which does not have it.
	stranger := start(PeerSet{at[1], []string{at[0], "127.0.0.1:1"}})
	require.Eventually(t, func() bool { return strings.Contains(stranger.log.lastly(), "give all nodes the same three") }, time.Minute, 10*time.Millisecond,
		"peers of other clusters are refused")
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
