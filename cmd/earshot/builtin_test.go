package main

import (
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/earshot-audio/earshot/cmd/earshot/cli"
	"github.com/earshot-audio/earshot/loadgen/scenario"
	"github.com/earshot-audio/earshot/scenarios"
)

func TestScenarioShowPlaysFromAnyFolder(t *testing.T) {
	t.Chdir(t.TempDir())
	for _, name := range scenarios.Names() {
		text, _, code := command(t, "scenario", "show", name)
		require.Zero(t, code)
		require.NoError(t, os.WriteFile("shown.yaml", []byte(text), 0o600))
		shown, err := scenario.Load("shown.yaml")
		require.NoError(t, err, name)
		own, err := scenario.Load(scenario.BuiltIn + name)
		require.NoError(t, err)
		assert.Equal(t, own.Cast, shown.Cast, name)
		assert.Equal(t, own.Thresholds, shown.Thresholds, name)
	}
}

func TestRunWithoutScenarioListsThem(t *testing.T) {
	for _, takes := range []string{"run", "capacity", "versus"} {
		_, stderr, code := command(t, takes)
		assert.Equal(t, cli.ExitUsage, code)
		for _, name := range scenarios.Names() {
			assert.Contains(t, stderr, name+" ")
		}
	}
	list, _, code := command(t, "scenario", "list")
	assert.Zero(t, code)
	assert.Contains(t, list, "smoke             Does everything work on this machine?\n")
}

func TestScenarioNamesBesidePaths(t *testing.T) {
	t.Chdir(t.TempDir())
	small := "name: of my own\ncast: [{role: speaker, count: 1, audio: builtin:guest}, {role: listener, count: 2}]\nhold: 1s\n"
	for _, file := range []string{"mine.yaml", "panel"} { // a file goes before a built-in of its name
		require.NoError(t, os.WriteFile(file, []byte(small), 0o600))
	}
	for _, row := range []struct {
		name, does, text string
		code             int
	}{
		{"a built-in", "smoke", "✓ smoke: ", 0},
		{"a built-in by its long name", "builtin:smoke", "✓ builtin:smoke: ", 0},
		{"a file", "mine.yaml", "✓ mine.yaml: of my own", 0},
		{"a file with the name of a built-in", "panel", "✓ panel: of my own", 0},
		{"no file and no built-in", "smokk", "did you mean smoke?", cli.ExitUsage},
		{"a path without a file", "./smoke", "no such file", cli.ExitUsage},
		{"an unknown built-in", "builtin:none", "there are broadcast-15000", cli.ExitUsage},
	} {
		t.Run(row.name, func(t *testing.T) {
			stdout, stderr, code := command(t, "scenario", "check", row.does)
			assert.Equal(t, row.code, code)
			assert.Contains(t, stdout+stderr, row.text)
		})
	}
}

func TestRunPlaysStandardInputAndBuiltInAudio(t *testing.T) {
	realTime(t)
	t.Parallel()
	url, stop := served(t, "--open")
	defer func() { assert.Zero(t, stop()) }()
	c := earshotProcess(t, "run", "-", "--target", url)
	c.Dir = t.TempDir()
	c.Stdin = strings.NewReader("name: piped\ncast: [{role: speaker, count: 1, audio: builtin:guest}, {role: listener, count: 2}]\nhold: 1s\nthresholds: {joined: [rate > 0]}\n")
	text, _ := c.CombinedOutput()
	assert.Contains(t, []int{0, cli.ExitInvalid}, c.ProcessState.ExitCode(), "%s", text) // a busy machine may make it invalid
	assert.Contains(t, string(text), "piped")
	assert.Contains(t, string(text), "published         100%")
}

func TestInitLeavesWhatIsThere(t *testing.T) {
	t.Chdir(t.TempDir())
	stdout, _, code := command(t, "init", "talk.yaml")
	require.Zero(t, code)
	assert.Contains(t, stdout, "earshot run talk.yaml")
	_, stderr, code := command(t, "init", "talk.yaml")
	assert.Equal(t, cli.ExitUsage, code)
	assert.Contains(t, stderr, "talk.yaml exists")
	stdout, stderr, code = command(t, "scenario", "check", "talk.yaml")
	assert.Zero(t, code, stdout+stderr)
}
