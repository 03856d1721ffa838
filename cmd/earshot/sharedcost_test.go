package main

import (
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/earshot-audio/earshot/cmd/earshot/cli"
)

// BenchmarkTwoWorkers measures what CPU a packet costs that two workers of this machine receive, in % of what it
// costs in one process: 100 is no more. Both have the machine's cores, so how many listeners fit is by what they
// cost. Each round plays a scenario in one process and by two workers, in turns, and adds up what all
// processes of the run used from their start to their end, the server and the coordinator
// included.
//
// A round takes 50 s. Others who use the machine make both dearer, and not alike: play several.
//
//	go test ./cmd/earshot -run '^$' -bench TwoWorkers -benchtime 5x -timeout 30m
func BenchmarkTwoWorkers(b *testing.B) {
	var one, two cost
	for i := range b.N {
		turns := []func(){
			func() { one.add(b, playedAtCost(b)) },
			func() { two.add(b, playedAtCost(b, "--workers", "2", "--local")) },
		}
		turns[i%2]()
		turns[1-i%2]()
		b.Logf("so far %.0f ns a packet in one process, and %.0f by two workers", one.each(), two.each())
	}
	b.ReportMetric(100*two.each()/one.each(), "two-cpu-%-of-one")
	b.ReportMetric(one.each(), "one-cpu-ns/packet")
	b.ReportMetric(two.each(), "two-cpu-ns/packet")
	b.ReportMetric(100*one.delivered/float64(b.N), "one-%-delivered")
	b.ReportMetric(100*two.delivered/float64(b.N), "two-%-delivered")
	b.ReportMetric(0, "ns/op") // which would be how long a run is
}

// A cost is what runs used, and how many packets they brought to listeners.
type cost struct {
	cpu       time.Duration
	packets   uint64
	delivered float64
}

func (c *cost) add(b *testing.B, other cost) {
	b.Helper()
	require.NotZero(b, other.packets)
	c.cpu, c.packets, c.delivered = c.cpu+other.cpu, c.packets+other.packets, c.delivered+other.delivered
}

// each is what a packet took, in ns.
func (c *cost) each() float64 { return float64(c.cpu) / float64(max(c.packets, 1)) }

// playedAtCost plays a broadcast, whatever its verdict, and returns what it took.
func playedAtCost(b *testing.B, args ...string) cost {
	b.Helper()
	summary := filepath.Join(b.TempDir(), "summary.json")
	args = append([]string{"run", "../../scenarios/one-speaker-5000.yaml", "--listeners", "2000", "--hold", "15s", "-q", "--summary", summary}, args...)
	c := exec.CommandContext(b.Context(), os.Args[0], args...)
	said, err := c.CombinedOutput()
	var exit *exec.ExitError
	if errors.As(err, &exit) && (exit.ExitCode() == cli.ExitFail || exit.ExitCode() == cli.ExitInvalid) {
		err = nil
	}
	require.NoError(b, err, "%s", said)
	text, err := os.ReadFile(summary)
	require.NoError(b, err)
	var s struct {
		Metrics struct {
			Delivered struct {
				Rate   float64
				Passes uint64
			}
		}
	}
	require.NoError(b, json.Unmarshal(text, &s))
	d := s.Metrics.Delivered
	// With what the processes used that it has started and waited for.
	return cost{c.ProcessState.UserTime() + c.ProcessState.SystemTime(), d.Passes, d.Rate}
}
