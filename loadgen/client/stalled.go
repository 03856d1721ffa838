package client

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/pion/webrtc/v4"

	"github.com/earshot-audio/earshot/internal/sdp"
	"github.com/earshot-audio/earshot/loadgen/network"
)

// An attempt is what a client has tried that is not connected in time.
type attempt struct {
	via    network.Transport
	own    []string // where its packets come from
	turn   string   // the TURN server that they go by
	server []string // where they go to
	open   bool     // by TCP: the connection is there
	ice    bool     // a check was answered
}

// stalled says at which step the client's connecting came to a halt, what was tried, and
// what to look at.
func (a attempt) stalled(err error) error {
	switch {
	case a.ice:
		return fmt.Errorf("connect: ICE is complete, but the DTLS handshake is not (%s): see the server's log for its certificate and its DTLS role: %w", a.route(), err)
	case a.via.Relayed() && len(a.own) == 0:
		trusted := ""
		if a.via == network.TURNTLS {
			trusted = ", is its certificate trusted (--ca)"
		}
		return RelayError{Err: fmt.Errorf("connect: the TURN server %s gave no address: does it listen there %s%s, and does it know the user and the password: %w", a.turn, a.via.ToTURN(), trusted, err)}
	}
	return fmt.Errorf("connect: no answer to ICE checks %s: %s: %w", a.route(), a.hint(), err)
}

// route is which way the packets went, or were to go.
func (a attempt) route() string {
	to := "to " + listed(a.server)
	switch {
	case a.via.Relayed():
		return fmt.Sprintf("from %s of the TURN server %s %s", listed(a.own), a.turn, to)
	case a.via == network.TCP && a.open:
		return "over the TCP connection " + to
	case a.via == network.TCP:
		return "over TCP " + to
	}
	return fmt.Sprintf("from %s %s", listed(a.own), to)
}

// hint is what to look at if no check was answered.
func (a attempt) hint() string {
	switch {
	case a.via.Relayed():
		return "may the TURN server send to that address, and is the server's UDP port open for it"
	case a.via == network.TCP && a.open:
		return "does the server take ICE over TCP there, or does something else listen on that port"
	case a.via == network.TCP:
		return "does the server name an address that this machine reaches, and is its TCP port open"
	}
	return "does the server name an address that this machine reaches, and is its UDP port open"
}

// maxListed is how many candidates of a side are named.
const maxListed = 4

// listed lists candidates.
func listed(all []string) string {
	if len(all) > maxListed {
		all = append(all[:maxListed:maxListed], fmt.Sprintf("%d others", len(all)-maxListed))
	}
	return cmp.Or(strings.Join(all, ", "), "an address that came later, or none")
}

// stalledPion is the error of a peer connection that is not connected in time. turn is the
// TURN server that it goes by, if it does.
func stalledPion(pc *webrtc.PeerConnection, via network.Transport, turn string, ice bool, err error) error {
	return attempt{
		via: via, turn: turn, ice: ice,
		own: candidates(pc.LocalDescription(), sdp.Candidate.Address), server: candidates(pc.RemoteDescription(), addressOf(via)),
	}.stalled(err)
}

// addressOf returns what reads the address from a server's candidate that clients go to; it
// reports false for candidates of other kinds.
func addressOf(via network.Transport) func(sdp.Candidate) (netip.AddrPort, bool) {
	if via == network.TCP {
		return sdp.Candidate.PassiveTCP
	}
	return sdp.Candidate.Address
}

// candidates lists the addresses of a description, which may be nil, that a reader finds.
func candidates(d *webrtc.SessionDescription, read func(sdp.Candidate) (netip.AddrPort, bool)) (all []string) {
	if d == nil {
		return nil
	}
	for _, line := range sdp.CandidateLines(d.SDP) {
		c, err := sdp.ParseCandidate(strings.TrimPrefix(line, "candidate:"))
		if err != nil {
			continue
		}
		if at, ok := read(c); ok && !slices.Contains(all, at.String()) {
			all = append(all, at.String())
		}
	}
	return all
}

// stalled is the error of a client that is not connected in time.
func (e *LeanClient) stalled(err error) error {
	a := attempt{via: e.via, own: []string{"wherever its packets come from"}, ice: e.iceAt() != 0}
	if e.via.Relayed() {
		a.turn, _ = e.crowd.turn.Server(e.via) // there is one: its link is open
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, c := range e.candidates {
		a.server = append(a.server, c.String())
	}
	if e.path != nil && e.path.link != nil { // which is open, to this address alone
		a.own, a.server, a.open = []string{e.path.link.local()}, []string{e.to.String()}, true
	}
	return a.stalled(err)
}
