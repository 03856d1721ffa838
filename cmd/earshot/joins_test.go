package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/earshot-audio/earshot/cmd/earshot/cli"
)

// BenchmarkJoins measures what a join costs: CPU of the server and the load together, from
// the WebSocket to the keys of the media, with its leaving again. Nobody speaks, so that
// there are no packets. It is the difference between a run with many listeners and one
// with few, so that the start of the program does not count. They come at 500 a second, as
// in one-speaker-5000.yaml:
//
//	go test ./cmd/earshot -run '^$' -bench Joins -benchtime 3x
func BenchmarkJoins(b *testing.B) {
	const few, many, aSecond = 500, 3000, 500
	var cpu time.Duration
	for range b.N {
		cpu += cpuOfJoins(b, many, many/aSecond) - cpuOfJoins(b, few, few/aSecond)
	}
	b.ReportMetric(float64(cpu.Microseconds())/1000/float64(b.N*(many-few)), "CPU-ms/join")
	b.ReportMetric(0, "ns/op") // which would be how long a run is
}

// cpuOfJoins returns the CPU of a run, with its server, in which listeners come within so
// many seconds.
func cpuOfJoins(b *testing.B, listeners, within int) time.Duration {
	b.Helper()
	path := filepath.Join(b.TempDir(), "joins.yaml")
	text := fmt.Sprintf("name: joins\njoin_deadline: 3s\nhold: 1s\ncast: [{role: listener, count: %d, arrive: {within: %ds}}]\n", listeners, within)
	require.NoError(b, os.WriteFile(path, []byte(text), 0o600))
	c := exec.CommandContext(b.Context(), os.Args[0], "run", path, "-q")
	said, err := c.CombinedOutput()
	var exit *exec.ExitError
	if errors.As(err, &exit) && (exit.ExitCode() == cli.ExitFail || exit.ExitCode() == cli.ExitInvalid) {
		err = nil // nobody heard anything
	}
	require.NoError(b, err, "%s", said)
	// The kernel adds what children took that were waited for: the run's server.
	return c.ProcessState.UserTime() + c.ProcessState.SystemTime()
}
