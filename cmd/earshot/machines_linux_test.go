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
	c := m.lab.Command(machine, program(m.t), args...)
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
// one process, and by three workers on three machines, at the same time: so the server is as busy for the one
// as for the other. All workers have mics and listeners of both rooms: a clock that is ahead of what it is taken
// for makes somebody's latencies smaller than they can be.
//
// What is owed is compared where no act is on its way, which takes as long as the machine is busy: there it is the
// same to a frame of each voice, by which a stretch may be shorter that does not begin with a whole one.
func TestThreeMachinesMeasureWhatOneProcessDoes(t *testing.T) {
	realTime(t)
	t.Parallel()
	m := startMachines(t, 3)
	const rooms, speakers, listeners = 2, 2, 7
	scenario := file(t, "seeded.yaml", `name: seeded
seed: 7
rooms: 2
room: {capacity: 10, slots: 3}
cast:
  - {role: speaker, count: 2, audio: `+voice(t)+`}
  - {role: listener, count: 7, arrive: {within: 500ms}}
hold: 9500ms
timeline:
  - {at: 0s, name: before, for: 2s}
  - {at: 2s, who: listener, count: 2, do: raise-hand}
  - {at: 2s, who: listener, count: 3, do: reconnect}
  - {at: 2500ms, who: speaker, count: 1, do: mute}
  - {at: 4500ms, who: listener, count: 2, do: leave}
  - {at: 8s, name: after, for: 1500ms}
thresholds:
  joined: ["rate == 1"]
  published: ["rate == 1"]
  mute_silence: ["count == 2"]
  reconnect_duration: ["count == 6"]
  delivered{phase:before}: ["rate >= 0"]
  delivered{phase:after}: ["rate >= 0"]
`)
	alone := m.play(1, scenario) // not where the server is
	three, threeSaid := m.share(scenario, 0, 1, 2)
	one, oneSaid := alone.ended(t)
	for _, name := range []string{"joined", "published", "mute_silence", "reconnect_duration", "publish_duration"} {
		want, got := one.Metrics[name], three.Metrics[name]
		assert.Equal(t, want.Total, got.Total, "%s: %s\n%s", name, oneSaid, threeSaid)
		assert.Equal(t, want.Passes, got.Passes, "%s: %s\n%s", name, oneSaid, threeSaid)
		assert.Equal(t, want.Count, got.Count, "%s: %s\n%s", name, oneSaid, threeSaid)
	}
	assert.Empty(t, one.Problems, oneSaid)
	assert.Empty(t, three.Problems, threeSaid)
	for phase, owed := range map[string]struct{ voices, frames uint64 }{
		"before": {rooms * speakers * listeners, 100},
		"after":  {rooms * (speakers - 1) * (listeners - 2), 75}, // who has left is owed no more, and who is muted owes no more
	} {
		name := "delivered{phase:" + phase + "}"
		for said, s := range map[string]sharedSummary{oneSaid: one, threeSaid: three} {
			total := s.Metrics[name].Total
			assert.LessOrEqual(t, total, owed.voices*owed.frames, "%s: %s", name, said)
			assert.GreaterOrEqual(t, total, owed.voices*(owed.frames-1), "%s: %s", name, said)
		}
	}
	if one.Verdict != "invalid" && three.Verdict != "invalid" { // by what a busy machine does
		assert.Equal(t, one.Verdict, three.Verdict, "%s\n%s", oneSaid, threeSaid)
	}
	// What the clocks may be apart is in doubt in the workers' latencies.
	const unlike = 1.0 // ms, of the ways of machines
	figures := map[string]func(latencySummary) float64{"the least": func(l latencySummary) float64 { return l.Min }}
	if one.Verdict == "pass" && three.Verdict == "pass" { // how busy the machine is moves all other latencies
		figures["the median"] = func(l latencySummary) float64 { return l.Med }
	}
	for of, value := range figures {
		a, b := one.latency(value), three.latency(value)
		t.Logf("%s latency is %.2f to %.2f ms in one process, and %.2f to %.2f ms by three workers", of, a[0], a[1], b[0], b[1])
		assert.LessOrEqual(t, a[0], b[1]+unlike, "%s: %s\n%s", of, oneSaid, threeSaid)
		assert.LessOrEqual(t, b[0], a[1]+unlike, "%s: %s\n%s", of, oneSaid, threeSaid)
	}
}

// latency is a figure of a run's latency, in ms, at best and at worst.
func (s sharedSummary) latency(value func(latencySummary) float64) [2]float64 {
	m := s.Metrics["latency"]
	worst := value(latencySummary{m.Min, m.Med})
	if best, doubted := s.Best["latency"]; doubted {
		return [2]float64{value(best), worst}
	}
	return [2]float64{worst, worst}
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
			least := s.latency(func(l latencySummary) float64 { return l.Min })
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
