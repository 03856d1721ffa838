package main

import (
	"bytes"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/earshot-audio/earshot/internal/lab"
)

// TestEverybodyJoinsOverEveryAddress plays a scenario with mics, listeners and probes over
// each kind of signaling, to servers on the loopback of IPv4 and of IPv6 and on another
// machine: a network namespace.
func TestEverybodyJoinsOverEveryAddress(t *testing.T) {
	realTime(t)
	requireIPv6(t)
	t.Parallel()
	l := lab.New(t, 2)
	start := func(machine int, out, errs io.Writer, args ...string) *exec.Cmd {
		c := l.Command(machine, program(t), args...)
		c.Env = append(os.Environ(), workerTokenEnv+"=secret")
		c.Stdout, c.Stderr = out, errs
		require.NoError(t, c.Start())
		t.Cleanup(func() {
			_ = c.Process.Kill() // it has ended unless the test failed
			_ = c.Wait()
		})
		return c
	}
	for _, row := range []struct {
		name, host string
		from       int // the machine that plays
	}{
		{"IPv4 loopback", "127.0.0.1", 0},
		{"IPv6 loopback", "::1", 0},
		{"another machine", l.Address(0).String(), 1},
	} {
		t.Run(row.name, func(t *testing.T) {
			server := net.JoinHostPort(row.host, "7080")
			listening := watcher{seen: make(chan string, 10)}
			start(0, listening, io.Discard, "serve", "--open", "--open-to-network", "--http", server, "--media", net.JoinHostPort(row.host, "7081"))
			select {
			case <-listening.seen:
			case <-time.After(time.Minute):
				t.Fatal("the server did not start")
			}
			scenario := small(t, `
  joined: ["rate == 1"]
`)
			for driver, target := range map[string][]string{
				"earshot": {"--target", "http://" + server},
				"whep":    {"--driver", "whep", "--whip-url", "http://" + server + "/rooms/{room}/whip", "--whep-url", "http://" + server + "/rooms/{room}/whep"},
			} {
				summary := filepath.Join(t.TempDir(), "summary.json")
				var said bytes.Buffer
				_ = start(row.from, &said, &said, append([]string{"run", scenario, "--summary", summary}, target...)...).Wait()
				got := readShared(t, summary)
				assert.Empty(t, got.Problems, "%s: %s", driver, &said)
				for _, name := range []string{"joined", "published"} {
					assert.NotZero(t, got.Metrics[name].Total, "%s: %s", driver, &said)
					assert.Equal(t, got.Metrics[name].Total, got.Metrics[name].Passes, "%s: %s", driver, &said)
				}
			}
		})
	}
}
