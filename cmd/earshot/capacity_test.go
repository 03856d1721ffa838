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

// crowded is a scenario for searches whose condition limits it to twelve listeners, a
// limit that does not depend on the machine.
func crowded(t *testing.T) string {
	t.Helper()
	return file(t, "crowded.yaml", `
name: twelve at the most
room: {slots: 1}
cast:
  - {role: speaker, count: 1, audio: "`+voice(t)+`"}
  - {role: listener, count: 24, arrive: {within: 100ms}}
hold: 500ms
join_deadline: 2s
thresholds:
  delivered: ["rate >= 0"]
`)
}

func TestCapacityFindsLargestPassingLoad(t *testing.T) {
	realTime(t)
	t.Parallel()
	summary, page := filepath.Join(t.TempDir(), "capacity.json"), filepath.Join(t.TempDir(), "capacity.html")
	stdout, stderr, code := honestly(t, "capacity", crowded(t), "--vary", "listeners", "--from", "12", "--to", "24", "--within", "50%",
		"--until", "joined: count <= 12", "--summary", summary, "--html", page)
	require.Zero(t, code, "%s\n%s", stdout, stderr)
	assert.Contains(t, stdout, "✓ the largest load that passes: 12 listeners (18 do not)")
	assert.Contains(t, stdout, "at 18, joined: count <= 12, and is 18")
	assert.Contains(t, stdout, "what ran out: nothing that was measured")
	assert.Contains(t, stderr, "step 1: 12 listeners")

	var s struct {
		Kind, Limit string
		Largest     int
		Steps       []struct {
			Load    int
			Verdict string
			Figures map[string]float64
		}
	}
	data, err := os.ReadFile(summary)
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(data, &s))
	assert.Equal(t, "server", s.Limit)
	assert.Equal(t, 12, s.Largest)
	require.NotEmpty(t, s.Steps)
	assert.Equal(t, 12, s.Steps[0].Load)
	assert.Equal(t, "pass", s.Steps[0].Verdict)
	assert.Positive(t, s.Steps[0].Figures["server_rss"])
	html, err := os.ReadFile(page)
	require.NoError(t, err)
	assert.True(t, strings.Contains(string(html), "12 listeners"))
}

func TestCapacityExits99WhenNothingPasses(t *testing.T) {
	realTime(t)
	t.Parallel()
	stdout, _, code := honestly(t, "capacity", crowded(t), "--from", "16", "--to", "24", "--until", "joined: count <= 12", "-q")
	assert.Equal(t, cli.ExitFail, code)
	assert.Contains(t, stdout, "✗ not even 16 listeners pass")
}

func TestCapacityExits98WhenInvalid(t *testing.T) {
	realTime(t)
	t.Parallel()
	// Nobody speaks in turns, so there is no onset to measure.
	stdout, _, code := command(t, "capacity", crowded(t), "--from", "3", "--to", "6", "--until", "onset_clip: max < 40ms", "-q")
	assert.Equal(t, cli.ExitInvalid, code)
	assert.Contains(t, stdout, "already at 3 listeners the figures can't be trusted")
}

func TestCapacityRejectsBadUsage(t *testing.T) {
	path := crowded(t)
	for _, c := range []struct {
		name string
		args []string
		says string
	}{
		{"no scenario", []string{}, "capacity takes a scenario"},
		{"no bounds", []string{path}, "--from is missing"},
		{"no upper bound", []string{path, "--from", "3"}, "--to is missing"},
		{"backwards", []string{path, "--from", "3", "--to", "2"}, "before it begins"},
		{"something that can't be varied", []string{path, "--from", "3", "--to", "6", "--vary", "mood"}, "listeners, speakers, rooms, arrival-rate"},
		{"a load that the scenario can't have", []string{path, "--from", "3", "--to", "2000000"}, "at a load of 2000000"},
		{"a misspelt metric", []string{path, "--from", "3", "--to", "6", "--until", "latancy: p(99) < 20ms"}, "latency"},
		{"no share", []string{path, "--from", "3", "--to", "6", "--within", "3"}, "is not a share"},
		{"a file that can't be written", []string{path, "--from", "3", "--to", "6", "--summary", "/nowhere/s.json"}, "/nowhere/s.json"},
	} {
		t.Run(c.name, func(t *testing.T) {
			stdout, stderr, code := command(t, append([]string{"capacity"}, c.args...)...)
			assert.Equal(t, cli.ExitUsage, code)
			assert.Empty(t, stdout)
			assert.Contains(t, stderr, c.says)
		})
	}
}
