package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/earshot-audio/earshot/cmd/earshot/cli"
)

// playNodes plays a scenario on servers of its own, which nothing that is certain may speak against,
// and returns what was measured, at worst. Where the machine is busy the run may be invalid.
func playNodes(t *testing.T, text string) map[string]struct{ Count, Rate, Max float64 } {
	t.Helper()
	summary := filepath.Join(t.TempDir(), "summary.json")
	text = strings.ReplaceAll(text, "VOICE", voice(t))
	run := earshotProcess(t, "run", file(t, "nodes.yaml", text), "--summary", summary)
	said, _ := run.CombinedOutput() // its code is looked at
	if code := run.ProcessState.ExitCode(); code != cli.ExitInvalid {
		require.Zero(t, code, "%s", said)
	}
	data, err := os.ReadFile(summary)
	require.NoError(t, err)
	var s struct {
		Metrics map[string]struct{ Count, Rate, Max float64 }
	}
	require.NoError(t, json.Unmarshal(data, &s))
	assert.InDelta(t, 1, s.Metrics["joined"].Rate, 0, "%s", said)
	t.Logf("%v ms at most", s.Metrics["reconnect_duration"].Max)
	return s.Metrics
}

// TestRunKillsANodeOfItsOwn plays one room on three servers that the run starts, and kills one. Its
// listeners hear the room from another server, and the others lose nothing.
func TestRunKillsANodeOfItsOwn(t *testing.T) {
	realTime(t)
	t.Parallel()
	// How soon it is is measured by cluster-1000; here the machine may be busy.
	got := playNodes(t, `
name: a node dies
room: {slots: 3, node: 2}
cast:
  - {role: speaker, count: 1, audio: "VOICE"}
  - {role: listener, count: 5, node: 1, arrive: {within: 500ms}}
  - {role: listener, count: 5, node: 2, arrive: {within: 500ms}}
  - {role: listener, count: 5, node: 3, arrive: {within: 500ms}}
timeline:
  - {at: 1s, do: kill-node, node: 3}
hold: 8s
thresholds:
  joined: rate == 1
  reconnect_duration: ["count == 5", "max < 10s"]
  delivered{node:1}: rate >= 0.99
  delivered{node:2}: rate >= 0.99
  delivered{node:3}: rate >= 0.1
`)
	assert.EqualValues(t, 5, got["reconnect_duration"].Count)
	assert.Less(t, got["delivered{node:3}"].Rate, 1.0, "they heard nothing for a while")
	for _, others := range []string{"delivered{node:1}", "delivered{node:2}"} {
		assert.Greater(t, got[others].Rate, got["delivered{node:3}"].Rate, others)
	}
}

// TestRunKillsTheNodeOfTheStage kills the server that has the room. Everybody comes back into it on
// another, with their ears and their mics.
func TestRunKillsTheNodeOfTheStage(t *testing.T) {
	realTime(t)
	t.Parallel()
	got := playNodes(t, `
name: the node of the stage dies
room: {slots: 3, node: 1}
cast:
  - {role: speaker, count: 1, audio: "VOICE"}
  - {role: listener, count: 3, node: 1, arrive: {within: 500ms}}
  - {role: listener, count: 3, node: 2, arrive: {within: 500ms}}
  - {role: listener, count: 3, node: 3, arrive: {within: 500ms}}
timeline:
  - {at: 1s, do: kill-node, node: 1}
  - {at: 13s, name: afterwards}
hold: 16s
thresholds:
  joined: rate == 1
  published: rate == 1
  reconnect_duration: ["count == 21", "max < 10s"]
  delivered{phase:afterwards}: rate >= 0.9
`)
	assert.EqualValues(t, 21, got["reconnect_duration"].Count, "ten connections, ten ears and a mic")
	assert.Positive(t, got["delivered{phase:afterwards}"].Rate, "they hear the room again")
}

// TestRunRestartsItsNodes stops all servers, one after the other, and starts them again: the one that
// has the room first. Everybody is in it, with mic and ears, when all are back.
func TestRunRestartsItsNodes(t *testing.T) {
	realTime(t)
	t.Parallel()
	got := playNodes(t, `
name: a rolling restart
room: {slots: 3, node: 1}
cast:
  - {role: speaker, count: 1, audio: "VOICE"}
  - {role: listener, count: 3, node: 1, arrive: {within: 500ms}}
  - {role: listener, count: 3, node: 2, arrive: {within: 500ms}}
timeline:
  - {at: 1s, do: restart-node, node: 1}
  - {at: 5s, do: restart-node, node: 2}
  - {at: 9s, do: restart-node, node: 3}
  - {at: 17s, name: afterwards}
hold: 20s
thresholds:
  joined: rate == 1
  published: rate == 1
  reconnect_duration: ["count >= 15", "max < 10s"]
  delivered{phase:afterwards}: rate >= 0.9
`)
	assert.GreaterOrEqual(t, got["reconnect_duration"].Count, 15.0, "seven connections, seven ears and a mic")
	assert.Positive(t, got["delivered{phase:afterwards}"].Rate, "they hear the room again")
}

func TestRunRefusesNodesThatCannotBe(t *testing.T) {
	t.Parallel()
	killer := func(nodes string) string {
		return file(t, "nodes.yaml", "name: x\ncast:\n  - {role: speaker, count: 1, audio: builtin:speech}\n  - {role: listener, count: 1, node: 1}\ntimeline: ["+nodes+"]\nhold: 3s\n")
	}
	one, both := killer("{at: 1s, do: kill-node, node: 2}"), killer("{at: 1s, do: kill-node, node: 1}, {at: 2s, do: kill-node, node: 2}")
	for _, c := range []struct {
		name string
		args []string
		says string
	}{
		{"nodes beside a target", []string{"run", "smoke", "--nodes", "3", "--target", "http://127.0.0.1:1"}, "leave out the target"},
		{"fewer than the scenario names", []string{"run", one, "--nodes", "1"}, "the scenario names node 2"},
		{"too many", []string{"run", "smoke", "--nodes", "51"}, "from 1 to 50"},
		{"less than none", []string{"run", "smoke", "--nodes", "-1"}, "from 1 to 50"},
		{"workers, which can't start them", []string{"run", one, "--workers", "2", "--local"}, "start them yourself"},
		{"none that is left", []string{"run", both}, "kills every node"},
		{"a driver that knows none", []string{"run", one, "--driver", "whep", "--whip-url", "http://127.0.0.1:1/{room}/whip", "--whep-url", "http://127.0.0.1:1/{room}/whep"}, "knows no nodes"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, stderr, code := command(t, c.args...)
			assert.Equal(t, cli.ExitUsage, code, stderr)
			assert.Contains(t, stderr, c.says)
		})
	}
}
