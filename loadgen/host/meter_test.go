package host

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"runtime"
	"syscall"
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
	alone, err := ProcessUsage(os.Getpid())
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
	assert.InDelta(t, own.Seconds(), alone.CPU.Seconds(), 0.1, "both measure the same process")
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
	_, err = meter.Usage(t.Context())
	assert.ErrorIs(t, err, ErrEnded, "a zombie")
	require.Error(t, child.Wait())
	_, err = meter.Usage(t.Context())
	assert.ErrorIs(t, err, ErrEnded, "it is gone")
}

// A process that can't be measured need not have ended: a generator without a free descriptor took its
// server for dead.
func TestProcessThatCannotBeReadHasNotEnded(t *testing.T) {
	for _, err := range []error{syscall.EMFILE, syscall.ENFILE, syscall.EACCES, syscall.ENOMEM} {
		assert.NotErrorIs(t, ended(1, &os.PathError{Op: "open", Path: "/proc/1/stat", Err: err}), ErrEnded)
	}
	for _, err := range []error{syscall.ENOENT, syscall.ESRCH} {
		assert.ErrorIs(t, ended(1, &os.PathError{Op: "read", Path: "/proc/1/stat", Err: err}), ErrEnded)
	}
}

func TestMetricsMeterIsBounded(t *testing.T) {
	const process = "# TYPE process_cpu_seconds_total counter\nprocess_cpu_seconds_total 3\n" +
		"# TYPE process_resident_memory_bytes gauge\nprocess_resident_memory_bytes 4096\n" +
		"# TYPE process_start_time_seconds gauge\nprocess_start_time_seconds 1.7e+09\n"
	for _, c := range []struct {
		sentence string
		lines    int
		says     string
	}{
		{"a page of an ordinary length is read", 1000, ""},
		{"of one that does not end, no more is read than there may be", 1 << 30, "longer than 4 MiB"},
	} {
		t.Run(c.sentence, func(t *testing.T) {
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				_, err := io.WriteString(w, process)
				for i := 0; i < c.lines && err == nil; i++ {
					_, err = fmt.Fprintf(w, "other{number=\"%d\"} 1\n", i)
				}
			}))
			defer server.Close()
			client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
			usage, err := MetricsMeter{URL: server.URL, Client: client}.Usage(t.Context())
			if c.says == "" {
				require.NoError(t, err)
				assert.Equal(t, 3*time.Second, usage.CPU)
				assert.InDelta(t, 1.7e9, usage.Began, 1)
				return
			}
			assert.ErrorContains(t, err, c.says)
		})
	}
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

func TestUsageCPUSinceIsNotKnownOfAProcessThatBeganAnew(t *testing.T) {
	before := Usage{CPU: 5 * time.Second, Began: 100}
	for _, c := range []struct {
		sentence string
		after    Usage
		used     time.Duration
		known    bool
	}{
		{"it goes on", Usage{CPU: 7 * time.Second, Began: 100}, 2 * time.Second, true},
		{"it did nothing", before, 0, true},
		{"another process answers, which has used more already", Usage{CPU: 7 * time.Second, Began: 160}, 0, false},
		{"a counter that is lower has begun anew", Usage{CPU: time.Second, Began: 100}, 0, false},
	} {
		used, known := c.after.CPUSince(before)
		assert.Equal(t, c.used, used, c.sentence)
		assert.Equal(t, c.known, known, c.sentence)
	}
}

// Servers of which some have ended and the others can't be read are not all dead.
func TestProcessesHaveEndedWhenAllHave(t *testing.T) {
	gone := fmt.Errorf("measure process 1: %w", ErrEnded)
	assert.ErrorIs(t, ofAll([]error{gone, gone}), ErrEnded)
	assert.NotErrorIs(t, ofAll([]error{gone, syscall.EMFILE}), ErrEnded)
	assert.NoError(t, ofAll(nil), "there are none yet")
}
