package cluster

import (
	"math"
	"slices"
	"time"
)

const (
	// beatEvery is how often a node says that it is there.
	beatEvery = 200 * time.Millisecond
	// LeaseFor is how long a node may speak for its rooms after it has said that it is there, if a
	// majority has heard that.
	LeaseFor = time.Second
	// silentAfter is after how long without a word of a node another says that it is silent, and
	// promiseFor for how long that one does not count it as heard then, whatever it says.
	silentAfter = 1500 * time.Millisecond
	promiseFor  = 3 * time.Second
	// slack is by how much sooner a promise of another node is counted as over.
	slack = 500 * time.Millisecond
	// awayAfter is after how long without a renewal of its entry, which is to come each second, a node may have been away.
	awayAfter = 1500 * time.Millisecond
	// leastVoters is from how many nodes on there are majorities that go on without one.
	leastVoters = 3
	// keepsAfter is the part of the TTL for which another node must have renewed its entry again, before one
	// that does not counts itself cut off for that.
	keepsAfter = 1. / 3
	// lapsedFor is how long after the end of its lease a node that can't renew its entry keeps its rooms.
	lapsedFor = 2 * time.Second
	// stoodStill is how late a beat shows that this process stood still, and not the others.
	stoodStill = 500 * time.Millisecond
)

// always is a lease without an end.
const always = time.Duration(math.MaxInt64)

// A beat is what a node says to all others, again and again.
type beat struct {
	Node string `json:"node"`
	// N counts the node's beats, from 1.
	N uint64 `json:"n"`
	// Heard is the last beat of each node that this one counts as heard.
	Heard map[string]uint64 `json:"heard,omitempty"`
	// Silent are the nodes that this one has not heard for silentAfter. It counts none of them as
	// heard for promiseFor from now on.
	Silent []string `json:"silent,omitempty"`
	// Keeps reports that the node has renewed its entry lately.
	Keeps bool `json:"keeps,omitempty"`
}

// A quorum knows for how long this node may speak for its rooms, and which others can't speak
// for theirs any more. Both are matters of a majority:
//
//   - a node speaks until LeaseFor after the sending of the last beat that a majority has heard;
//   - it is gone when a majority says that it is silent, and has promised not to count it as
//     heard. Any two majorities have a node in common. That one has not heard the silent node for
//     silentAfter, which is longer than LeaseFor: so its lease has ended, and can't begin again
//     before the promises are over.
//
// Only differences of each node's own clock count. Times are since some moment of that clock. A
// quorum is not safe for concurrent use.
type quorum struct {
	self  string
	n     uint64
	sent  map[uint64]time.Duration // when this node's own last beats were
	last  time.Duration
	peers map[string]*peer
	// few means that there were too few nodes for majorities when they were last counted, and grace is until
	// when this one may speak because they have become enough.
	few   bool
	grace time.Duration
}

// A peer is another node.
type peer struct {
	n        uint64        // its last beat
	at       time.Duration // when that came
	heard    uint64        // its last beat that counts as heard
	promised time.Duration // until when none does
	ack      uint64        // the last beat of this node that it counts as heard
	// hears and silent are whom it said to hear, and to be silent, with its last beat.
	hears  map[string]uint64
	silent []string
	keeps  time.Duration // since when it says that it renews its entry; less than 0: it does not
}

func newQuorum(self string) *quorum {
	return &quorum{self: self, sent: map[uint64]time.Duration{}, peers: map[string]*peer{}}
}

