//go:build unix

package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/earshot-audio/earshot/cmd/earshot/cli"
)

// firstPath is README's section for those who begin: its commands, and the workflow for CI.
func firstPath(t *testing.T) (commands, workflow string) {
	t.Helper()
	text, err := os.ReadFile("../../README.md")
	require.NoError(t, err)
	_, section, ok := strings.Cut(string(text), "\n## Two commands, and a gate in CI\n")
	require.True(t, ok)
	section, _, ok = strings.Cut(section, "\n## ")
	require.True(t, ok)
	assert.Less(t, strings.Count(section, "\n"), 40, "it is short")
	block := func(language string) string {
		_, rest, ok := strings.Cut(section, "```"+language+"\n")
		require.True(t, ok)
		inner, _, ok := strings.Cut(rest, "```")
		require.True(t, ok)
		return inner
	}
	return block("sh"), block("yaml")
}

// A shell runs README's first commands as they are written in an empty folder, with nothing but
// the program; then CI's runner has the scenario alone, plays it, and is a gate. A wrapper named
// earshot plays for a second and with few people.
func TestReadmesPathFromAnEmptyFolderToAGate(t *testing.T) {
	realTime(t)
	t.Parallel()
	commands, text := firstPath(t)
	bin, folder := t.TempDir(), t.TempDir()
	wrapper := fmt.Sprintf("#!/bin/sh\n[ \"$1\" = run ] && set -- \"$@\" --hold 1s --listeners 3\nexec '%s' \"$@\"\n", program(t))
	require.NoError(t, os.WriteFile(filepath.Join(bin, "earshot"), []byte(wrapper), 0o755))
	shell := func(dir, script string) (string, int) {
		cmd := exec.Command("bash", "-eo", "pipefail", "-c", script)
		cmd.Dir = dir
		cmd.Env = append(os.Environ(), "PATH="+bin+":"+os.Getenv("PATH"), asCommand+"=1")
		out, _ := cmd.CombinedOutput() // the exit code is asserted
		return string(out), cmd.ProcessState.ExitCode()
	}
	out, code := shell(folder, commands)
	assert.Contains(t, []int{cli.ExitPass, cli.ExitInvalid}, code, out) // a busy machine may make it invalid
	assert.FileExists(t, filepath.Join(folder, "report.html"))

	var workflow struct {
		Jobs map[string]struct {
			Steps []struct{ If, Run, Uses string }
		}
	}
	require.NoError(t, yaml.Unmarshal([]byte(text), &workflow))
	scenario, err := os.ReadFile(filepath.Join(folder, "scenario.yaml"))
	require.NoError(t, err)
	for _, row := range []struct {
		name, delivered string
		codes           []int
	}{
		{"a change that keeps the thresholds", `delivered: ["rate >= 0.999"]`, []int{cli.ExitPass, cli.ExitInvalid}},
		{"a change that crosses one", `delivered: ["rate < 0.001"]`, []int{cli.ExitFail, cli.ExitInvalid}},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			checkout := t.TempDir()
			changed := strings.Replace(string(scenario), `delivered: ["rate >= 0.999"]`, row.delivered, 1)
			require.Contains(t, changed, row.delivered)
			require.NoError(t, os.WriteFile(filepath.Join(checkout, "scenario.yaml"), []byte(changed), 0o644))
			job, played := 0, 0
			for _, step := range workflow.Jobs["load"].Steps {
				if !strings.HasPrefix(step.Run, "earshot ") || job != 0 && step.If != "always()" {
					continue // the runner's own, and the installation
				}
				played++
				out, code := shell(checkout, step.Run)
				if job == 0 {
					job = code
				}
				t.Log(out)
			}
			assert.Equal(t, 2, played)
			assert.Contains(t, row.codes, job)
			assert.FileExists(t, filepath.Join(checkout, "report.html"))
			assert.FileExists(t, filepath.Join(checkout, "junit.xml"))
		})
	}
}
