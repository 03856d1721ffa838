// Package ci_test plays the GitHub action and the GitLab job as their runners do.
package ci_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestMain runs the tests at the root of the module, where the action is.
func TestMain(m *testing.M) {
	if err := os.Chdir(".."); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	m.Run()
}

// An action is what is read of action.yml.
type action struct {
	Inputs  map[string]struct{ Default string }
	Outputs map[string]struct{ Value string }
	Runs    struct {
		Using string
		Steps []struct {
			ID, Name, Uses, Shell, Run, If string
			Env                            map[string]string
		}
	}
}

func readYAML(t *testing.T, path string, into any) {
	t.Helper()
	data, err := os.ReadFile(path)
	require.NoError(t, err)
	require.NoError(t, yaml.Unmarshal(data, into))
}

// bash runs a script with these variables beside the environment's, and returns
// what it printed and its exit code.
func bash(t *testing.T, dir, script string, env map[string]string) (string, int) {
	t.Helper()
	cmd := exec.Command("bash", "-eo", "pipefail", "-c", script)
	cmd.Dir = dir
	cmd.Env = os.Environ()
	for name, value := range env {
		cmd.Env = append(cmd.Env, name+"="+value)
	}
	out, err := cmd.CombinedOutput()
	if exit := (*exec.ExitError)(nil); !errors.As(err, &exit) {
		require.NoError(t, err)
	}
	return string(out), cmd.ProcessState.ExitCode()
}

// played is a scenario of a few seconds with these thresholds.
func played(t *testing.T, dir, thresholds string) string {
	t.Helper()
	audio, err := filepath.Abs("scenarios/audio/speech.ogg")
	require.NoError(t, err)
	path := filepath.Join(dir, "small.yaml")
	require.NoError(t, os.WriteFile(path, []byte(`
name: a small room
room: {capacity: 10, slots: 3}
cast:
  - {role: speaker, count: 1, audio: "`+audio+`"}
  - {role: listener, count: 2, arrive: {within: 200ms, shape: linear}}
hold: 1s
thresholds:
`+thresholds), 0o644))
	return path
}

// checked reads the verdict that a summary has, and compares the exit code with
// it: on a busy machine any run can turn out invalid.
func checked(t *testing.T, path string, code int) {
	t.Helper()
	data, err := os.ReadFile(path)
	require.NoError(t, err)
	var s struct{ Verdict string }
	require.NoError(t, json.Unmarshal(data, &s))
	assert.Equal(t, map[string]int{"pass": 0, "fail": 99, "invalid": 98}[s.Verdict], code)
}