// next returns the node's next beat. It is to be called every beatEvery, with the nodes there
// are, and whether this one renews its entry.
func (q *quorum) next(now time.Duration, nodes []string, keeps bool) beat {
	stood := q.n > 0 && now-q.last > stoodStill
	q.n, q.last = q.n+1, now
	q.sent[q.n] = now
	for n, at := range q.sent {
		if now-at > promiseFor {
			delete(q.sent, n)
		}
	}
	b := beat{Node: q.self, N: q.n, Heard: map[string]uint64{}, Keeps: keeps}
	for id := range q.peers {
		if !slices.Contains(nodes, id) {
			delete(q.peers, id)
		}
	}
	for _, id := range nodes {
		if id == q.self {
			continue
		}
		p := q.peer(id, now)
		if stood {
			p.at = now
		}
		if now-p.at > silentAfter {
			p.promised = now + promiseFor
			b.Silent = append(b.Silent, id)
		}
		if p.heard > 0 {
			b.Heard[id] = p.heard
		}
	}
	return b
}

// peer returns another node, which is taken for heard when it is new.
func (q *quorum) peer(id string, now time.Duration) *peer {
	p := q.peers[id]
	if p == nil {
		p = &peer{at: now, keeps: -1}
		q.peers[id] = p
	}
	return p
}

// hear takes a beat of another node.
func (q *quorum) hear(b beat, now time.Duration) {
	if b.Node == q.self {
		return
	}
	p := q.peer(b.Node, now)
	if b.N <= p.n {
		return // it is late, and a later one has come
	}
	p.n, p.at = b.N, now
	if now >= p.promised {
		p.heard = b.N
	}
	p.ack, p.hears, p.silent = b.Heard[q.self], b.Heard, b.Silent
	switch {
	case !b.Keeps:
		p.keeps = -1
	case p.keeps < 0:
		p.keeps = now
	}
}

// othersKeep reports whether a node that is heard has renewed its entry for so long.
func (q *quorum) othersKeep(now, so time.Duration) bool {
	for _, p := range q.peers {
		if now-p.at <= silentAfter && p.keeps >= 0 && now-p.keeps >= so {
			return true
		}
	}
	return false
}

// othersHear reports whether another node that is heard hears a node.
func (q *quorum) othersHear(id string, now time.Duration) bool {
	for _, p := range q.peers {
		if _, heard := p.hears[id]; heard && now-p.at <= silentAfter && !slices.Contains(p.silent, id) {
			return true
		}
	}
	return false
}

// count counts the nodes there are. When they have become so many that there are majorities, none of them
// has heard any beat yet: this node, which spoke without anybody's leave, goes on for LeaseFor. It does not if it has been
// away, for then the others may have been enough without it for long.
func (q *quorum) count(nodes []string, now time.Duration, away bool) {
	few := len(nodes) < leastVoters
	if q.few && !few && !away {
		q.grace = now + LeaseFor
	}
	q.few = few
}

// lease returns until when this node may speak for its rooms.
func (q *quorum) lease(nodes []string) time.Duration {
	if len(nodes) < leastVoters {
		return always
	}
	var acks []uint64
	for _, id := range nodes {
		if p := q.peers[id]; p != nil && id != q.self {
			acks = append(acks, p.ack)
		}
	}
	slices.Sort(acks)
	others := len(nodes) / 2 // of a majority, beside this one
	if len(acks) < others {
		return q.grace
	}
	sent, known := q.sent[acks[len(acks)-others]]
	if !known {
		return q.grace
	}
	return max(sent+LeaseFor, q.grace)
}

// gone reports whether a node can't speak for its rooms now: a majority has promised that.
func (q *quorum) gone(id string, now time.Duration, nodes []string) bool {
	if len(nodes) < leastVoters || id == q.self {
		return false
	}
	votes := 0
	for _, voter := range nodes {
		if voter == id {
			continue
		}
		if voter == q.self {
			if p := q.peers[id]; p != nil && now-p.at > silentAfter && now < p.promised-slack {
				votes++
			}
			continue
		}
		p := q.peers[voter]
		if p == nil || !slices.Contains(p.silent, id) {
			continue
		}
		// It has promised that after it had heard that beat.
		if sent, known := q.sent[p.ack]; known && now < sent+promiseFor-slack {
			votes++
		}
	}
	return votes > len(nodes)/2
}
