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
	"github.com/earshot-audio/earshot/internal/testturn"
)

// A part of the audience goes by a TURN server.
func TestVersusComparesTargets(t *testing.T) {
	realTime(t)
	t.Parallel()
	server := testturn.Start(t, "ada", "secret")
	summary, page := filepath.Join(t.TempDir(), "versus.json"), filepath.Join(t.TempDir(), "versus.html")
	path := file(t, "some-by-turn.yaml", strings.Replace(short(t), "count: 3}", "count: 4, transport: {udp: 1, turn-udp: 1}}", 1))
	stdout, stderr, code := honestly(t, "versus", path, "--turn-url", "turn:"+server.Address, "--turn-user", "ada", "--turn-password", "secret",
		"--target", "one", "--target", "other", "--target",
		"gone whip=http://127.0.0.1:9/{room}/whip whep=http://127.0.0.1:9/{room}/whep", "--summary", summary, "--html", page)
	assert.Equal(t, cli.ExitCouldNotRun, code)
	assert.Contains(t, stderr, "target gone: ")
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
		Kind    string
		Targets []struct {
			Name, Verdict, Error string
			Figures              map[string]float64
		}
	}
	data, err := os.ReadFile(summary)
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(data, &s))
	assert.Equal(t, "versus", s.Kind)
	require.Len(t, s.Targets, 3)
	assert.EqualValues(t, 1, s.Targets[1].Figures["joined"])
	assert.NotEmpty(t, s.Targets[2].Error)
	html, err := os.ReadFile(page)
	require.NoError(t, err)
	assert.Contains(t, string(html), "By target")
	assert.Contains(t, string(html), "cannot be reached")
}

func TestVersusRejectsBadUsage(t *testing.T) {
	path := small(t, `  joined: ["rate == 1"]`)
	for _, c := range []struct {
		name    string
		targets []string
		says    string
	}{
		{"one target", []string{"earshot"}, "at least two targets"},
		{"no name", []string{"earshot", "whip=http://x/"}, "does not begin with a name"},
		{"a word that is no pair", []string{"earshot", "other http://x/"}, "key=value"},
		{"an unknown key", []string{"earshot", "other url=http://x/"}, "it can have target, whip, whep, livekit, key, secret, janus, api-secret, admin-key, rate, token, pid"},
		{"a process that is none", []string{"earshot", "other whip=http://x/ whep=http://x/ pid=x"}, "pid"},
	} {
		t.Run(c.name, func(t *testing.T) {
			args := []string{"versus", path}
			for _, target := range c.targets {
				args = append(args, "--target", target)
			}
			stdout, stderr, code := command(t, args...)
			assert.Equal(t, cli.ExitUsage, code)
			assert.Empty(t, stdout)
			assert.Contains(t, stderr, c.says)
		})
	}
}

// The command and its flag have a former name.
func TestVersusHasTheAliasLeague(t *testing.T) {
	_, stderr, code := command(t, "league", small(t, `  joined: ["rate == 1"]`), "--team", "one", "--team", "other url=http://x/")
	assert.Equal(t, cli.ExitUsage, code)
	assert.Contains(t, stderr, "it can have target, whip, whep, livekit, key, secret, janus, api-secret, admin-key, rate, token, pid")
	stdout, _, code := command(t, "--help")
	assert.Zero(t, code)
	assert.NotContains(t, stdout, "league")
}
