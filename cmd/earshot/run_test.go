package main

import (
	"context"
	"encoding/json"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/procfs"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/earshot-audio/earshot/cmd/earshot/cli"
	"github.com/earshot-audio/earshot/internal/serverprocess"
)

// small is a short scenario with few listeners and the given thresholds.
func small(t *testing.T, thresholds string) string {
	t.Helper()
	return file(t, "small.yaml", `
name: a small room
room: {capacity: 10, slots: 3}
cast:
  - {role: speaker, count: 1, audio: "`+voice(t)+`"}
  - {role: listener, count: 3, arrive: {within: 200ms, shape: linear}}
hold: 1s
thresholds:
`+thresholds)
}

func TestRunNeedsOperatorToken(t *testing.T) {
	realTime(t)
	t.Parallel()
	const token = "an-operator-token-of-the-tests"
	url, stop := served(t, "--data", t.TempDir(), "--operator-token", token, "--rate-limit-exempt", "127.0.0.0/8")
	defer func() { assert.Zero(t, stop()) }()
	path := small(t, `
  joined: ["rate == 1"]
  delivered: ["rate >= 0.99"]
`)
	stdout, stderr, code := honestly(t, "run", path, "--target", url, "--token", token)
	require.Zero(t, code, "%s\n%s", stdout, stderr)
	_, stderr, code = command(t, "run", path, "--target", url)
	assert.Equal(t, cli.ExitCouldNotRun, code)
	assert.Contains(t, stderr, "unauthorized")
}

func TestRunExits0WhenThresholdsHold(t *testing.T) {
	realTime(t)
	t.Parallel()
	summary := filepath.Join(t.TempDir(), "summary.json")
	stdout, stderr, code := honestly(t, "run", small(t, `
  joined: ["rate == 1"]
  delivered: ["rate >= 0.99"]
  latency: ["count > 100"]
  packets_per_core: ["value > 0"]
`), "--summary", summary)
	require.Zero(t, code, "%s\n%s", stdout, stderr)
	assert.Contains(t, stdout, "✓ rate == 1  rate=100%")
	assert.Contains(t, stdout, "✓ pass")
	assert.Contains(t, stderr, "arrivals", "progress, a line a phase")

	var s struct {
		SchemaVersion int    `json:"schema_version"`
		Verdict       string `json:"verdict"`
		Thresholds    []struct {
			Metric, Expression string
			OK                 *bool
			Value              *float64
		}
		Metrics map[string]map[string]any
	}
	data, err := os.ReadFile(summary)
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(data, &s))
	assert.Equal(t, 1, s.SchemaVersion)
	assert.Equal(t, "pass", s.Verdict)
	assert.Len(t, s.Thresholds, 4)
	assert.Equal(t, "trend", s.Metrics["latency"]["kind"])
	assert.Contains(t, s.Metrics["latency"], "p(99)")
	assert.EqualValues(t, 1, s.Metrics["joined"]["rate"])
	assert.Positive(t, s.Metrics["server_rss"]["value"])
}

func TestRunExits99WhenThresholdIsCrossed(t *testing.T) {
	realTime(t)
	t.Parallel()
	// A busy machine leaves latency in doubt, but not this.
	stdout, _, code := honestly(t, "run", small(t, `
  joined: ["rate > 1"]
`), "-q")
	assert.Equal(t, cli.ExitFail, code)
	assert.Equal(t, "✗ fail  joined 100 % (needs > 100 %)\n", stdout)
}

func TestRunExits98WhenThresholdHasNoData(t *testing.T) {
	realTime(t)
	t.Parallel()
	stdout, _, code := command(t, "run", small(t, `
  onset_clip: ["max < 40ms"]
`))
	assert.Equal(t, cli.ExitInvalid, code)
	assert.Contains(t, stdout, "? max < 40ms  no data")
	assert.Contains(t, stdout, "? invalid")
}

func TestRunExits98WithoutMedia(t *testing.T) {
	realTime(t)
	t.Parallel()
	// Nobody speaks, so nobody is owed anything.
	path := file(t, "mute.yaml", `
name: nobody speaks
room: {capacity: 10, slots: 3}
cast:
  - {role: listener, count: 2, arrive: {within: 100ms, shape: linear}}
hold: 500ms
join_deadline: 2s
thresholds:
  delivered: ["rate >= 0.5"]
`)
	stdout, _, code := command(t, "run", path)
	assert.Equal(t, cli.ExitInvalid, code)
	assert.Contains(t, stdout, "nothing was measured")
}

func TestRunExits2OnMisspeltMetricWithItsLine(t *testing.T) {
	path := small(t, `
  latncy: ["p(99) < 20ms"]
`)
	stdout, stderr, code := command(t, "run", path)
	assert.Equal(t, cli.ExitUsage, code)
	assert.Empty(t, stdout)
	assert.Contains(t, stderr, "small.yaml:10:")
	assert.Contains(t, stderr, "latncy")
	assert.Contains(t, stderr, "latency", "what was probably meant")
}

