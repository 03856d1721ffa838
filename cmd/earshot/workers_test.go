package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/earshot-audio/earshot/cmd/earshot/cli"
)

// sharedScenario is a scenario that several workers play: two speakers, who are two workers', and
// listeners of all.
func sharedScenario(t *testing.T) string {
	return file(t, "shared.yaml", `name: shared
room: {capacity: 10, slots: 3}
cast:
  - {role: speaker, count: 2, audio: `+voice(t)+`}
  - {role: listener, count: 7, arrive: {within: 500ms}}
hold: 3s
timeline:
  - {at: 500ms, who: listener, count: 1, do: raise-hand}
  - {at: 1s, who: speaker, count: 1, do: mute}
thresholds:
  joined: ["rate == 1"]
  delivered: ["rate >= 0.9"]
  unrecognised: ["rate < 0.01"]
  mute_silence: ["count == 1"]
`)
}

// A latencySummary is a latency of a run, in ms.
type latencySummary struct{ Min, Med float64 }

type sharedSummary struct {
	Verdict string   `json:"verdict"`
	Reasons []string `json:"reasons"`
	Metrics map[string]struct {
		Passes, Total, Count uint64
		Min, Med             float64
	} `json:"metrics"`
	Best     map[string]latencySummary
	Scenario struct {
		SteadyS float64 `json:"steady_s"`
	} `json:"scenario"`
	Workers []struct {
		Name, Lost string
		Clock      struct {
			BoundMS float64 `json:"bound_ms"`
		}
	} `json:"workers"`
	Problems []any
}

func readShared(t *testing.T, path string) (s sharedSummary) {
	t.Helper()
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(text, &s))
	return s
}

func TestWorkersPlayAScenarioTogether(t *testing.T) {
	realTime(t)
	t.Parallel()
	summary := filepath.Join(t.TempDir(), "summary.json")
	c := earshotProcess(t, "run", sharedScenario(t), "--workers", "3", "--local", "--summary", summary)
	out, err := c.CombinedOutput()
	_ = err // a busy machine may make it invalid
	s := readShared(t, summary)
	require.Len(t, s.Workers, 3, "%s", out)
	for _, w := range s.Workers {
		assert.Empty(t, w.Lost, "%s: %s", w.Name, out)
	}
	assert.EqualValues(t, 7, s.Metrics["joined"].Total)
	assert.EqualValues(t, 7, s.Metrics["joined"].Passes, "%s", out)
	assert.Zero(t, s.Metrics["unrecognised"].Passes, "packets are tied to frames that other workers sent: %s", out)
	assert.Positive(t, s.Metrics["unrecognised"].Total)
	assert.EqualValues(t, 1, s.Metrics["mute_silence"].Count)
	assert.Positive(t, s.Metrics["delivered"].Total)
	assert.GreaterOrEqual(t, s.Scenario.SteadyS, 2.999, "the measured window is that of the scenario, or longer on a busy machine")
	assert.NotEqual(t, "fail", s.Verdict, "%s", out)
}

// The stage is so full that one moderator has a place, as in a run of one process. It moderates
// everybody, whichever worker plays them.
func TestWorkersShareOneModerator(t *testing.T) {
	realTime(t)
	t.Parallel()
	full := file(t, "full.yaml", `name: a full stage
room: {capacity: 10, slots: 3}
cast:
  - {role: speaker, count: 4, audio: builtin:speech}
  - {role: host, count: 15}
  - {role: listener, count: 6, arrive: {within: 500ms}}
hold: 7s
timeline:
  - {at: 500ms, who: speaker, count: 2, do: mute}
  - {at: 1s, who: listener, count: 3, do: kick}
  - {at: 2500ms, who: speaker, count: 2, do: demote}
  - {at: 4500ms, who: listener, count: 1, do: promote}
`)
	summary := filepath.Join(t.TempDir(), "summary.json")
	var out []byte
	var s sharedSummary
	for range 3 { // a busy machine may make it invalid
		out, _ = earshotProcess(t, "run", full, "--workers", "3", "--local", "--summary", summary).CombinedOutput()
		if s = readShared(t, summary); s.Verdict != "invalid" {
			break
		}
	}
	assert.Empty(t, s.Problems, "%s", out)
	for name, count := range map[string]uint64{"mute_silence": 4, "kick_silence": 3, "promote_duration": 1} {
		assert.Equal(t, count, s.Metrics[name].Count, "%s: %s", name, out)
	}
}

