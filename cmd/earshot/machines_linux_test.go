package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/earshot-audio/earshot/internal/lab"
	"github.com/earshot-audio/earshot/loadgen/network"
)

// machines are network namespaces, the first of which has a server.
type machines struct {
	t       *testing.T
	lab     *lab.Lab
	address string // of the first
}

const tokenOfMachines = "an-operator-token-of-the-tests"

// startMachines makes machines and starts the server.
func startMachines(t *testing.T, n int) *machines {
	t.Helper()
	l := lab.New(t, n)
	m := &machines{t: t, lab: l, address: l.Address(0).String()}
	listening := watcher{seen: make(chan string, 10)}
	m.start(0, listening, io.Discard, "serve", "--http", m.address+":7080", "--media", m.address+":7081", "--data", t.TempDir(),
		"--operator-token", tokenOfMachines, "--rate-limit-exempt", "10.213.0.0/16")
	select {
	case <-listening.seen:
	case <-time.After(time.Minute):
		t.Fatal("the server did not start")
	}
	return m
}

// start starts a process on a machine, which ends with the test.
func (m *machines) start(machine int, out, errs io.Writer, args ...string) *exec.Cmd {
	m.t.Helper()
	c := m.lab.Command(machine, os.Args[0], args...)
	c.Env = append(os.Environ(), workerTokenEnv+"=secret")
	c.Stdout, c.Stderr = out, errs
	require.NoError(m.t, c.Start())
	m.t.Cleanup(func() {
		_ = c.Process.Kill() // it has ended unless the test failed
		_ = c.Wait()
	})
	return c
}

// A machinesRun is a run that was started on a machine.
type machinesRun struct {
	*exec.Cmd
	said    bytes.Buffer
	summary string
}

// play starts to play a scenario from a machine.
func (m *machines) play(machine int, scenario string, args ...string) *machinesRun {
	m.t.Helper()
	r := &machinesRun{summary: filepath.Join(m.t.TempDir(), "summary.json")}
	args = append([]string{"run", scenario, "--target", "http://" + m.address + ":7080", "--token", tokenOfMachines, "--summary", r.summary}, args...)
	r.Cmd = m.start(machine, &r.said, &r.said, args...)
	return r
}

// ended waits for its end, and returns what it measured and said.
func (r *machinesRun) ended(t *testing.T) (sharedSummary, string) {
	t.Helper()
	_ = r.Wait() // a busy machine may make it invalid
	return readShared(t, r.summary), r.said.String()
}

// share has a worker of each of these machines play a scenario, numbered in their order. The
// coordinator is on the first machine.
func (m *machines) share(scenario string, on ...int) (sharedSummary, string) {
	m.t.Helper()
	at := m.address + ":7090"
	run := m.play(0, scenario, "--workers", fmt.Sprint(len(on)), "--coordinate", at)
	workers, said := make([]*exec.Cmd, len(on)), make([]lastWords, len(on))
	for i, machine := range on {
		workers[i] = m.start(machine, io.Discard, &said[i], "worker", "--join", "nats://"+at)
		require.Eventually(m.t, func() bool { return strings.Contains(said[i].String(), "joined a run") }, time.Minute, 10*time.Millisecond)
	}
	shared, report := run.ended(m.t)
	for i, w := range workers {
		assert.NoError(m.t, w.Wait(), "%s", &said[i])
	}
	require.Len(m.t, shared.Workers, len(on), report)
	for _, w := range shared.Workers {
		assert.Empty(m.t, w.Lost, report)
	}
	return shared, report
}

// TestThreeMachinesMeasureWhatOneProcessDoes plays a seeded scenario against one server, in
// one process, and by three workers on three machines. All workers have mics and listeners
// of both rooms: a clock that is ahead of what it is taken for makes somebody's
// latencies smaller than they can be.
func TestThreeMachinesMeasureWhatOneProcessDoes(t *testing.T) {
	realTime(t)
	t.Parallel()
	m := startMachines(t, 3)
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
	one, oneSaid := m.play(1, scenario).ended(t) // not where the server is
	three, threeSaid := m.share(scenario, 0, 1, 2)
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
	// How busy the machine is moves all other latencies.
	const unlike = 1.0 // ms, of the ways of machines
	a, b := one.leastLatency(), three.leastLatency()
	assert.LessOrEqual(t, a[0], b[1]+unlike, "%s\n%s", oneSaid, threeSaid)
	assert.LessOrEqual(t, b[0], a[1]+unlike, "%s\n%s", oneSaid, threeSaid)
	t.Logf("one process: %s, %+v, least latency %v; three workers: %s, %+v, least latency %v", one.Verdict, one.Metrics["delivered"], a, three.Verdict, three.Metrics["delivered"], b)
}

// leastLatency is that of a run, in ms, at best and at worst.
func (s sharedSummary) leastLatency() [2]float64 {
	worst := s.Metrics["latency"]
	if best, doubted := s.Best["latency"]; doubted {
		return [2]float64{best.Min, worst.Min}
	}
	return [2]float64{worst.Min, worst.Min}
}

// TestClockBoundCoversASlowLink has two workers play, one of which has a link that takes 20 ms
// more one way. Its clock is taken for 10 ms ahead, or behind, of what it is; and so are the
// latencies of what the one says and the other hears. What they may be covers what they are.
func TestClockBoundCoversASlowLink(t *testing.T) {
	realTime(t)
	t.Parallel()
	const (
		asymmetry = 20 * time.Millisecond
		most      = 5.0 // ms, of the fastest packet without it
	)
	scenario := file(t, "slow.yaml", `name: a slow link
room: {capacity: 5, slots: 3}
cast:
  - {role: host, count: 1} # the first worker's
  - {role: speaker, count: 1, audio: `+voice(t)+`} # the second one's
  - {role: listener, count: 1} # the first one's
hold: 4s
thresholds: {latency: ["min < 15ms"]}
`)
	for _, c := range []struct {
		sentence string
		up, down time.Duration
		on       []int // the first worker, who hears, and the second one, who speaks
		slowed   bool  // the packets are
	}{
		{"the speaker's packets are late, and look less so", asymmetry, 0, []int{0, 1}, true},
		{"packets are late at the listener, and look less so", 0, asymmetry, []int{1, 0}, true},
		{"packets are not late at the listener, and look so", asymmetry, 0, []int{1, 0}, false},
		{"the speaker's packets are not late, and look so", 0, asymmetry, []int{0, 1}, false},
	} {
		t.Run(c.sentence, func(t *testing.T) {
			t.Parallel()
			m := startMachines(t, 2)
			m.lab.Slow(1, network.Direction{Delay: c.up}, network.Direction{Delay: c.down})
			s, said := m.share(scenario, c.on...)
			require.EqualValues(t, 1, s.Metrics["joined"].Passes, said)
			bound := 0.0
			for _, w := range s.Workers {
				bound = max(bound, w.Clock.BoundMS)
			}
			assert.GreaterOrEqual(t, bound, float64(asymmetry/2/time.Millisecond), said)
			least := s.leastLatency()
			t.Logf("the least latency is %.2f to %.2f ms, and the clocks are apart by %.2f ms at most; %s", least[0], least[1], bound, s.Verdict)
			if c.slowed {
				assert.GreaterOrEqual(t, least[1], 0.97*float64(asymmetry/time.Millisecond), said)
				assert.NotEqual(t, "pass", s.Verdict, said)
			} else {
				assert.Less(t, least[0], most, said)
				assert.NotEqual(t, "fail", s.Verdict, said)
			}
		})
	}
}
