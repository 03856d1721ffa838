package host

import (
	"os"
	"os/exec"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestProcessMeterIsFinerThanKernelTicks(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("there is no /proc")
	}
	meter := ProcessMeter{PID: os.Getpid()}
	before, err := meter.Usage(t.Context())
	require.NoError(t, err)
	own := CPU()
	spun := 0
	for began := CPU(); CPU()-began < 3*time.Millisecond; {
		spun++
	}
	require.NotZero(t, spun)
	after, err := meter.Usage(t.Context())
	require.NoError(t, err)
	assert.GreaterOrEqual(t, after.CPU-before.CPU, 3*time.Millisecond)
	assert.InDelta(t, own.Seconds(), before.CPU.Seconds(), 0.1, "both measure the same process")
	assert.NotZero(t, after.Memory)

	_, err = ProcessMeter{PID: 1 << 30}.Usage(t.Context())
	assert.Error(t, err)
}

// Nobody has waited for a child that is a zombie.
func TestProcessMeterKnowsAProcessThatEnded(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("there is no /proc")
	}
	child := exec.Command("sleep", "60")
	require.NoError(t, child.Start())
	meter := ProcessMeter{PID: child.Process.Pid}
	_, err := meter.Usage(t.Context())
	require.NoError(t, err)
	require.NoError(t, child.Process.Kill())
	require.Eventually(t, func() bool {
		_, err := meter.Usage(t.Context())
		return err != nil
	}, 10*time.Second, time.Millisecond)
	require.Error(t, child.Wait())
}

func TestUsageWaitSinceSumsTheThreads(t *testing.T) {
	before := Usage{Waits: map[int]time.Duration{1: time.Second, 2: 2 * time.Second}}
	for _, c := range []struct {
		sentence string
		after    Usage
		wait     time.Duration
		known    bool
	}{
		{"both waited", Usage{Waits: map[int]time.Duration{1: 3 * time.Second, 2: 2500 * time.Millisecond}}, 2500 * time.Millisecond, true},
		{"a thread is new", Usage{Waits: map[int]time.Duration{1: time.Second, 2: 2 * time.Second, 3: time.Millisecond}}, time.Millisecond, true},
		{"a thread has ended, and what it waited is lost", Usage{Waits: map[int]time.Duration{1: 3 * time.Second}}, 0, false},
		{"nothing is known", Usage{}, 0, false},
	} {
		t.Run(c.sentence, func(t *testing.T) {
			wait, known := c.after.WaitSince(before)
			assert.Equal(t, c.wait, wait)
			assert.Equal(t, c.known, known)
		})
	}
}
