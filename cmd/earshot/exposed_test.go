package main

import (
	"context"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/earshot-audio/earshot/cmd/earshot/cli"
)

// What is said is printed, after the line that says that it serves.
func TestServePrintsWhatIsExposed(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	stdout, stderr := watcher{seen: make(chan string, 10)}, watcher{seen: make(chan string, 100)}
	code := make(chan int, 1)
	go func() {
		code <- exitCode(run(ctx, []string{"serve", "--http", "0.0.0.0:0", "--media", "127.0.0.1:0", "--data", filepath.Join(t.TempDir(), "data")}, stdout, stderr))
	}()
	<-stdout.seen
	for line := range stderr.seen {
		if strings.Contains(line, "is not encrypted") {
			assert.Contains(t, line, "WARN")
			break
		}
	}
	cancel()
	assert.Zero(t, <-code)
}

// Whoever could stop and read the process with it is let in by nobody.
func TestProfilesAreForThisMachine(t *testing.T) {
	for _, address := range []string{"0.0.0.0:0", ":0", "[::]:0", "192.0.2.1:0", "profiles.example.org:0"} {
		_, stderr, code := command(t, "serve", "--open", "--http", "127.0.0.1:0", "--media", "127.0.0.1:0", "--pprof", address)
		assert.Equal(t, cli.ExitUsage, code, address)
		assert.Contains(t, stderr, "ssh -L", address)
	}
}

func TestRunSaysWhatIsExposed(t *testing.T) {
	for _, c := range []struct {
		name string
		f    watchFlags
		says []string
	}{
		{"nothing is served", watchFlags{}, nil},
		{"this machine may look", watchFlags{prometheus: "127.0.0.1:9090", dashboard: "localhost:8080"}, nil},
		{"everybody may look at the page", watchFlags{prometheus: "127.0.0.1:9090", dashboard: ":8080"}, []string{"--dashboard :8080"}},
		{"everybody may look at both", watchFlags{prometheus: "0.0.0.0:9090", dashboard: "[::]:8080"}, []string{"--prometheus 0.0.0.0:9090", "--dashboard [::]:8080"}},
		{"figures are no secret", watchFlags{remoteWrite: "http://store.example.org", otlp: "grpc://store.example.org:4317"}, nil},
		{"a password in the open is", watchFlags{remoteWrite: "http://ann:pw@store.example.org/x"}, []string{"the token goes to http://store.example.org unencrypted"}},
	} {
		said := c.f.exposed()
		require.Len(t, said, len(c.says), c.name)
		for i, text := range c.says {
			assert.Contains(t, said[i], text, c.name)
		}
	}
	t.Setenv("OTEL_EXPORTER_OTLP_HEADERS", "authorization=x")
	said := watchFlags{otlp: "grpc://store.example.org:4317"}.exposed()
	require.Len(t, said, 1)
	assert.Contains(t, said[0], "store.example.org:4317 unencrypted")
	_, stderr, _ := command(t, "run", "../../scenarios/smoke.yaml", "--dashboard", "0.0.0.0:0", "--ca", "nowhere.pem")
	assert.Contains(t, stderr, "earshot: warning: --dashboard 0.0.0.0:0 can be reached from the network")
}

// A token in the open is said by whoever sends it.
func TestTokenInTheOpenIsSaid(t *testing.T) {
	for _, args := range [][]string{
		{"room", "list", "--token", "0123456789abcdef", "--target", "http://192.0.2.1:1", "--ca", "/dev/null"},
		{"run", "../../scenarios/smoke.yaml", "--token", "0123456789abcdef", "--target", "http://192.0.2.1:1", "--ca", "/dev/null"},
	} {
		_, stderr, _ := command(t, args...)
		assert.Contains(t, stderr, "warning: the token goes to http://192.0.2.1:1 unencrypted", args[0])
	}
	for _, args := range [][]string{
		{"--driver", "livekit", "--livekit-url", "ws://192.0.2.1:1", "--api-key", "k", "--api-secret", "not-a-secret-but-32-characters-long"},
		{"--driver", "janus", "--janus-url", "ws://192.0.2.1:1", "--janus-api-secret", "0123456789abcdef"},
		{"--driver", "whep", "--whip-url", "http://192.0.2.1:1/{room}", "--whip-token", "0123456789abcdef"},
	} {
		_, stderr, _ := command(t, append([]string{"run", "../../scenarios/smoke.yaml", "--ca", "/dev/null"}, args...)...)
		assert.Contains(t, stderr, "://192.0.2.1:1 unencrypted", args[1])
	}
}