func TestWorkersFlagsThatDoNotGoTogether(t *testing.T) {
	for _, c := range []struct {
		sentence string
		args     []string
		says     string
	}{
		{"where do the workers join?", []string{"--workers", "2"}, "--coordinate"},
		{"they do not reach the run's own server", []string{"--workers", "2", "--coordinate", "127.0.0.1:0"}, "--target"},
		{"none", []string{"--workers", "0", "--local"}, "0 workers"},
		{"local without workers", []string{"--local"}, "--local goes with --workers"},
		{"two ways", []string{"--workers", "2", "--local", "--coordinate", "127.0.0.1:0", "--nats", "nats://127.0.0.1:1"}, "give one"},
		{"half a certificate", []string{"--workers", "2", "--coordinate", "127.0.0.1:0", "--target", "http://127.0.0.1:1", "--worker-cert", "x"}, "go together"},
		{"where do they join again?", []string{"--workers", "2", "--coordinate", "127.0.0.1:0", "--target", "http://127.0.0.1:1", "--repeat", "2"}, "--repeat"},
	} {
		_, stderr, code := command(t, append([]string{"run", "smoke"}, c.args...)...)
		assert.Equal(t, cli.ExitUsage, code, c.sentence)
		assert.Contains(t, stderr, c.says, c.sentence)
	}
	for _, args := range [][]string{{"worker"}, {"worker", "--join", "http://127.0.0.1:1"}} {
		_, _, code := command(t, args...)
		assert.Equal(t, cli.ExitUsage, code)
	}
	_, stderr, code := command(t, "worker", "--join", "nats://x@127.0.0.1:1", "--wait", "1ms")
	assert.Equal(t, cli.ExitCouldNotRun, code)
	assert.Contains(t, stderr, "no coordinator")
}

// Everybody on a machine can read the arguments of its processes, and logs are kept.
func TestSecretsOfWorkersAreNeitherArgumentsNorPrinted(t *testing.T) {
	const join = "nats://hidden:word@127.0.0.1:7090"
	c := localWorker("earshot", join, "between us", 0, "")
	for _, arg := range c.Args {
		assert.NotContains(t, arg, "hidden")
		assert.NotContains(t, arg, "word")
		assert.NotContains(t, arg, "between us")
	}
	assert.Contains(t, c.Env, workerJoinEnv+"="+join)
	assert.Contains(t, c.Env, workerSecretEnv+"=between us")

	t.Setenv(workerJoinEnv, join)
	got, err := workerFlags{}.joinURL()
	require.NoError(t, err)
	assert.Equal(t, join, got, "that is how they join")

	for _, c := range []struct {
		sentence    string
		flags       workersFlags
		token, want string
	}{
		{"a token that was made for the run can only be had there", workersFlags{}, "", join},
		{"one of the environment is known", workersFlags{}, "hidden", "nats://127.0.0.1:7090, with EARSHOT_WORKER_TOKEN as here"},
		{"so are the name and the password of --nats", workersFlags{nats: join}, "", "nats://127.0.0.1:7090, with what stands before the @ in --nats"},
	} {
		t.Run(c.sentence, func(t *testing.T) {
			t.Setenv(workerTokenEnv, c.token)
			assert.Equal(t, c.want, c.flags.shownJoin(join))
		})
	}
}