// The steps of the action, with what GitHub does around them done here.
func TestGitHubActionPlaysScenario(t *testing.T) {
	if testing.Short() {
		t.Skip("it builds earshot and plays scenarios")
	}
	var a action
	readYAML(t, "action.yml", &a)
	assert.Equal(t, "composite", a.Runs.Using)
	root, err := os.Getwd()
	require.NoError(t, err)
	temp := t.TempDir()

	steps := map[string]string{}
	for _, s := range a.Runs.Steps {
		assert.NotContains(t, s.Run, "${{", "step %q: an expression in a script is a script of somebody else's", s.Name)
		if s.Run != "" {
			assert.Equal(t, "bash", s.Shell, s.Name)
			steps[s.Name] = s.Run
		}
		for name, value := range s.Env {
			input, ok := strings.CutPrefix(strings.Trim(value, "${} "), "inputs.")
			if ok {
				assert.Contains(t, a.Inputs, input, "%s of step %q", name, s.Name)
			}
		}
	}
	last := a.Runs.Steps[len(a.Runs.Steps)-1]
	assert.Contains(t, last.Uses, "upload-artifact")
	assert.Contains(t, last.If, "!cancelled()", "the reports of a run that failed are kept")

	out, code := bash(t, temp, steps["Build earshot"], map[string]string{"ACTION_PATH": root, "RUNNER_TEMP": temp})
	require.Zero(t, code, out)

	play := func(t *testing.T, dir string, more map[string]string) (string, int) {
		env := map[string]string{
			"ACTION_PATH": root, "RUNNER_TEMP": temp, "GITHUB_ACTIONS": "true",
			"GITHUB_OUTPUT": filepath.Join(dir, "output"), "GITHUB_STEP_SUMMARY": filepath.Join(dir, "summary.md"),
			"EARSHOT_ARGS": "", "EARSHOT_REPEAT": a.Inputs["repeat"].Default, "EARSHOT_BASE": "",
			"EARSHOT_LIMIT": a.Inputs["fail-on-regression"].Default, "EARSHOT_OUT": a.Inputs["out"].Default,
		}
		for name, value := range more {
			env[name] = value
		}
		return bash(t, dir, steps["Play the scenario"], env)
	}
	read := func(t *testing.T, path string) string {
		data, err := os.ReadFile(path)
		require.NoError(t, err)
		return string(data)
	}

	t.Run("and keeps its reports, whatever the verdict", func(t *testing.T) {
		dir := t.TempDir()
		out, code := play(t, dir, map[string]string{"EARSHOT_SCENARIO": played(t, dir, "  joined: [\"rate > 1\"]\n"), "EARSHOT_ARGS": "--seed=7\n\n--hold=1500ms\n"})
		kept := filepath.Join(dir, "earshot-report")
		checked(t, filepath.Join(kept, "summary.json"), code)
		assert.NotZero(t, code)
		for _, name := range []string{"report.html", "junit.xml", "course.csv", "report.txt"} {
			assert.FileExists(t, filepath.Join(kept, name))
		}
		assert.Contains(t, read(t, filepath.Join(kept, "report.txt")), "seed 7", "the arguments were given")
		assert.Contains(t, out, "::error title=earshot::joined: rate > 1  rate=", "GitHub shows it where one looks")
		assert.Contains(t, read(t, filepath.Join(dir, "summary.md")), "✗ rate > 1")
		assert.Contains(t, read(t, filepath.Join(dir, "output")), "report=earshot-report\n")
	})
	t.Run("and a threshold without data is 98", func(t *testing.T) {
		dir := t.TempDir()
		out, code := play(t, dir, map[string]string{"EARSHOT_SCENARIO": played(t, dir, "  onset_clip: [\"max < 40ms\"]\n")})
		assert.Equal(t, 98, code, out)
		assert.Contains(t, out, "::error title=earshot: the run is invalid::no data for onset_clip")
		assert.Contains(t, read(t, filepath.Join(dir, "output")), "exit-code=98\n")
	})
	t.Run("and a scenario that can't be read is 2", func(t *testing.T) {
		dir := t.TempDir()
		_, code := play(t, dir, map[string]string{"EARSHOT_SCENARIO": played(t, dir, "  latncy: [\"max < 40ms\"]\n")})
		assert.Equal(t, 2, code)
	})
	t.Run("and compares it with the base, if there is one", func(t *testing.T) {
		dir := t.TempDir()
		path := played(t, dir, "  onset_clip: [\"max < 40ms\"]\n")
		_, _ = play(t, dir, map[string]string{"EARSHOT_SCENARIO": path, "EARSHOT_OUT": "base"})
		out, code := play(t, dir, map[string]string{"EARSHOT_SCENARIO": path, "EARSHOT_BASE": "base/summary*.json\n", "EARSHOT_REPEAT": "2"})
		assert.Equal(t, 98, code, "both are invalid")
		assert.Contains(t, out, "is an invalid run")
		assert.Contains(t, read(t, filepath.Join(dir, "earshot-report", "compare.txt")), "new:  2 runs")
		assert.FileExists(t, filepath.Join(dir, "earshot-report", "report-2.html"))

		out, code = play(t, dir, map[string]string{"EARSHOT_SCENARIO": path, "EARSHOT_BASE": "nowhere/summary*.json"})
		assert.Equal(t, 98, code)
		assert.Contains(t, out, "there is nothing to compare with")
	})
}

func TestGitLabJobPlaysScenario(t *testing.T) {
	if testing.Short() {
		t.Skip("it builds earshot and plays scenarios")
	}
	var jobs map[string]struct {
		Variables    map[string]string
		BeforeScript []string `yaml:"before_script"`
		Script       []string
		Artifacts    struct {
			When    string
			Paths   []string
			Reports struct{ JUnit string }
		}
		Extends string
	}
	readYAML(t, "ci/gitlab.yml", &jobs)
	job := jobs[".earshot"]
	assert.Equal(t, ".earshot", jobs["earshot"].Extends)
	assert.Equal(t, "always", job.Artifacts.When, "the reports of a run that failed are kept")
	root, err := os.Getwd()
	require.NoError(t, err)
	dir := t.TempDir()
	env := job.Variables
	env["EARSHOT_SOURCE"], env["EARSHOT"] = root, filepath.Join(dir, "earshot") // what git clone would bring
	env["EARSHOT_SCENARIO"] = played(t, dir, "  onset_clip: [\"max < 40ms\"]\n")
	out, code := bash(t, dir, strings.Join(append(job.BeforeScript, job.Script...), "\n"), env)
	assert.Equal(t, 98, code, out)
	expanded := strings.ReplaceAll(job.Artifacts.Reports.JUnit, "$EARSHOT_OUT", env["EARSHOT_OUT"])
	found, err := filepath.Glob(filepath.Join(dir, expanded))
	require.NoError(t, err)
	assert.Len(t, found, 1, "GitLab finds the JUnit file")
	assert.FileExists(t, filepath.Join(dir, strings.ReplaceAll(job.Artifacts.Paths[0], "$EARSHOT_OUT", env["EARSHOT_OUT"]), "report.html"))
}
