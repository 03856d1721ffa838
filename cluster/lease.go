package cluster

import (
	"context"
	"encoding/json"
	"maps"
	"slices"
	"time"

	"github.com/nats-io/nats.go"
)

// beatSubject is where nodes say that they are there.
const beatSubject = "es.beat"

// leaseState is whether this node may speak for its rooms. The lock of the cluster guards it.
type leaseState struct {
	quorum *quorum
	// until is when the lease ends, lapsed that it has ended once and the rooms have not been looked
	// at since, lapses how often, and turn another number after each end.
	until        time.Duration
	lapsed       bool
	lapses, turn uint64
	// looking means that the rooms are being looked at.
	looking bool
	// gone are the nodes that can't speak, as of the last look.
	gone []string
}

// Speaks reports whether this node may speak for its rooms: in a cluster of three nodes or more
// only while a majority hears it, so that nobody else speaks for them.
func (c *Cluster) Speaks() bool { return int64(c.clock()) < c.speaks.Load() }

// Lapses returns how often this node might not speak.
func (c *Cluster) Lapses() uint64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.lease.lapses
}

// Silent reports whether a node can't speak for its rooms now, because a majority has not heard it
// for so long that its lease has ended. It holds for two seconds or more from when it began.
func (c *Cluster) Silent(node string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.lease.quorum.gone(node, c.clock(), c.voters())
}

// clock is this node's own.
func (c *Cluster) clock() time.Duration { return time.Since(c.began) }

// voters returns the ids of the nodes there are. c.mu is held.
func (c *Cluster) voters() []string {
	ids := []string{c.self.ID}
	for id, n := range c.nodes {
		if id != c.self.ID && c.alive(n) {
			ids = append(ids, id)
		}
	}
	return ids
}

// beat says that this node is there until it leaves.
func (c *Cluster) beat() {
	tick := time.NewTicker(beatEvery)
	defer tick.Stop()
	for {
		c.mu.Lock()
		b := c.lease.quorum.next(c.clock(), c.voters(), time.Since(c.renewed) < share(c.cfg.TTL, 3./renewals))
		cut := c.cutOff() // then the others are to take over what it has
		c.mu.Unlock()
		if data, err := json.Marshal(b); err == nil && !cut {
			_ = c.conn.Publish(beatSubject, data) // who is not heard does not speak
		}
		c.renewLease()
		select {
		case <-c.ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// hearBeat takes what another node says.
func (c *Cluster) hearBeat(m *nats.Msg) {
	var b beat
	if json.Unmarshal(m.Data, &b) != nil || b.Node == "" {
		return
	}
	c.mu.Lock()
	now := c.clock()
	c.lease.quorum.hear(b, now)
	maps.DeleteFunc(c.beats, func(_ string, at time.Duration) bool { return now-at > max(promiseFor, c.cfg.TTL) })
	c.beats[b.Node] = now
	c.mu.Unlock()
	c.renewLease()
}

// renewLease lets this node speak, or has its rooms looked at first if it might not for a while.
func (c *Cluster) renewLease() {
	if c.leaseChanged() {
		c.cfg.Changed()
	}
}

// leaseChanged is renewLease, and reports whether a node has become silent, or is back.
func (c *Cluster) leaseChanged() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	l, now, voters := &c.lease, c.clock(), c.voters()
	if now >= l.until {
		l.turn++
		if !l.lapsed {
			l.lapses++
			c.cfg.Log.Warn("most of the other nodes do not hear this one: its rooms are silent")
		}
		l.lapsed = true
		c.speaks.Store(0)
	}
	l.quorum.count(voters, now, time.Since(c.renewed) > awayAfter)
	l.until = l.quorum.lease(voters)
	switch {
	case !l.lapsed:
		c.speaks.Store(int64(l.until))
	case now < l.until && !l.looking && c.ctx.Err() == nil:
		l.looking = true
		turn := l.turn
		c.running.Go(func() { c.look(turn) })
	}
	gone := slices.DeleteFunc(voters, func(id string) bool { return !l.quorum.gone(id, now, voters) })
	slices.Sort(gone)
	same := slices.Equal(gone, l.gone)
	l.gone = gone
	for _, q := range c.asked {
		if slices.Contains(gone, q.node) {
			q.giveUp(ErrGone)
		}
	}
	return !same
}

// look has the rooms looked at, and then lets this node speak, if its lease has not ended again
// meanwhile.
func (c *Cluster) look(turn uint64) {
	ctx, cancel := context.WithTimeout(c.ctx, connectTimeout)
	defer cancel()
	err := c.cfg.Returned(ctx)
	c.mu.Lock()
	defer c.mu.Unlock()
	l := &c.lease
	l.looking = false
	switch {
	case err != nil && c.ctx.Err() == nil:
		c.cfg.Log.Warn("this node's rooms could not be looked at: they stay silent", "error", err)
	case err == nil && l.turn == turn && c.clock() < l.until:
		l.lapsed = false
		c.speaks.Store(int64(l.until))
	}
}
