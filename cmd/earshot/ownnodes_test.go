package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestRunKillsANodeOfItsOwn plays one room on three servers that the run starts, and kills one. Its
// listeners hear the room from another server, and the others lose nothing.
func TestRunKillsANodeOfItsOwn(t *testing.T) {
	realTime(t)
	t.Parallel()
	summary := filepath.Join(t.TempDir(), "summary.json")
	// How soon it is is measured by cluster-1000; here the machine may be busy.
	path := file(t, "nodes.yaml", `
name: a node dies
room: {slots: 3, node: 2}
cast:
  - {role: speaker, count: 1, audio: "`+voice(t)+`"}
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
	stdout, stderr, code := honestly(t, "run", path, "--summary", summary)
	require.Zero(t, code, "%s\n%s", stdout, stderr)
	text, err := os.ReadFile(summary)
	require.NoError(t, err)
	var s struct {
		Metrics map[string]struct{ Count, Rate float64 }
	}
	require.NoError(t, json.Unmarshal(text, &s))
	assert.EqualValues(t, 5, s.Metrics["reconnect_duration"].Count)
	assert.Less(t, s.Metrics["delivered{node:3}"].Rate, 1.0, "they heard nothing for a while")
}

// TestRunKillsTheNodeOfTheStage kills the server that has the room. Everybody comes back into it on
// another, with their ears and their mics.
func TestRunKillsTheNodeOfTheStage(t *testing.T) {
	realTime(t)
	t.Parallel()
	path := file(t, "stage.yaml", `
name: the node of the stage dies
room: {slots: 3, node: 1}
cast:
  - {role: speaker, count: 1, audio: "`+voice(t)+`"}
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
  # Ten connections, ten ears and a mic.
  reconnect_duration: ["count == 21", "max < 10s"]
  delivered{phase:afterwards}: rate >= 0.99
`)
	stdout, stderr, code := honestly(t, "run", path)
	require.Zero(t, code, "%s\n%s", stdout, stderr)
	t.Log(stdout)
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
			assert.Equal(t, exitUsage, code, stderr)
			assert.Contains(t, stderr, c.says)
		})
	}
}
