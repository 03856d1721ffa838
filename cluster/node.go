package cluster

import (
	"cmp"
	"crypto/rand"
	"hash/fnv"
	"math"
	mathrand "math/rand/v2"
	"slices"
	"strings"
	"time"
)

// Node is what a node says of itself.
type Node struct {
	// ID is new at each start.
	ID string `json:"node"`
	// URL is where clients reach this very node; PublicURL, if it is not empty, where they
	// reach the club, by way of any node.
	URL       string `json:"url"`
	PublicURL string `json:"public_url,omitempty"`
	Zone      string `json:"zone,omitempty"`
	// Seats is how many people the node is for.
	Seats int `json:"seats"`
	Load
	// Draining reports that the node takes no more rooms.
	Draining bool      `json:"draining"`
	Version  string    `json:"version"`
	Started  time.Time `json:"started_at"`
}

// Load is what a node has.
type Load struct {
	// Taken is how many people are on it.
	Taken int `json:"taken"`
	Rooms int `json:"rooms"`
	// Halls are the rooms of other nodes that have ears on it, and Trunks its own rooms that have ears on
	// others.
	Halls  int `json:"halls"`
	Trunks int `json:"trunks"`
}

// NewID returns an ID for a node.
func NewID() string { return strings.ToLower(rand.Text()[:10]) }

// free returns which part of the node's seats is free; less than nothing if it is over full.
func (n Node) free() float64 { return 1 - float64(n.Taken)/float64(max(n.Seats, 1)) }

// Place returns the node for a new room: of two random ones that take rooms the one with
// the larger part of its seats free, so that nodes that choose at once do not choose the
// same. Those of the zone come first, while a tenth of their seats is free. If all are
// draining, or full, it is one of them.
func Place(nodes []Node, zone string) (Node, bool) {
	open := taking(nodes)
	near := slices.DeleteFunc(slices.Clone(open), func(n Node) bool { return n.Zone != zone || n.free() < 0.1 })
	if len(near) > 0 {
		open = near
	}
	if roomy := slices.DeleteFunc(slices.Clone(open), func(n Node) bool { return n.free() <= 0 }); len(roomy) > 0 {
		open = roomy
	}
	if len(open) == 0 {
		return Node{}, false
	}
	a, b := open[mathrand.IntN(len(open))], open[mathrand.IntN(len(open))]
	if b.free() > a.free() {
		a = b
	}
	return a, true
}

// Candidate returns the node that takes over a room whose node is gone: the same on all
// nodes that know of the same nodes (rendezvous hashing).
func Candidate(nodes []Node, room string) (best string) {
	highest := uint64(0)
	for _, n := range taking(nodes) {
		h := fnv.New64a()
		_, _ = h.Write([]byte(n.ID + " " + room))
		// FNV alone leaves names that differ in their last byte close together.
		score := mix(h.Sum64())
		if best == "" || score > highest || score == highest && n.ID < best {
			best, highest = n.ID, score
		}
	}
	return best
}

// mix spreads the bits of a hash (the finalizer of SplitMix64).
func mix(x uint64) uint64 {
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// taking returns the nodes that take rooms; all if they are all draining.
func taking(nodes []Node) []Node {
	open := slices.DeleteFunc(slices.Clone(nodes), func(n Node) bool { return n.Draining })
	if len(open) == 0 {
		return nodes
	}
	return open
}

// byID sorts nodes, the oldest first.
func byID(nodes []Node) []Node {
	slices.SortFunc(nodes, func(a, b Node) int { return cmp.Or(a.Started.Compare(b.Started), cmp.Compare(a.ID, b.ID)) })
	return nodes
}

// share is a part of a duration.
func share(d time.Duration, of float64) time.Duration {
	return time.Duration(math.Round(float64(d) * of))
}
