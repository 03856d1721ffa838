package meter

import (
	"fmt"
	"io"
	"math"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/earshot-audio/earshot/loadgen/process"
)

func TestProcessIsFinerThanKernelTicks(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("there is no /proc")
	}
	meter := Process{PID: os.Getpid()}
	before, err := meter.Usage(t.Context())
	require.NoError(t, err)
	alone, err := process.UsageOf(os.Getpid())
	require.NoError(t, err)
	own := process.CPU()
	spun := 0
	for began := process.CPU(); process.CPU()-began < 3*time.Millisecond; {
		spun++
	}
	require.NotZero(t, spun)
	after, err := meter.Usage(t.Context())
	require.NoError(t, err)
	assert.GreaterOrEqual(t, after.CPU-before.CPU, 3*time.Millisecond)
	assert.InDelta(t, own.Seconds(), alone.CPU.Seconds(), 0.1, "both measure the same process")
	assert.NotZero(t, after.Memory)

	_, err = Process{PID: 1 << 30}.Usage(t.Context())
	assert.Error(t, err)
}

// Nobody has waited for a child that is a zombie.
func TestProcessKnowsAProcessThatEnded(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("there is no /proc")
	}
	child := exec.Command("sleep", "60")
	require.NoError(t, child.Start())
	meter := Process{PID: child.Process.Pid}
	_, err := meter.Usage(t.Context())
	require.NoError(t, err)
	require.NoError(t, child.Process.Kill())
	require.Eventually(t, func() bool {
		_, err := meter.Usage(t.Context())
		return err != nil
	}, 10*time.Second, time.Millisecond)
	_, err = meter.Usage(t.Context())
	assert.ErrorIs(t, err, process.ErrEnded, "a zombie")
	require.Error(t, child.Wait())
	_, err = meter.Usage(t.Context())
	assert.ErrorIs(t, err, process.ErrEnded, "it is gone")
}

func TestMetricsIsBounded(t *testing.T) {
	const process = "# TYPE process_cpu_seconds_total counter\nprocess_cpu_seconds_total 3\n" +
		"# TYPE process_resident_memory_bytes gauge\nprocess_resident_memory_bytes 4096\n" +
		"# TYPE process_start_time_seconds gauge\nprocess_start_time_seconds 1.7e+09\n"
	var page strings.Builder // a thousand lines, so that a busy machine sends what is too long within the time for it
	for i := range 1000 {
		_, _ = fmt.Fprintf(&page, "other{number=\"%d\"} 1\n", i)
	}
	other := page.String()
	for _, c := range []struct {
		sentence string
		others   int
		says     string
	}{
		{"a page of an ordinary length is read", 1, ""},
		{"of one that does not end, no more is read than there may be", math.MaxInt, "longer than 4 MiB"},
	} {
		t.Run(c.sentence, func(t *testing.T) {
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				_, err := io.WriteString(w, process)
				for i := 0; i < c.others && err == nil; i++ {
					_, err = io.WriteString(w, other)
				}
			}))
			defer server.Close()
			client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
			usage, err := Metrics{URL: server.URL, Client: client}.Usage(t.Context())
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

// Servers of which some have ended and the others can't be read are not all dead.
func TestProcessesHaveEndedWhenAllHave(t *testing.T) {
	gone := fmt.Errorf("measure process 1: %w", process.ErrEnded)
	assert.ErrorIs(t, ofAll([]error{gone, gone}), process.ErrEnded)
	assert.NotErrorIs(t, ofAll([]error{gone, syscall.EMFILE}), process.ErrEnded)
	assert.NoError(t, ofAll(nil), "there are none yet")
}
