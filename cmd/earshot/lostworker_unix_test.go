//go:build unix

package main

import (
	"bytes"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/earshot-audio/earshot/cmd/earshot/cli"
	"github.com/earshot-audio/earshot/internal/lab"
)

// A sharedRun is a coordinator and two workers that play a scenario, with a long hold, against a
// server: each a process.
type sharedRun struct {
	coordinator *exec.Cmd
	progress    *lastWords
	workers     [2]*exec.Cmd
	link        *slowLink // of the first worker
	said        [2]bytes.Buffer
	summary     string
	target      string
}

// startTarget starts a server, which is ended with the test, and returns its URL.
func startTarget(t *testing.T) (server *exec.Cmd, url string) {
	t.Helper()
	server = exec.Command(program(t), "serve", "--open", "--http", "127.0.0.1:0", "--media", "127.0.0.1:0", "--rate-limit-exempt", "127.0.0.0/8")
	stdout, err := server.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, server.Start())
	t.Cleanup(func() {
		_ = server.Process.Kill() // it has ended unless the test failed
		_ = server.Wait()
	})
	buffer := make([]byte, 4096)
	n, err := stdout.Read(buffer)
	require.NoError(t, err)
	url = address.FindString(string(buffer[:n]))
	require.NotEmpty(t, url)
	return server, url
}

// startSharedRun starts one, and waits until the steady state has begun. Each process is ended
// with the test.
func startSharedRun(t *testing.T) *sharedRun {
	t.Helper()
	at := lab.FreeAddresses(t, 1)[0]

	start := func(c *exec.Cmd) {
		require.NoError(t, c.Start())
		t.Cleanup(func() {
			_ = c.Process.Kill() // it has ended unless the test failed
			_ = c.Wait()
		})
	}
	_, target := startTarget(t)

	c := &sharedRun{target: target, progress: &lastWords{}, summary: filepath.Join(t.TempDir(), "summary.json")}
	c.coordinator = exec.Command(program(t), "run", sharedScenario(t), "--hold", "60s", "--workers", "2",
		"--coordinate", at, "--target", target, "--summary", c.summary)
	c.coordinator.Env = append(os.Environ(), workerTokenEnv+"=secret")
	c.coordinator.Stderr = c.progress
	start(c.coordinator)
	c.link = startSlowLink(t, at)
	for i, to := range []string{c.link.address, at} {
		c.workers[i] = exec.Command(program(t), "worker", "--join", "nats://secret@"+to, "--name", []string{"one", "two"}[i])
		c.workers[i].Stderr = &c.said[i]
		start(c.workers[i])
	}
	require.Eventually(t, func() bool { return strings.Contains(c.progress.String(), "steady") }, time.Minute, 50*time.Millisecond)
	return c
}

func TestALostWorkerMakesTheRunInvalidByName(t *testing.T) {
	realTime(t)
	t.Parallel()
	signals := func(s os.Signal) func(*sharedRun) error {
		return func(c *sharedRun) error { return c.workers[0].Process.Signal(s) }
	}
	for sentence, lose := range map[string]func(*sharedRun) error{
		"a worker that is killed":      signals(syscall.SIGKILL),
		"a worker that stands still":   signals(syscall.SIGSTOP),
		"a worker that is told to end": signals(syscall.SIGTERM),
		"a worker whose link to the coordinator is too slow": func(c *sharedRun) error {
			c.link.slowed.Store(true)
			return nil
		},
	} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			c := startSharedRun(t)
			require.NoError(t, lose(c))
			require.Error(t, c.coordinator.Wait(), "%s", c.progress)
			assert.Equal(t, cli.ExitInvalid, c.coordinator.ProcessState.ExitCode(), "%s", c.progress)
			_ = c.workers[1].Wait()
			assert.Equal(t, cli.ExitPass, c.workers[1].ProcessState.ExitCode(), "the other has played its part: %s", &c.said[1])
			s := readShared(t, c.summary)
			assert.Equal(t, "invalid", s.Verdict)
			require.NotEmpty(t, s.Reasons)
			assert.Contains(t, s.Reasons[0], "(one) was lost")
		})
	}
}

// TestWorkersEndWhenTheirCoordinatorIsLost holds what the server knows against what workers do who are left
// alone: people who are not seen out keep their places until they are taken for gone.
func TestWorkersEndWhenTheirCoordinatorIsLost(t *testing.T) {
	realTime(t)
	t.Parallel()
	for sentence, signal := range map[string]os.Signal{
		"a coordinator that is killed":    syscall.SIGKILL,
		"a coordinator that stands still": syscall.SIGSTOP,
	} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			c := startSharedRun(t)
			require.Positive(t, c.people(t))
			began := time.Now()
			require.NoError(t, c.coordinator.Process.Signal(signal))
			for i, w := range c.workers {
				require.Error(t, w.Wait())
				assert.Equal(t, cli.ExitCouldNotRun, w.ProcessState.ExitCode(), "%s", &c.said[i])
				assert.Contains(t, c.said[i].String(), "coordinator")
			}
			t.Logf("they had ended after %v", time.Since(began))
			assert.Zero(t, c.people(t), "people are seen out")
		})
	}
}

// people is how many people the server has in its rooms, those included whose connection it has lost.
func (c *sharedRun) people(t *testing.T) (n int) {
	t.Helper()
	_, text := get(t, http.MethodGet, c.target+"/metrics", "", "")
	for _, count := range regexp.MustCompile(`(?m)^earshot_members{.*} (\d+)$`).FindAllStringSubmatch(text, -1) {
		one, err := strconv.Atoi(count[1])
		require.NoError(t, err)
		n += one
	}
	return n
}

// A target that dies leaves a report, as in one process: that its rooms can't be closed any more is no reason for none.
func TestATargetThatDiesLeavesAReportOfWorkers(t *testing.T) {
	realTime(t)
	t.Parallel()
	server, url := startTarget(t)
	summary := filepath.Join(t.TempDir(), "summary.json")
	progress := &lastWords{}
	c := earshotProcess(t, "run", sharedScenario(t), "--hold", "6s", "--workers", "2", "--local", "--target", url,
		"--server-pid", strconv.Itoa(server.Process.Pid), "--summary", summary)
	c.Stderr = progress
	require.NoError(t, c.Start())
	require.Eventually(t, func() bool { return strings.Contains(progress.String(), "steady") }, time.Minute, 50*time.Millisecond)
	require.NoError(t, server.Process.Kill())
	require.Error(t, c.Wait())
	assert.Equal(t, cli.ExitFail, c.ProcessState.ExitCode(), "%s", progress)
	s := readShared(t, summary)
	assert.Equal(t, "fail", s.Verdict)
	assert.Contains(t, s.Reasons, "the server's process ended during the run")
	assert.Contains(t, fmt.Sprint(s.Problems), "close room")
	for _, w := range s.Workers {
		assert.Empty(t, w.Lost)
	}
}
