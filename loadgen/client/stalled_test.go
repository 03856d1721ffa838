package client

import (
	"context"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/earshot-audio/earshot/loadgen/network"
)

// What stalled says names the way that the client went, and asks about no other.
func TestStalledNamesTheWayThatTheClientWent(t *testing.T) {
	const own, server, relay = "192.0.2.1:1000", "192.0.2.7:8189", "192.0.2.9:3478"
	for _, c := range []struct {
		sentence string
		attempt  attempt
		says     []string
		not      []string
	}{
		{"over UDP no check was answered", attempt{via: network.UDP, own: []string{own}, server: []string{server}},
			[]string{"no answer to ICE checks from " + own + " to " + server, "UDP port"}, []string{"TCP", "TURN"}},
		{"over TCP the connection is open, and no check was answered",
			attempt{via: network.TCP, own: []string{own}, server: []string{server}, open: true},
			[]string{"no answer to ICE checks over the TCP connection to " + server, "something else"}, []string{"UDP", "TURN"}},
		{"over TCP it is not known whether there is a connection", attempt{via: network.TCP, server: []string{server}},
			[]string{"no answer to ICE checks over TCP to " + server, "TCP port"}, []string{"UDP", "TURN"}},
		{"a TURN server has forwarded checks that nobody answered",
			attempt{via: network.TURNTCP, own: []string{own}, turn: relay, server: []string{server}},
			[]string{"from " + own + " of the TURN server " + relay + " to " + server, "the server's UDP port"}, []string{"over TCP"}},
		{"a TURN server over TCP gave no address", attempt{via: network.TURNTCP, turn: relay, server: []string{server}},
			[]string{"the TURN server " + relay + " gave no address", "over TCP", "password"}, []string{"UDP", "ICE", server}},
		{"a TURN server over UDP gave no address", attempt{via: network.TURNUDP, turn: relay, server: []string{server}},
			[]string{"the TURN server " + relay + " gave no address", "over UDP", "password"}, []string{"TCP", "ICE", server}},
		{"a TURN server over TLS gave no address", attempt{via: network.TURNTLS, turn: relay, server: []string{server}},
			[]string{"the TURN server " + relay + " gave no address", "over TLS, is its certificate trusted", "password"}, []string{"UDP", "TCP", "ICE", server}},
		{"over TCP the DTLS handshake is not complete",
			attempt{via: network.TCP, own: []string{own}, server: []string{server}, open: true, ice: true},
			[]string{"ICE is complete", "DTLS", "over the TCP connection to " + server}, []string{"UDP", "TURN"}},
		{"by a TURN server the DTLS handshake is not complete",
			attempt{via: network.TURNUDP, own: []string{own}, turn: relay, server: []string{server}, ice: true},
			[]string{"ICE is complete", "DTLS", "of the TURN server " + relay}, []string{"port open"}},
		{"no candidate is known", attempt{via: network.UDP}, []string{"from an address that came later, or none to an address that came later, or none"}, nil},
	} {
		t.Run(c.sentence, func(t *testing.T) {
			err := c.attempt.stalled(context.DeadlineExceeded)
			require.ErrorIs(t, err, context.DeadlineExceeded)
			for _, text := range c.says {
				assert.ErrorContains(t, err, text)
			}
			for _, text := range c.not {
				assert.NotContains(t, err.Error(), text)
			}
		})
	}
}
