package cluster

import (
	"context"
	"errors"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// Nodes returns the nodes there are, this one included, the oldest first.
func (c *Cluster) Nodes() []Node {
	c.mu.Lock()
	defer c.mu.Unlock()
	nodes := []Node{c.self}
	for _, n := range c.nodes {
		if c.alive(n) && n.ID != c.self.ID {
			nodes = append(nodes, n.Node)
		}
	}
	return byID(nodes)
}

// Find returns a node that is there.
func (c *Cluster) Find(id string) (Node, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if id == c.self.ID {
		return c.self, true
	}
	n, ok := c.nodes[id]
	return n.Node, ok && c.alive(n)
}

// alive reports whether a node has renewed its entry lately, by this node's clock, or has been heard: while
// servers choose who of them leads, nobody can renew. The caller holds the lock.
func (c *Cluster) alive(n seen) bool {
	return time.Since(n.at) < c.cfg.TTL || c.hears(n.ID, c.cfg.TTL)
}

// Gone reports whether a node is gone for good: its entry has expired, or it has left. It
// asks the NATS server, because this node may have been away itself; and a replica that has been away may know
// nothing of a node that is heard, here or by others.
func (c *Cluster) Gone(ctx context.Context, id string) bool {
	if _, there := c.Find(id); there || c.CutOff() || c.heard(id) {
		return false
	}
	ctx, cancel := context.WithTimeout(ctx, connectTimeout)
	defer cancel()
	_, err := c.bucket.Get(ctx, id)
	return errors.Is(err, jetstream.ErrKeyNotFound)
}

// CutOff reports whether this node could not renew its entry for so long that others may
// have taken over what it had, or are to, because they can keep it.
func (c *Cluster) CutOff() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.cutOff()
}

// cutOff is CutOff. The caller holds the lock.
func (c *Cluster) cutOff() bool {
	if time.Since(c.renewed) <= share(c.cfg.TTL, cutOffAfter) {
		return false
	}
	// While servers choose who of them leads nobody can renew, which may take longer than an entry lasts.
	// A majority that hears this node takes nothing over from it.
	now := c.clock()
	return len(c.voters()) < leastVoters || now >= c.lease.until+lapsedFor || c.lease.quorum.othersKeep(now, share(c.cfg.TTL, keepsAfter))
}

// heard reports whether a node has been heard lately, by this one or by one that this one hears.
func (c *Cluster) heard(id string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.hears(id, silentAfter) || c.lease.quorum.othersHear(id, c.clock())
}

// hears reports whether this node has heard another within a time. The caller holds the lock.
func (c *Cluster) hears(id string, within time.Duration) bool {
	at, heard := c.beats[id]
	return heard && c.clock()-at <= within
}
