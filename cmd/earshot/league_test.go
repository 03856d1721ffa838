package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestALeagueSetsServersSideBySide(t *testing.T) {
	summary := filepath.Join(t.TempDir(), "league.json")
	path := small(t, `  joined: ["rate == 1"]`)
	stdout, stderr, code := honestly(t, "league", path, "--team", "one", "--team", "other", "--team",
		"gone whip=http://127.0.0.1:9/{room}/whip whep=http://127.0.0.1:9/{room}/whep", "--summary", summary)
	assert.Equal(t, exitCouldNotRun, code)
	assert.Contains(t, stderr, "team gone: ")
	assert.Contains(t, stderr, "cannot be reached")
	lines := strings.Split(stdout, "\n")
	require.Greater(t, len(lines), 5)
	assert.Equal(t, []string{"one", "other", "gone"}, strings.Fields(lines[3]))
	for _, line := range lines {
		if strings.HasPrefix(line, "  delivered") {
			fields := strings.Fields(line)
			assert.Equal(t, "1.00×", fields[2], "the first is what the others are compared with")
			assert.Equal(t, "–", fields[len(fields)-1])
		}
	}
	var s struct {
		Kind  string
		Teams []struct {
			Name, Verdict, Error string
			Figures              map[string]float64
		}
	}
	data, err := os.ReadFile(summary)
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(data, &s))
	assert.Equal(t, "league", s.Kind)
	require.Len(t, s.Teams, 3)
	assert.EqualValues(t, 1, s.Teams[1].Figures["joined"])
	assert.NotEmpty(t, s.Teams[2].Error)
}

func TestABadLeagueIsRefusedBeforeAnythingStarts(t *testing.T) {
	path := small(t, `  joined: ["rate == 1"]`)
	for _, c := range []struct {
		name  string
		teams []string
		says  string
	}{
		{"one team", []string{"earshot"}, "two teams at least"},
		{"no name", []string{"earshot", "whip=http://x/"}, "begins with no name"},
		{"a word that is no pair", []string{"earshot", "other http://x/"}, "key=value"},
		{"an unknown key", []string{"earshot", "other url=http://x/"}, "it can have target, whip, whep, token, pid"},
		{"a process that is none", []string{"earshot", "other whip=http://x/ whep=http://x/ pid=x"}, "no number of a process"},
	} {
		t.Run(c.name, func(t *testing.T) {
			args := []string{"league", path}
			for _, team := range c.teams {
				args = append(args, "--team", team)
			}
			stdout, stderr, code := command(t, args...)
			assert.Equal(t, exitUsage, code)
			assert.Empty(t, stdout)
			assert.Contains(t, stderr, c.says)
		})
	}
}
