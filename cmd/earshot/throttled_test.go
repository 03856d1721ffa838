//go:build unix

package main

import (
	"bufio"
	"io"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/earshot-audio/earshot/cmd/earshot/cli"
)

// throttled plays a scenario in a child process against a server in this process.
// slow disturbs the child during the steady state, until over is closed. It returns
// the report and the exit code.
func throttled(t *testing.T, c *exec.Cmd, start func(*exec.Cmd) error, slow func(generator *exec.Cmd, over <-chan struct{})) (text string, code int) {
	t.Helper()
	var report strings.Builder
	c.Stdout = &report
	progress, err := c.StderrPipe()
	require.NoError(t, err)
	require.NoError(t, start(c))
	defer func() { _ = c.Process.Kill() }() // it has ended unless the test failed
	over, slowed := make(chan struct{}), make(chan struct{})
	begun, ended := false, false
	lines := bufio.NewScanner(progress)
	for lines.Scan() {
		switch phase := lines.Text(); {
		case !begun && strings.Contains(phase, "steady"):
			begun = true
			go func() {
				defer close(slowed)
				slow(c, over)
			}()
		case begun && !ended && !strings.Contains(phase, "steady"):
			ended = true
			close(over)
		}
	}
	if begun && !ended {
		close(over)
	}
	_, _ = io.Copy(io.Discard, progress)
	require.True(t, begun, "the run came to its steady state")
	<-slowed
	_ = c.Wait() // its code says how it went
	return report.String(), c.ProcessState.ExitCode()
}

// throttledThresholds are thresholds of a throttled run. The first would fail, since
// packets are late that the generator held back; the second would pass. The server,
// under the race detector, needs tens of milliseconds of its own.
var throttledThresholds = []struct{ name, text string }{
	{"it does not fail", `  latency: ["p(99) < 200ms"]`},
	{"it does not pass", `  joined: ["rate == 1"]`},
}

func TestRunInvalidWhenGeneratorIsStoppedRepeatedly(t *testing.T) {
	realTime(t)
	url, stop := served(t, "--open")
	defer func() { assert.Zero(t, stop()) }()
	for _, c := range throttledThresholds {
		t.Run(c.name, func(t *testing.T) {
			run := underRaceDetector(t, "run", small(t, c.text), "--target", url, "--hold", "4s")
			text, code := throttled(t, run, (*exec.Cmd).Start, func(generator *exec.Cmd, over <-chan struct{}) {
				for {
					for _, s := range []struct {
						signal syscall.Signal
						pause  time.Duration
					}{{syscall.SIGSTOP, 300 * time.Millisecond}, {syscall.SIGCONT, 100 * time.Millisecond}} {
						_ = generator.Process.Signal(s.signal) // it may have ended
						time.Sleep(s.pause)
					}
					select {
					case <-over:
						return
					default:
					}
				}
			})
			assert.Equal(t, cli.ExitInvalid, code, text)
			assert.Regexp(t, "the generator was the bottleneck|the generator's process did not run", text)
		})
	}
}
