package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/exp/api/remote"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/earshot-audio/earshot/cmd/earshot/cli"
)

// A keeper keeps the last message of remote write.
type keeper struct{ last atomic.Pointer[[]byte] }

// Store implements the library's receiver.
func (k *keeper) Store(r *http.Request, _ remote.WriteMessageType) (*remote.WriteResponse, error) {
	body, err := io.ReadAll(r.Body)
	k.last.Store(&body)
	return remote.NewWriteResponse(), err
}

// A receiver that goes away during a run is said, and changes neither its verdict nor its
// files; the one beside it gets the verdict.
func TestRunPushesItsMetrics(t *testing.T) {
	realTime(t)
	t.Parallel()
	kept := &keeper{}
	stored := httptest.NewServer(remote.NewWriteHandler(kept, remote.MessageTypes{remote.WriteV1MessageType}))
	defer stored.Close()
	var pushes atomic.Int32
	gone := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/x-protobuf")
		if pushes.Add(1) > 1 {
			w.WriteHeader(http.StatusInternalServerError)
		}
	}))
	defer gone.Close()
	summary := filepath.Join(t.TempDir(), "s.json")
	_, stderr, code := command(t, "run", small(t, `  joined: ["rate >= 0"]`), "--summary", summary,
		"--remote-write", stored.URL, "--otlp", gone.URL, "--label", "commit=abc")
	text, err := os.ReadFile(summary)
	require.NoError(t, err)
	var said struct{ Verdict string }
	require.NoError(t, json.Unmarshal(text, &said))
	assert.Equal(t, map[string]int{"pass": cli.ExitPass, "invalid": cli.ExitInvalid}[said.Verdict], code)
	last := kept.last.Load()
	require.NotNil(t, last)
	for _, part := range []string{"earshot_run_verdict", said.Verdict, "earshot_latency_at_best", "commit", "abc"} {
		assert.True(t, bytes.Contains(*last, []byte(part)), part)
	}
	assert.Regexp(t, `earshot: warning: --otlp: \d+ of \d+ pushes failed; the last that did: .*500`, stderr)
	assert.NotContains(t, stderr, "--remote-write")
}

// What is wrong with a receiver is said before a server starts.
func TestRunRefusesReceiversBeforeItPlays(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	nobody := l.Addr().String()
	require.NoError(t, l.Close())
	for _, c := range []struct {
		name string
		args []string
		code int
		says string
	}{
		{"nobody takes remote write", []string{"--remote-write", "http://ann:s3cret@" + nobody}, cli.ExitCouldNotRun, "--remote-write http://…@" + nobody + " takes no metrics: "},
		{"nobody takes OTLP", []string{"--otlp", nobody}, cli.ExitCouldNotRun, "--otlp " + nobody + " takes no metrics: "},
		{"nobody takes OTLP over gRPC", []string{"--otlp", "grpc://" + nobody}, cli.ExitCouldNotRun, "refused"},
		{"a URL of another kind", []string{"--otlp", "kafka://h"}, cli.ExitUsage, "--otlp: kafka://h has the scheme kafka"},
		{"a label for nobody", []string{"--label", "a=b"}, cli.ExitUsage, "--label goes with --remote-write or --otlp"},
		{"a label without a value", []string{"--otlp", nobody, "--label", "a"}, cli.ExitUsage, `--label: "a" is not of the form NAME=VALUE`},
		{"a label twice", []string{"--otlp", nobody, "--label", "a=b", "--label", "a=c"}, cli.ExitUsage, "--label: a is given twice"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, stderr, code := command(t, append([]string{"run", "smoke"}, c.args...)...)
			assert.Equal(t, c.code, code)
			assert.Contains(t, stderr, c.says)
			assert.NotContains(t, stderr, "s3cret")
			assert.NotContains(t, stderr, "joined", "nothing was played")
		})
	}
}

// prometheusProgram is Prometheus, installed or as make tools keeps it.
func prometheusProgram(t *testing.T) string {
	t.Helper()
	if program, err := exec.LookPath("prometheus"); err == nil {
		return program
	}
	cache, err := os.UserCacheDir()
	require.NoError(t, err)
	program := filepath.Join(cache, "earshot", "programs", "prometheus")
	if _, err := exec.LookPath("apt-get"); err != nil {
		t.Skip("make tools takes Prometheus from Debian's packages, and there are none here")
	}
	require.FileExists(t, program, "run make tools, or install Prometheus")
	return program
}

// The real Prometheus stores what a run pushes.
func TestRunPushesToPrometheus(t *testing.T) {
	realTime(t)
	program := prometheusProgram(t)
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	address := l.Addr().String()
	require.NoError(t, l.Close())
	var log bytes.Buffer
	p := exec.CommandContext(t.Context(), program, "--config.file="+file(t, "prometheus.yml", "global: {}\n"), "--web.enable-remote-write-receiver",
		"--web.listen-address="+address, "--storage.tsdb.path="+t.TempDir())
	p.Stderr = &log
	require.NoError(t, p.Start())
	defer func() {
		_ = p.Process.Kill()
		_ = p.Wait() // it was killed
	}()
	require.Eventually(t, func() bool {
		resp, err := http.Get("http://" + address + "/-/ready")
		if err != nil {
			return false
		}
		return resp.Body.Close() == nil && resp.StatusCode == http.StatusOK
	}, time.Minute, 50*time.Millisecond)
	_, stderr, code := command(t, "run", small(t, `  joined: ["rate >= 0"]`), "--remote-write", address, "--label", "commit=abc")
	require.Contains(t, []int{cli.ExitPass, cli.ExitInvalid}, code, stderr)
	require.NotContains(t, stderr, "pushes failed")
	for query, want := range map[string]int{
		`count(earshot_run_verdict{commit="abc",job="earshot"})`: 1,
		`earshot_run_phase`:                                             1, // the phases before have ended
		`earshot_latency{quantile="0.99"}`:                              1,
		`{__name__=~"earshot_(latency|delivered|joined)_at_best"} >= 0`: 7, // five of them quantiles
	} {
		resp, err := http.Get(fmt.Sprintf("http://%s/api/v1/query?query=%s", address, url.QueryEscape(query)))
		require.NoError(t, err)
		var answer struct {
			Data struct{ Result []json.RawMessage }
		}
		require.NoError(t, json.NewDecoder(resp.Body).Decode(&answer))
		require.NoError(t, resp.Body.Close())
		assert.Len(t, answer.Data.Result, want, "%s: %s", query, answer.Data.Result)
	}
}
