package target

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/earshot-audio/earshot/loadgen"
)

func TestTURNFlagsRejectBadUsage(t *testing.T) {
	t.Parallel()
	const turn, turns = "turn:127.0.0.1:3478", "turns:127.0.0.1:5349"
	for _, c := range []struct {
		sentence string
		flags    TURNFlags
		want     loadgen.TURN
		says     string
	}{
		{"none are given", TURNFlags{}, loadgen.TURN{}, ""},
		{"a server of both", TURNFlags{[]string{turn, turns}, "ada", "pw"},
			loadgen.TURN{Address: "127.0.0.1:3478", TLSAddress: "127.0.0.1:5349", Username: "ada", Credential: "pw"}, ""},
		{"a server of TLS at its usual port", TURNFlags{[]string{"turns:turn.example.org"}, "ada", "pw"},
			loadgen.TURN{TLSAddress: "turn.example.org:5349", Username: "ada", Credential: "pw"}, ""},
		{"a server at an IPv6 address", TURNFlags{[]string{"turns:[::1]:443?transport=tcp"}, "ada", "pw"},
			loadgen.TURN{TLSAddress: "[::1]:443", Username: "ada", Credential: "pw"}, ""},
		{"a user without a server", TURNFlags{nil, "ada", "pw"}, loadgen.TURN{}, "--turn-user goes with --turn-url"},
		{"a server without a user", TURNFlags{[]string{turn}, "", "pw"}, loadgen.TURN{}, "needs --turn-user and --turn-password"},
		{"two servers of one kind", TURNFlags{[]string{turns, turns}, "ada", "pw"}, loadgen.TURN{}, "two servers of turns"},
		{"a URL of another kind", TURNFlags{[]string{"stun:127.0.0.1"}, "ada", "pw"}, loadgen.TURN{}, "not a turn: or turns: URL"},
		{"TURN over DTLS", TURNFlags{[]string{turns + "?transport=udp"}, "ada", "pw"}, loadgen.TURN{}, "DTLS"},
	} {
		t.Run(c.sentence, func(t *testing.T) {
			got, err := c.flags.server(nil)
			if c.says != "" {
				require.ErrorContains(t, err, c.says)
				return
			}
			require.NoError(t, err)
			assert.Equal(t, c.want, got)
		})
	}
}
