package stateserver

import (
	"slices"
	"sync"
	"time"
	_ "unsafe" // for go:linkname
)

// How soon a peer wants to lead a bucket whose leader it does not hear any more. nats-server waits for four to nine
// seconds, at random, and has no option for that; when two peers want it at the same moment neither gets it, and both wait
// as long again. So what was kept by a lost node could not be changed for five seconds as a rule, and for fifteen or thirty now
// and then. Its variables are set here, before a server is started: if another version has none of these names, the program
// does not link.
//
//go:linkname minElectionTimeout github.com/nats-io/nats-server/v2/server.minElectionTimeout
var minElectionTimeout time.Duration

//go:linkname maxElectionTimeout github.com/nats-io/nats-server/v2/server.maxElectionTimeout
var maxElectionTimeout time.Duration

// heartbeatInterval is how often a leader says that it is there, if nothing else does.
//
//go:linkname heartbeatInterval github.com/nats-io/nats-server/v2/server.hbInterval
var heartbeatInterval time.Duration

const (
	// firstElection is after how long without a word of the leader the first of the peers wants to lead, and
	// nextElection by how much later each other does: by so much more than a vote takes that they
	// are not in each other's way. electionSpread is the random part.
	firstElection  = 2 * time.Second
	nextElection   = 700 * time.Millisecond
	electionSpread = 400 * time.Millisecond
	peerHeartbeat  = 400 * time.Millisecond
)

var electOnce sync.Once

// ElectInTurn has the peers of a cluster want to lead one after the other, in the order of their names. It is for a process
// with one peer, and is called before [StartPeer]; only the first call counts.
func (s PeerSet) ElectInTurn() {
	electOnce.Do(func() {
		minElectionTimeout = firstElection + time.Duration(slices.Index(s.all(), s.Self))*nextElection
		maxElectionTimeout = minElectionTimeout + electionSpread
		heartbeatInterval = peerHeartbeat
	})
}
