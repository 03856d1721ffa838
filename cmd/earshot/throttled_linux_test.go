package main

import (
	"errors"
	"os/exec"
	"runtime"
	"testing"

	"github.com/stretchr/testify/assert"
	"golang.org/x/sys/unix"

	"github.com/earshot-audio/earshot/cmd/earshot/cli"
)

func TestRunInvalidWhenGeneratorLacksCPU(t *testing.T) {
	realTime(t)
	url, stop := served(t, "--open")
	defer func() { assert.Zero(t, stop()) }()
	for _, c := range throttledThresholds {
		t.Run(c.name, func(t *testing.T) {
			run := underRaceDetector(t, "run", small(t, c.text), "--target", url, "--hold", "4s")
			text, code := throttled(t, run, startLast, hog)
			assert.Equal(t, cli.ExitInvalid, code, text)
			assert.Contains(t, text, "the generator was the bottleneck")
		})
	}
}

// startLast starts a command on the first core only, where it gets a seventieth of it beside
// hog: less than it needs, and enough that the run ends soon.
func startLast(c *exec.Cmd) error { return startOnFirstCore(c, 19) }

func startOnFirstCore(c *exec.Cmd, niceness int) error {
	started := make(chan error)
	go func() {
		// What is started inherits the thread's core and its niceness, which the
		// thread can't lower again: it ends with the goroutine.
		runtime.LockOSThread()
		err := pin()
		if niceness != 0 {
			err = errors.Join(err, unix.Setpriority(unix.PRIO_PROCESS, 0, niceness))
		}
		started <- errors.Join(err, c.Start())
	}()
	return <-started
}

// pin keeps the calling thread to the first core that it may use.
func pin() error {
	var may, one unix.CPUSet
	if err := unix.SchedGetaffinity(0, &may); err != nil {
		return err
	}
	for cpu := range 1024 {
		if may.IsSet(cpu) {
			one.Set(cpu)
			break
		}
	}
	return unix.SchedSetaffinity(0, &one)
}

// hog keeps the first core busy until over is closed. It is a process of its own: the
// server is in the test's.
func hog(_ *exec.Cmd, over <-chan struct{}) {
	// It ends by itself, too, after more than twice the hold: how long a generator that lacks
	// CPU takes to the end of its hold is the scheduler's to say.
	c := exec.Command("sh", "-c", "ulimit -t 10; while :; do :; done")
	if startOnFirstCore(c, 0) != nil {
		return // then nothing is throttled, which the test sees
	}
	<-over
	_ = c.Process.Kill()
	_ = c.Wait() // it was killed
}
