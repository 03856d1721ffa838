package main

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/earshot-audio/earshot/internal/testturn"
	"github.com/earshot-audio/earshot/loadgen"
)

// TestTURNFlags plays a cast of whom most go by a TURN server, over UDP, TCP and TLS: in
// workers, who are told of the server.
func TestTURNFlags(t *testing.T) {
	realTime(t)
	t.Parallel()
	server := testturn.Start(t, "ada", "secret")
	flags := []string{
		"--turn-url", "turn:" + server.Address, "--turn-url", "turns:" + server.TLSAddress,
		"--turn-user", "ada", "--turn-password", "secret", "--ca", file(t, "ca.pem", string(server.Authority)),
	}
	path := file(t, "firewalls.yaml", fmt.Sprintf(`
name: behind firewalls
room: {capacity: 20, slots: 3}
cast:
  - {role: speaker, count: 1, audio: %q, transport: {turn-tls: 1}}
  - {role: listener, count: 12, arrive: {within: 200ms}, transport: {udp: 1, turn-udp: 1, turn-tcp: 1, turn-tls: 1}}
hold: 1s
thresholds:
  joined: rate == 1
  delivered{transport:turn-udp}: rate > 0
  delivered{transport:turn-tcp}: rate > 0
  delivered{transport:turn-tls}: rate > 0
`, voice(t)))
	summary := filepath.Join(t.TempDir(), "summary.json")
	args := append([]string{"run", path, "--workers", "2", "--local", "--summary", summary}, flags...)
	stdout, stderr, code := honestly(t, args...)
	require.Zero(t, code, "%s\n%s", stdout, stderr)
	text, err := os.ReadFile(summary)
	require.NoError(t, err)
	assert.NotContains(t, string(text), "secret")
}

func TestTURNFlagsRejectBadUsage(t *testing.T) {
	t.Parallel()
	const turn, turns = "turn:127.0.0.1:3478", "turns:127.0.0.1:5349"
	for _, c := range []struct {
		sentence string
		flags    turnFlags
		want     loadgen.TURN
		says     string
	}{
		{"none are given", turnFlags{}, loadgen.TURN{}, ""},
		{"a server of both", turnFlags{[]string{turn, turns}, "ada", "pw"},
			loadgen.TURN{Address: "127.0.0.1:3478", TLSAddress: "127.0.0.1:5349", Username: "ada", Credential: "pw"}, ""},
		{"a server of TLS at its usual port", turnFlags{[]string{"turns:turn.example.org"}, "ada", "pw"},
			loadgen.TURN{TLSAddress: "turn.example.org:5349", Username: "ada", Credential: "pw"}, ""},
		{"a server at an IPv6 address", turnFlags{[]string{"turns:[::1]:443?transport=tcp"}, "ada", "pw"},
			loadgen.TURN{TLSAddress: "[::1]:443", Username: "ada", Credential: "pw"}, ""},
		{"a user without a server", turnFlags{nil, "ada", "pw"}, loadgen.TURN{}, "--turn-user goes with --turn-url"},
		{"a server without a user", turnFlags{[]string{turn}, "", "pw"}, loadgen.TURN{}, "needs --turn-user and --turn-password"},
		{"two servers of one kind", turnFlags{[]string{turns, turns}, "ada", "pw"}, loadgen.TURN{}, "two servers of turns"},
		{"a URL of another kind", turnFlags{[]string{"stun:127.0.0.1"}, "ada", "pw"}, loadgen.TURN{}, "not a turn: or turns: URL"},
		{"TURN over DTLS", turnFlags{[]string{turns + "?transport=udp"}, "ada", "pw"}, loadgen.TURN{}, "DTLS"},
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
