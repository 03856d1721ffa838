package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/perf/benchfmt"

	"github.com/earshot-audio/earshot/cmd/earshot/cli"
)

// BenchmarkHeadline measures how close the server comes to this machine's ceiling.
// One speaker and 5,000 listeners run with the server and the load in separate
// processes; the ceiling of internal/udpbatch is measured before and after. The
// results are packets that listeners received for each core-second of the server,
// the mean of the two ceilings, and the share of the first in the second.
//
// It takes a minute and needs a machine that does nothing else:
//
//	go test ./cmd/earshot -run '^$' -bench Headline
func BenchmarkHeadline(b *testing.B) {
	ceiling := filepath.Join(b.TempDir(), "ceiling.test")
	build := exec.CommandContext(b.Context(), "go", "test", "-c", "-o", ceiling, "../../internal/udpbatch")
	out, err := build.CombinedOutput()
	require.NoError(b, err, "%s", out)

	var served, ceilings, share, delivered float64
	for range b.N {
		before := measureCeiling(b, ceiling)
		metrics := measureRun(b, "../../scenarios/one-speaker-5000.yaml", "--hold", "15s")
		after := measureCeiling(b, ceiling)
		b.Logf("ceiling before the run %.0f and after it %.0f packets a core", before, after)
		mean := (before + after) / 2
		served += metrics.PacketsPerCore.Value
		delivered += metrics.Delivered.Rate
		ceilings += mean
		share += metrics.PacketsPerCore.Value / mean
	}
	n := float64(b.N)
	b.ReportMetric(served/n, "packets/core")
	b.ReportMetric(ceilings/n, "ceiling-packets/core")
	b.ReportMetric(100*share/n, "%-of-ceiling")
	b.ReportMetric(100*delivered/n, "%-delivered")
	b.ReportMetric(0, "ns/op") // which would be how long a run is
}

// measureCeiling returns the ceiling for sealed packets, in packets a core.
func measureCeiling(b *testing.B, program string) float64 {
	b.Helper()
	c := exec.CommandContext(b.Context(), program, "-test.run", "^$", "-test.bench", "^BenchmarkCeiling$/^sealed$", "-test.benchtime", "3s")
	c.Dir = b.TempDir()
	out, err := c.CombinedOutput()
	require.NoError(b, err, "%s", out)
	results := benchfmt.NewReader(bytes.NewReader(out), "ceiling")
	for results.Scan() {
		r, ok := results.Result().(*benchfmt.Result)
		if !ok {
			continue
		}
		drained, known := r.Value("drained")
		require.True(b, known)
		require.Greater(b, drained, 0.99, "a ceiling whose packets nobody reads means nothing: %s", out)
		v, known := r.Value("packets/core")
		require.True(b, known)
		return v
	}
	b.Skipf("the ceiling can't be measured here: %s", out)
	return 0
}

// runMetrics are the metrics that are read from a summary.
type runMetrics struct {
	PacketsPerCore struct{ Value float64 } `json:"packets_per_core"`
	Delivered      struct{ Rate float64 }  `json:"delivered"`
}

// measureRun plays a scenario and returns its metrics, whatever the verdict.
func measureRun(b *testing.B, args ...string) runMetrics {
	b.Helper()
	path := filepath.Join(b.TempDir(), "summary.json")
	c := exec.CommandContext(b.Context(), os.Args[0], slices.Concat([]string{"run"}, args, []string{"-q", "--summary", path})...)
	said, err := c.CombinedOutput()
	var exit *exec.ExitError
	if errors.As(err, &exit) && (exit.ExitCode() == cli.ExitFail || exit.ExitCode() == cli.ExitInvalid) {
		b.Logf("the run did not pass: %s", said)
		err = nil
	}
	require.NoError(b, err, "%s", said)
	text, err := os.ReadFile(path)
	require.NoError(b, err)
	var summary struct{ Metrics runMetrics }
	require.NoError(b, json.Unmarshal(text, &summary))
	require.NotZero(b, summary.Metrics.PacketsPerCore.Value)
	return summary.Metrics
}
