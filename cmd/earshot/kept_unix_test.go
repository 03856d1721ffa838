//go:build unix

package main

import (
	"bufio"
	"encoding/json"
	"encoding/xml"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/earshot-audio/earshot/cmd/earshot/cli"
)

// TestReportsAreKept ends runs in the ways in which terminals, pipelines and CI end them:
// what ran is in the files, whole.
func TestReportsAreKept(t *testing.T) {
	realTime(t)
	t.Parallel()
	for _, c := range []struct {
		name    string
		end     os.Signal
		repeat  bool
		stdout  string // the file that standard output is; empty for a pipe
		noPipe  bool   // whether that pipe's reader goes away
		code    int
		printed string
	}{
		{"SIGTERM, in the first of several runs", syscall.SIGTERM, true, "", false, cli.ExitInterrupted, "of 3 runs"},
		{"SIGHUP, as from a terminal that is closed", syscall.SIGHUP, false, "", false, cli.ExitInterrupted, "the run was interrupted"},
		{"SIGINT, where standard output is a full disk", os.Interrupt, false, "/dev/full", false, cli.ExitInterrupted, ""},
		{"SIGINT, where standard output was read by head", os.Interrupt, false, "", true, cli.ExitInterrupted, ""},
		{"nothing, where standard output was read by head", nil, false, "", true, cli.ExitPass, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			if _, err := os.Stat(c.stdout); c.stdout != "" && err != nil {
				t.Skip("this system has no", c.stdout)
			}
			if c.end == syscall.SIGHUP && signal.Ignored(syscall.SIGHUP) {
				t.Skip("the tests were started with nohup, and so are their children")
			}
			t.Parallel()
			dir := t.TempDir()
			args := []string{"run", small(t, `  joined: ["rate == 1"]`), "--summary", filepath.Join(dir, "s.json"), "--junit", filepath.Join(dir, "j.xml")}
			suffix := ""
			if c.end != nil {
				args = append(args, "--hold", "10m")
			}
			if c.repeat {
				args, suffix = append(args, "--repeat", "3"), "-1"
			}
			run := exec.Command(program(t), args...)
			read, write, err := os.Pipe()
			require.NoError(t, err)
			run.Stdout = write
			if c.stdout != "" {
				full, err := os.OpenFile(c.stdout, os.O_WRONLY, 0)
				require.NoError(t, err)
				defer full.Close()
				run.Stdout = full
			}
			progress, err := run.StderrPipe()
			require.NoError(t, err)
			require.NoError(t, run.Start())
			defer func() { _ = run.Process.Kill() }() // it has ended unless the test failed
			require.NoError(t, write.Close())
			if c.noPipe {
				require.NoError(t, read.Close())
			}
			said := followToEnd(t, progress, run.Process, c.end)
			if !c.noPipe {
				printed, err := io.ReadAll(read)
				require.NoError(t, err)
				assert.Contains(t, string(printed), c.printed)
				require.NoError(t, read.Close())
			}
			_ = run.Wait() // its code says it
			if c.code == cli.ExitPass {
				assert.Contains(t, []int{cli.ExitPass, cli.ExitInvalid}, run.ProcessState.ExitCode(), "98: the machine was too busy; %s", said)
			} else {
				assert.Equal(t, c.code, run.ProcessState.ExitCode())
			}
			keptWhole(t, dir, suffix)
		})
	}
}

// followToEnd reads a run's progress to its end, and sends it a signal, if there is one, when it
// has come to the steady state.
func followToEnd(t *testing.T, progress io.Reader, run *os.Process, end os.Signal) string {
	t.Helper()
	var said strings.Builder
	for lines := bufio.NewScanner(progress); lines.Scan(); {
		said.WriteString(lines.Text() + "\n")
		if end != nil && strings.Contains(lines.Text(), "steady") {
			require.NoError(t, run.Signal(end))
			end = nil
		}
	}
	return said.String()
}

// keptWhole checks that a directory has the files of the run with that suffix, whole, and
// nothing besides.
func keptWhole(t *testing.T, dir, suffix string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	assert.Len(t, entries, 2, "the files of what ran, and nothing besides")
	var summary struct{ Thresholds []any }
	data, err := os.ReadFile(filepath.Join(dir, "s"+suffix+".json"))
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(data, &summary))
	assert.Len(t, summary.Thresholds, 1)
	var suites struct {
		Tests int `xml:"tests,attr"`
	}
	data, err = os.ReadFile(filepath.Join(dir, "j"+suffix+".xml"))
	require.NoError(t, err)
	require.NoError(t, xml.Unmarshal(data, &suites))
	assert.Equal(t, 2, suites.Tests)
}

// TestSIGHUPIsIgnoredUnderNohup: who starts a run with nohup wants it to go on.
func TestSIGHUPIsIgnoredUnderNohup(t *testing.T) {
	realTime(t)
	t.Parallel()
	if _, err := exec.LookPath("nohup"); err != nil {
		t.Skip("this system has no nohup")
	}
	run := exec.Command("nohup", program(t), "run", small(t, `  joined: ["rate >= 0"]`), "-q")
	progress, err := run.StderrPipe()
	require.NoError(t, err)
	var printed strings.Builder
	run.Stdout = &printed
	run.Args = append(run.Args[:len(run.Args)-1], "--summary", "-") // the text goes to standard error
	require.NoError(t, run.Start())
	defer func() { _ = run.Process.Kill() }()
	lines := bufio.NewScanner(progress)
	for lines.Scan() {
		if strings.Contains(lines.Text(), "arrivals") {
			require.NoError(t, run.Process.Signal(syscall.SIGHUP))
		}
	}
	_ = run.Wait()
	assert.NotEqual(t, cli.ExitInterrupted, run.ProcessState.ExitCode())
	var summary struct{ Interrupted bool }
	require.NoError(t, json.Unmarshal([]byte(printed.String()), &summary), "the summary alone is standard output")
	assert.False(t, summary.Interrupted)
}
