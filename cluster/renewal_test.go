package cluster

import (
	"context"
	"errors"
	"log/slog"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// leaderless is a NATS server whose bucket can be read, and takes no writes for a while, as long as nobody leads it.
type leaderless struct {
	url     string
	without *atomic.Bool
}

// Connect implements Server.
func (l leaderless) Connect(options ...nats.Option) (*nats.Conn, error) {
	return nats.Connect(l.url, options...)
}

// OpenBucket implements Server.
func (l leaderless) OpenBucket(ctx context.Context, js jetstream.JetStream, cfg jetstream.KeyValueConfig) (jetstream.KeyValue, error) {
	kv, err := js.CreateOrUpdateKeyValue(ctx, cfg)
	return leaderlessBucket{kv, l.without}, err
}

type leaderlessBucket struct {
	jetstream.KeyValue
	without *atomic.Bool
}

// Put implements jetstream.KeyValue.
func (b leaderlessBucket) Put(ctx context.Context, key string, value []byte) (uint64, error) {
	if b.without.Load() {
		return 0, errors.New("no leader")
	}
	return b.KeyValue.Put(ctx, key, value)
}

// joinThree makes three nodes that all hear one another, and what keeps each of them from renewing its entry.
func joinThree(t *testing.T) (all [3]*Cluster, without [3]*atomic.Bool) {
	t.Helper()
	ns := startNATS(t, t.TempDir(), server.RANDOM_PORT)
	for i, id := range []string{"a", "b", "c"} {
		without[i] = &atomic.Bool{}
		c, err := Join(t.Context(), Config{
			Server: leaderless{ns.ClientURL(), without[i]}, Self: Node{ID: id, Seats: 10, Started: time.Now()}, Load: func() Load { return Load{} },
			Told: func(string, []byte) func() { return nil }, Changed: func() {}, Returned: func(context.Context) error { return nil }, TTL: testTTL, Log: slog.New(slog.DiscardHandler),
		})
		require.NoError(t, err)
		t.Cleanup(func() { _ = c.Leave(context.Background()) })
		all[i] = c
	}
	require.Eventually(t, func() bool {
		for _, c := range all {
			if len(c.Nodes()) != len(all) || !c.Speaks() || !c.leased() {
				return false
			}
		}
		return true
	}, time.Minute, time.Millisecond, "each knows the others, and speaks because they hear it")
	return all, without
}

// leased reports whether a node speaks for as long as others hear it.
func (c *Cluster) leased() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.lease.until != always
}

// unrenewed is for how long a node has not renewed its entry.
func (c *Cluster) unrenewed() time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	return time.Since(c.renewed)
}

// TestNodesKeepTheirRoomsWhileNobodyLeads has nobody take the nodes' entries, until long after all have expired, as when the
// servers that keep them choose who of them leads again and again. A node that let go of its rooms then would have
// its people come again for nothing.
func TestNodesKeepTheirRoomsWhileNobodyLeads(t *testing.T) {
	all, without := joinThree(t)
	for _, w := range without {
		w.Store(true)
	}
	for all[0].unrenewed() < 2*testTTL {
		for i, c := range all {
			require.False(t, c.CutOff(), "node %d after %v", i, c.unrenewed())
			require.Len(t, c.Nodes(), len(all), "node %d after %v", i, c.unrenewed())
			require.False(t, c.Gone(t.Context(), all[(i+1)%3].cfg.Self.ID), "node %d after %v", i, c.unrenewed())
		}
		time.Sleep(time.Millisecond)
	}
	for _, w := range without {
		w.Store(false)
	}
	for _, c := range all {
		require.Eventually(t, func() bool { return c.unrenewed() < testTTL/2 && c.Speaks() }, time.Minute, time.Millisecond)
		assert.False(t, c.CutOff())
	}
}

// TestNodeThatCannotKeepWhatOthersCanGivesItUp has nobody take the entry of one node: the others, who can keep its rooms,
// take them over, though they have heard it all the time.
func TestNodeThatCannotKeepWhatOthersCanGivesItUp(t *testing.T) {
	all, without := joinThree(t)
	without[0].Store(true)
	require.Eventually(t, all[0].CutOff, time.Minute, time.Millisecond)
	assert.Greater(t, all[0].unrenewed(), share(testTTL, cutOffAfter))
	require.Eventually(t, func() bool { return all[1].Silent("a") || all[1].Gone(t.Context(), "a") }, time.Minute, time.Millisecond, "the others may have its rooms")
	assert.False(t, all[0].Speaks(), "then it does not speak for them")
	assert.False(t, all[1].CutOff() || all[2].CutOff())
	without[0].Store(false)
	require.Eventually(t, func() bool {
		return !all[0].CutOff() && all[0].Speaks() && !all[1].Silent("a") && !all[1].Gone(t.Context(), "a")
	}, time.Minute, time.Millisecond, "it is back")
}

// TestNodeThatOthersHearIsNotGone has two nodes that do not hear each other, and a third that hears both.
func TestNodeThatOthersHearIsNotGone(t *testing.T) {
	v := newVoters(3)
	v.run(2*time.Second, 0, func() {})
	v.cut[[2]string{"a", "b"}], v.cut[[2]string{"b", "a"}] = true, true
	v.run(20*time.Second, 0, func() {
		assert.True(t, v.nodes["b"].othersHear("a", v.clock("b")), "the third hears it, at %v", v.now)
	})
	v.stuck["a"] = true
	v.run(2*time.Second, 0, func() {})
	assert.False(t, v.nodes["b"].othersHear("a", v.clock("b")), "nobody does")
}
