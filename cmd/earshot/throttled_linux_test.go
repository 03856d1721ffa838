package main

import (
	"errors"
	"os/exec"
	"runtime"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"golang.org/x/sys/unix"
)

func TestRunInvalidWhenGeneratorLacksCPU(t *testing.T) {
	realTime(t)
	url, stop := served(t, "--open")
	defer func() { assert.Zero(t, stop()) }()
	for _, c := range throttledThresholds {
		t.Run(c.name, func(t *testing.T) {
			run := earshotProcess(t, "run", small(t, c.text), "--target", url, "--hold", "4s")
			text, code := throttled(t, run, startLast, hog)
			assert.Equal(t, exitInvalid, code, text)
			assert.Contains(t, text, "the generator was the bottleneck")
		})
	}
}

// startLast starts a command on the first core only, with the lowest priority.
func startLast(c *exec.Cmd) error {
	started := make(chan error)
	go func() {
		// What is started inherits the thread's core and its niceness, which the
		// thread can't lower again: it ends with the goroutine.
		runtime.LockOSThread()
		started <- errors.Join(pin(), unix.Setpriority(unix.PRIO_PROCESS, 0, 19), c.Start())
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

// hog keeps the first core busy until over is closed, with a thread of normal
// priority.
func hog(_ *exec.Cmd, over <-chan struct{}) {
	var end atomic.Bool
	done := make(chan struct{})
	go func() {
		runtime.LockOSThread() // and so the core: the thread ends with the goroutine
		defer close(done)
		for busy := pin() == nil; busy; {
			busy = !end.Load()
		}
	}()
	<-over
	end.Store(true)
	<-done
}
