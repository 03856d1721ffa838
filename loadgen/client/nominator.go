package client

import (
	"fmt"
	"net/netip"
	"strings"
	"sync/atomic"
	"time"

	"github.com/pion/stun/v4"
	"github.com/pion/webrtc/v4"
)

// pionCheckInterval is how often Pion's ICE agent looks at its pairs while it connects.
const pionCheckInterval = 200 * time.Millisecond

// mostHints is how many hints a client is given at most.
const mostHints = 4

// A nominator has a Pion client nominate a pair of candidates as soon as a server that is
// ICE-lite has answered a check. Pion nominates when the server checks, which such a server
// never does (RFC 8445, section 2.5), or else with its next timer, after up to 200 ms:
// those would be the server's in the time that a join takes.
//
// Any new candidate of the server makes the agent look at once. So the hint is the
// address that answered, as a candidate of another type. The agent may not have read the
// answer by then. It checks the candidate, and there is a hint with that answer.
//
// It is safe for concurrent use.
type nominator struct {
	pc    atomic.Pointer[webrtc.PeerConnection]
	hints atomic.Int32 // so far
}

// read looks at a datagram that the client's socket has received.
func (n *nominator) read(b []byte, from netip.AddrPort) {
	if n == nil {
		return // of a client without an agent
	}
	pc := n.pc.Load()
	if pc == nil || !isCheckAnswer(b) || pc.ICEConnectionState() != webrtc.ICEConnectionStateChecking {
		return
	}
	if !isLite(pc) {
		return
	}
	if k := n.hints.Add(1); k <= mostHints {
		hint := webrtc.ICECandidateInit{Candidate: fmt.Sprintf("candidate:hint 1 udp 1 %s %d typ srflx raddr 0.0.0.0 rport %d",
			from.Addr().WithZone(""), from.Port(), k)}
		// Close holds the lock that this takes while it waits for the reader to end, which is here. An error means that
		// the connection has been closed.
		go func() { _ = pc.AddICECandidate(hint) }()
	}
}

// isLite reports whether a connection's server is ICE-lite, as it says.
func isLite(pc *webrtc.PeerConnection) bool {
	remote := pc.RemoteDescription()
	return remote != nil && strings.Contains(remote.SDP, "\na=ice-lite")
}

// isCheckAnswer reports whether a datagram is a STUN success response (RFC 8489, section 5).
func isCheckAnswer(b []byte) bool {
	return stun.IsMessage(b) && b[0] == 0x01 && b[1] == 0x01
}
