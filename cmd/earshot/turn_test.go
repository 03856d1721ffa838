package main

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/earshot-audio/earshot/internal/testturn"
)

// TestTURNFlags plays a cast of whom most go by a TURN server, over UDP, TCP and TLS: in
// workers, who are told of the server. The generator itself does not keep a mic waiting.
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
  publish_duration: max < 2s # for which Pion waits for a way without a relay
`, voice(t)))
	summary := filepath.Join(t.TempDir(), "summary.json")
	args := append([]string{"run", path, "--workers", "2", "--local", "--summary", summary}, flags...)
	stdout, stderr, code := honestly(t, args...)
	require.Zero(t, code, "%s\n%s", stdout, stderr)
	text, err := os.ReadFile(summary)
	require.NoError(t, err)
	assert.NotContains(t, string(text), "secret")
}
