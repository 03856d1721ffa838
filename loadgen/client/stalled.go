package client

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/pion/webrtc/v4"

	"github.com/earshot-audio/earshot/internal/sdp"
)

// stalled says at which step a client's connecting came to a halt, what was tried on both
// sides, and what to look at.
func stalled(ice bool, own, server []string, err error) error {
	if ice {
		return fmt.Errorf("connect: ICE is complete, but the DTLS handshake is not (from %s to %s): see the server's log for its certificate and its DTLS role: %w",
			listed(own), listed(server), err)
	}
	return fmt.Errorf("connect: no answer to ICE checks from %s to %s: does the server name an address that this machine reaches, and is its UDP port open: %w",
		listed(own), listed(server), err)
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

// stalledPion is the error of a peer connection that is not connected in time.
func stalledPion(pc *webrtc.PeerConnection, ice bool, err error) error {
	return stalled(ice, candidates(pc.LocalDescription()), candidates(pc.RemoteDescription()), err)
}

// candidates lists the UDP candidates of a description, which may be nil.
func candidates(d *webrtc.SessionDescription) (all []string) {
	if d == nil {
		return nil
	}
	for _, line := range sdp.CandidateLines(d.SDP) {
		c, err := sdp.ParseCandidate(strings.TrimPrefix(line, "candidate:"))
		if err != nil {
			continue
		}
		if at, ok := c.Address(); ok && !slices.Contains(all, at.String()) {
			all = append(all, at.String())
		}
	}
	return all
}

// stalled is the error of a client that is not connected in time.
func (e *LeanClient) stalled(err error) error {
	ice := e.iceAt() != 0
	e.mu.Lock()
	defer e.mu.Unlock()
	var server []string
	for _, c := range e.candidates {
		server = append(server, c.String())
	}
	return stalled(ice, []string{"wherever its packets come from"}, server, err)
}
