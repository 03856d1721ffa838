package main

import (
	"bytes"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/earshot-audio/earshot/internal/lab"
)

// TestThreeMachinesMeasureWhatOneProcessDoes plays a seeded scenario against one server, in
// one process, and by three workers on three machines: network namespaces.
func TestThreeMachinesMeasureWhatOneProcessDoes(t *testing.T) {
	realTime(t)
	t.Parallel()
	l := lab.New(t, 3)
	const token = "an-operator-token-of-the-tests"
	start := func(machine int, out, errs io.Writer, args ...string) *exec.Cmd {
		c := l.Command(machine, os.Args[0], args...)
		c.Env = append(os.Environ(), workerTokenEnv+"=secret")
		c.Stdout, c.Stderr = out, errs
		require.NoError(t, c.Start())
		t.Cleanup(func() {
			_ = c.Process.Kill() // it has ended unless the test failed
			_ = c.Wait()
		})
		return c
	}
	own := l.Address(0).String()
	listening := watcher{seen: make(chan string, 10)}
	start(0, listening, io.Discard, "serve", "--http", own+":7080", "--media", own+":7081", "--data", t.TempDir(),
		"--operator-token", token, "--rate-limit-exempt", "10.213.0.0/16")
	select {
	case <-listening.seen:
	case <-time.After(time.Minute):
		t.Fatal("the server did not start")
	}
	scenario := file(t, "seeded.yaml", `name: seeded
seed: 7
rooms: 2
room: {capacity: 10, slots: 3}
cast:
  - {role: speaker, count: 2, audio: `+voice(t)+`}
  - {role: listener, count: 7, arrive: {within: 500ms}}
hold: 4s
timeline:
  - {at: 500ms, who: listener, count: 2, do: raise-hand}
  - {at: 1s, who: listener, count: 3, do: reconnect}
  - {at: 1500ms, who: speaker, count: 1, do: mute}
  - {at: 2s, who: listener, count: 2, do: leave}
thresholds:
  joined: ["rate == 1"]
  published: ["rate == 1"]
  mute_silence: ["count == 2"]
  reconnect_duration: ["count == 6"]
`)
	play := func(args ...string) (sharedSummary, string) {
		summary := filepath.Join(t.TempDir(), "summary.json")
		var said bytes.Buffer
		_ = start(0, &said, &said, append([]string{"run", scenario, "--target", "http://" + own + ":7080", "--token", token, "--summary", summary}, args...)...).Wait()
		return readShared(t, summary), said.String()
	}
	one, oneSaid := play()

	var workers [3]*exec.Cmd
	var said [3]bytes.Buffer
	for i := range workers {
		workers[i] = start(i, io.Discard, &said[i], "worker", "--join", "nats://"+own+":7090")
	}
	three, threeSaid := play("--workers", "3", "--coordinate", own+":7090")
	for i, w := range workers {
		assert.NoError(t, w.Wait(), "%s", &said[i])
	}
	require.Len(t, three.Workers, 3, threeSaid)
	for _, w := range three.Workers {
		assert.Empty(t, w.Lost, threeSaid)
	}
	for _, name := range []string{"joined", "published", "mute_silence", "reconnect_duration", "publish_duration"} {
		want, got := one.Metrics[name], three.Metrics[name]
		assert.Equal(t, want.Total, got.Total, "%s: %s\n%s", name, oneSaid, threeSaid)
		assert.Equal(t, want.Passes, got.Passes, "%s: %s\n%s", name, oneSaid, threeSaid)
		assert.Equal(t, want.Count, got.Count, "%s: %s\n%s", name, oneSaid, threeSaid)
	}
	assert.Empty(t, one.Problems, oneSaid)
	assert.Empty(t, three.Problems, threeSaid)
	// The run of a busy machine lasts longer.
	perSecond := func(s sharedSummary) float64 { return float64(s.Metrics["delivered"].Total) / s.Scenario.SteadyS }
	assert.InEpsilon(t, perSecond(one), perSecond(three), 0.5, "who leaves is owed no more, and who is muted owes no more")
	if one.Verdict != "invalid" && three.Verdict != "invalid" { // by what a busy machine does
		assert.Equal(t, one.Verdict, three.Verdict, "%s\n%s", oneSaid, threeSaid)
	}
	t.Logf("one process: %s, %+v; three workers: %s, %+v", one.Verdict, one.Metrics["delivered"], three.Verdict, three.Metrics["delivered"])
}
