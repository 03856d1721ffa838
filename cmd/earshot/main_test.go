package main

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/earshot-audio/earshot/cmd/earshot/cli"
	"github.com/earshot-audio/earshot/internal/calm"
	"github.com/earshot-audio/earshot/internal/testaudio"
)

// asCommand makes the test binary behave as earshot: a run in this process starts its own
// server as a child process of the same program.
const asCommand = "EARSHOT_TEST_AS_COMMAND"

// asNATS makes it a NATS server: its port and the directory of what it keeps.
const asNATS = "EARSHOT_TEST_AS_NATS"

var update = flag.Bool("update", false, "write the golden files anew")

// testdata is the directory of the golden files, from any working directory.
var testdata, _ = filepath.Abs("testdata")

func TestMain(m *testing.M) {
	if spec := os.Getenv(asNATS); spec != "" {
		serveNATS(spec)
		return
	}
	if os.Getenv(asCommand) != "" {
		main()
		return
	}
	if err := os.Setenv(asCommand, "1"); err != nil {
		panic(err)
	}
	goleak.VerifyTestMain(m, goleak.Cleanup(func(code int) {
		_ = os.RemoveAll(built) // a temporary folder may stay
		os.Exit(code)
	}))
}

// built is the folder of what [earshot] has built, if it has.
var built string

// earshot builds the program once and returns its path. It is the program as people run it:
// under the race detector it is ten times as slow, and several processes of it leave one
// another too little of the machine. What runs in the tests' own process is under the race
// detector, and what that starts; with EARSHOT_SOAK, as make repeat has it, all of it is.
var earshot = sync.OnceValues(func() (string, error) {
	if os.Getenv("EARSHOT_SOAK") != "" {
		return os.Args[0], nil
	}
	var err error
	if built, err = os.MkdirTemp("", "earshot-command-"); err != nil {
		return "", err
	}
	path := filepath.Join(built, "earshot")
	build := exec.Command("go", "build", "-o", path, ".")
	build.Dir = filepath.Dir(testdata)
	if out, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build earshot: %w\n%s", err, out)
	}
	return path, os.Chmod(built, 0o755) // other users run it, too
})

// program is the path of earshot, for processes of it.
func program(t *testing.T) string {
	t.Helper()
	path, err := earshot()
	require.NoError(t, err)
	return path
}

// command runs earshot in this process and returns what it printed and its
// exit code.
func command(t *testing.T, args ...string) (stdout, stderr string, code int) {
	t.Helper()
	return commandIn(t.Context(), args...)
}

func commandIn(ctx context.Context, args ...string) (stdout, stderr string, code int) {
	var out, errs bytes.Buffer
	err := run(ctx, args, &out, &errs)
	return out.String(), errs.String(), exitCode(err)
}

// honestly repeats a command while its answer is that this machine was too busy,
// which is correct and not what is tested. It waits until the machine is calm, or for a while.
func honestly(t *testing.T, args ...string) (stdout, stderr string, code int) {
	t.Helper()
	calm.Play(5, func() (busy bool) {
		stdout, stderr, code = command(t, args...)
		text := stdout + stderr
		busy = strings.Contains(text, " the bottleneck:") || code == cli.ExitInvalid && strings.Contains(text, "in doubt:")
		if busy {
			t.Log("the machine was too busy")
		}
		return busy
	})
	return stdout, stderr, code
}

// golden compares text with a file of testdata.
func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join(testdata, name)
	if *update {
		require.NoError(t, os.WriteFile(path, []byte(got), 0o644))
	}
	want, err := os.ReadFile(path)
	require.NoError(t, err, "run go test ./cmd/earshot -update to make it")
	require.Equal(t, string(want), got)
}

// file writes a temporary file and returns its path.
func file(t *testing.T, name, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	require.NoError(t, os.WriteFile(path, []byte(content), 0o644))
	return path
}

// earshotProcess is earshot as a child process.
func earshotProcess(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	return exec.CommandContext(t.Context(), program(t), args...)
}

// underRaceDetector is earshot as a child process that is as slow as the tests.
func underRaceDetector(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	return exec.CommandContext(t.Context(), os.Args[0], args...)
}

// voice is the path of a short audio file.
func voice(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	testaudio.WriteShort(t, dir)
	return filepath.Join(dir, "speech.ogg")
}

// realTime skips a test that plays a scenario if tests are to be quick (-short).
func realTime(t *testing.T) {
	t.Helper()
	if testing.Short() {
		t.Skip("it plays a scenario in real time")
	}
}
