package store

import (
	"fmt"
	"net"
	"net/url"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/earshot-audio/earshot/room"
)

// natsCluster is three NATS servers that keep one another's data.
type natsCluster struct {
	t       *testing.T
	options [3]*server.Options
	nodes   [3]*server.Server // nil: it is stopped
}

func startCluster(t *testing.T) *natsCluster {
	t.Helper()
	c := &natsCluster{t: t}
	var routes []*url.URL
	for i := range c.options {
		port := unusedPort(t)
		route, err := url.Parse(fmt.Sprint("nats://127.0.0.1:", port))
		require.NoError(t, err)
		routes = append(routes, route)
		c.options[i] = &server.Options{
			ServerName: fmt.Sprint("node-", i), Host: "127.0.0.1", Port: unusedPort(t), NoSigs: true,
			JetStream: true, StoreDir: t.TempDir(), SyncAlways: true,
			Cluster: server.ClusterOpts{Name: "three", Host: "127.0.0.1", Port: port},
		}
	}
	for i, o := range c.options {
		o.Routes = routes
		c.start(i)
	}
	t.Cleanup(func() {
		for i := range c.nodes {
			c.stop(i)
		}
	})
	require.Eventually(t, func() bool { // they have found one another, and who leads
		return slices.ContainsFunc(c.nodes[:], func(n *server.Server) bool {
			return n.JetStreamIsLeader() && len(n.JetStreamClusterPeers()) == len(c.nodes)
		})
	}, 2*time.Minute, 50*time.Millisecond)
	return c
}

func (c *natsCluster) start(i int) {
	c.t.Helper()
	node, err := server.NewServer(c.options[i].Clone())
	require.NoError(c.t, err)
	node.Start()
	require.True(c.t, node.ReadyForConnections(startTimeout))
	c.nodes[i] = node
}

func (c *natsCluster) stop(i int) {
	if c.nodes[i] != nil {
		c.nodes[i].Shutdown()
		c.nodes[i].WaitForShutdown()
		c.nodes[i] = nil
	}
}

// leader is the node that decides on the writes of rooms.
func (c *natsCluster) leader() int {
	for i, n := range c.nodes {
		if n != nil && n.JetStreamIsStreamLeader("$G", "KV_earshot-rooms") {
			return i
		}
	}
	return -1
}

func (c *natsCluster) url() string {
	var urls []string
	for _, o := range c.options {
		urls = append(urls, fmt.Sprintf("nats://127.0.0.1:%d", o.Port))
	}
	return strings.Join(urls, ",")
}

func unusedPort(t *testing.T) int {
	t.Helper()
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

// TestClusterLosesANode takes the node away that decides on writes: the owner goes on
// with what it had acknowledged, and nobody else gets in meanwhile.
func TestClusterLosesANode(t *testing.T) {
	begin, rounds := time.Now(), 1
	if os.Getenv("EARSHOT_SOAK") != "" {
		rounds = 5
	}
	c := startCluster(t)
	s, err := Open(t.Context(), Config{URL: c.url()})
	require.NoError(t, err)
	require.NoError(t, s.PutRoom(room.State{Config: room.Config{Name: "a"}, Created: noon}))
	want := map[string]bool{}
	eventuallyBan := func(who string) {
		require.Eventually(t, func() bool { return ban(s, who) == nil }, 2*time.Minute, 200*time.Millisecond, "writes go on: %s", who)
		want[who] = true
		t.Logf("%6.1f s  %s", time.Since(begin).Seconds(), who)
	}
	eventuallyBan("before")
	for round := range rounds {
		down := c.leader()
		require.GreaterOrEqual(t, down, 0)
		c.stop(down)
		eventuallyBan(fmt.Sprint("without node, round ", round))
		require.NoError(t, s.Healthy())
		_, err := Open(t.Context(), Config{URL: c.url()})
		require.ErrorIs(t, err, ErrBusy, "it has an owner")
		c.start(down)
		eventuallyBan(fmt.Sprint("with it again, round ", round))
	}
	assert.Equal(t, want, banned(s))
	require.NoError(t, s.Close())

	var again *Store
	require.Eventually(t, func() bool {
		var err error
		again, err = Open(t.Context(), Config{URL: c.url()})
		return err == nil
	}, 2*time.Minute, 500*time.Millisecond)
	assert.Equal(t, want, banned(again), "what was acknowledged is there")
	require.NoError(t, again.Close())
}