func TestRunExits1WhenTargetIsUnreachable(t *testing.T) {
	// A port that was free a moment ago.
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	dead := "http://" + l.Addr().String()
	require.NoError(t, l.Close())
	t.Run("an earshot server", func(t *testing.T) {
		_, stderr, code := command(t, "run", small(t, `  joined: ["rate == 1"]`), "--target", dead)
		assert.Equal(t, cli.ExitCouldNotRun, code)
		assert.Contains(t, stderr, "cannot be reached")
		assert.Equal(t, 1, strings.Count(stderr, "\n"), "and nothing else: %s", stderr)
	})
	t.Run("a host and port", func(t *testing.T) {
		_, stderr, code := command(t, "run", small(t, `  joined: ["rate == 1"]`), "--target", strings.TrimPrefix(dead, "http://"))
		assert.Equal(t, cli.ExitCouldNotRun, code)
		assert.Contains(t, stderr, "cannot be reached")
	})
	t.Run("while others follow the run", func(t *testing.T) {
		_, stderr, code := command(t, "run", small(t, `  joined: ["rate == 1"]`), "--target", dead, "--dashboard", "127.0.0.1:0", "--prometheus", "127.0.0.1:0")
		assert.Equal(t, cli.ExitCouldNotRun, code)
		assert.Contains(t, stderr, "cannot be reached")
	})
	t.Run("a WHIP server", func(t *testing.T) {
		_, stderr, code := command(t, "run", small(t, `  joined: ["rate == 1"]`), "--driver", "whep",
			"--whip-url", dead+"/{room}/whip", "--whep-url", dead+"/{room}/whep")
		assert.Equal(t, cli.ExitCouldNotRun, code)
		assert.Contains(t, stderr, "cannot be reached")
		assert.Equal(t, 1, strings.Count(stderr, "\n"), "and nothing else: %s", stderr)
	})
	t.Run("a server that is something else", func(t *testing.T) {
		other := httptest.NewServer(http.NotFoundHandler())
		defer other.Close()
		_, stderr, code := command(t, "run", small(t, `  joined: ["rate == 1"]`), "--target", other.URL)
		assert.Equal(t, cli.ExitCouldNotRun, code)
		assert.Contains(t, stderr, "404")
	})
}

func TestRunExits130WhenInterruptedAndReports(t *testing.T) {
	realTime(t)
	t.Parallel()
	ctx, interrupt := context.WithCancel(t.Context())
	defer interrupt()
	progress := watcher{seen: make(chan string, 1000)}
	done := make(chan struct{})
	var stdout strings.Builder
	var code int
	path := small(t, `  joined: ["rate == 1"]`)
	go func() {
		defer close(done)
		code = exitCode(run(ctx, []string{"run", path, "--hold", "10m"}, &stdout, progress))
	}()
	for line := range progress.seen {
		if strings.Contains(line, "steady") {
			break
		}
	}
	interrupt()
	select {
	case <-done:
	case <-time.After(time.Minute):
		t.Fatal("the run did not end")
	}
	assert.Equal(t, cli.ExitInterrupted, code)
	assert.Contains(t, stdout.String(), "✓ rate == 1  rate=100%")
	assert.Contains(t, stdout.String(), "the run was interrupted")
}

// A watcher sends what is written to it on a channel.
type watcher struct{ seen chan string }

func (w watcher) Write(b []byte) (int, error) {
	select {
	case w.seen <- string(b):
	default:
	}
	return len(b), nil
}

func TestRunExits1WhenItsServerDiesWithTheServersLog(t *testing.T) {
	realTime(t)
	path := small(t, `  joined: ["rate == 1"]`)
	for name, args := range map[string][]string{"one process": nil, "workers": {"--workers", "2", "--local"}} {
		t.Run(name, func(t *testing.T) {
			progress := watcher{seen: make(chan string, 1000)}
			done := make(chan error)
			var stdout strings.Builder
			go func() {
				done <- run(t.Context(), append([]string{"run", path, "--hold", "10m"}, args...), &stdout, progress)
			}()
			for line := range progress.seen {
				if strings.Contains(line, "steady") {
					break
				}
			}
			for _, pid := range children(t) {
				child, err := os.FindProcess(pid)
				require.NoError(t, err)
				require.NoError(t, child.Kill())
			}
			select {
			case err := <-done:
				assert.Equal(t, cli.ExitCouldNotRun, exitCode(err))
				assert.ErrorContains(t, err, "the server died")
				assert.ErrorContains(t, err, "room created", "the end of its log")
				assert.Contains(t, stdout.String(), "✓ rate == 1  rate=100%", "what was measured until then")
				assert.Contains(t, stdout.String(), "✗ fail\n  the server's process ended during the run", "nobody interrupted it")
			case <-time.After(time.Minute):
				t.Fatal("the run did not end")
			}
		})
	}
}

// children are the child processes of this process that serve.
func children(t *testing.T) (pids []int) {
	t.Helper()
	all, err := procfs.AllProcs()
	require.NoError(t, err)
	for _, p := range all {
		stat, err := p.Stat()
		if err != nil || stat.PPID != os.Getpid() || stat.State == "Z" {
			continue
		}
		if args, err := p.CmdLine(); err == nil && slices.Contains(args, "serve") {
			pids = append(pids, p.PID)
		}
	}
	require.NotEmpty(t, pids)
	return pids
}

func TestServerProcessReportsDeath(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	defer cancel(nil)
	server, err := serverprocess.Start(ctx, earshotProcess(t, "serve", "--open", "--http", "127.0.0.1:0", "--media", "127.0.0.1:0", "--stop-with-stdin"), cancel)
	require.NoError(t, err)
	process, err := os.FindProcess(server.PID())
	require.NoError(t, err)
	require.NoError(t, process.Kill())
	<-ctx.Done()
	assert.ErrorIs(t, context.Cause(ctx), serverprocess.ErrDied)
	assert.Error(t, server.Close())
}
