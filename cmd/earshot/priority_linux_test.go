package main

import (
	"bytes"
	"fmt"
	"maps"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/prometheus/procfs"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// niceIncrement is the one of internal/serverprocess.
const niceIncrement = 3

// niceValues counts the threads of a process by their nice value.
func niceValues(pid int) map[int]int {
	n := map[int]int{}
	threads, _ := procfs.AllThreads(pid) // an error means that it has ended
	for _, t := range threads {
		if stat, err := t.Stat(); err == nil {
			n[stat.Nice]++
		}
	}
	return n
}

// childOf returns the first child of a process; 0 if it has none.
func childOf(t *testing.T, pid int) int {
	t.Helper()
	all, err := procfs.AllProcs()
	require.NoError(t, err)
	for _, p := range all {
		if stat, err := p.Stat(); err == nil && stat.PPID == pid {
			return p.PID
		}
	}
	return 0
}

func TestRunLowersPriorityBelowItsServer(t *testing.T) {
	realTime(t)
	priority, err := unix.Getpriority(unix.PRIO_PROCESS, 0)
	require.NoError(t, err)
	ordinary := 20 - priority
	// What it is expected to take counts, and nobody comes while it lasts.
	listeners := 1600 * runtime.NumCPU()
	path := file(t, "contended.yaml", fmt.Sprintf(`
name: a room that fills slowly
room: {capacity: %d, slots: 1}
cast:
  - {role: speaker, count: 1, audio: "%s"}
  - {role: listener, count: %d, arrive: {within: 24h, shape: linear}}
hold: 1s
thresholds:
  generator_lag: [{threshold: "max > 90m", abort_on_fail: true, delay: 2s}]
`, listeners, voice(t), listeners))
	var limit unix.Rlimit
	require.NoError(t, unix.Getrlimit(unix.RLIMIT_NOFILE, &limit))
	if limit.Cur < uint64(3*listeners) {
		t.Skipf("the scenario's people need more than the %d open files that are allowed here", limit.Cur)
	}
	run := earshotProcess(t, "run", path, "--repeat", "2")
	var out bytes.Buffer
	run.Stdout, run.Stderr = &out, &out
	require.NoError(t, run.Start())
	defer func() { _ = run.Process.Kill() }() // it has ended unless the test failed

	server := 0
	for range 2 {
		before := server
		var own, servers map[int]int
		require.Eventually(t, func() bool {
			if server = childOf(t, run.Process.Pid); server == 0 || server == before {
				return false
			}
			servers, own = niceValues(server), niceValues(run.Process.Pid)
			return own[ordinary+niceIncrement] > 0 && own[ordinary] == 1
		}, time.Minute, 5*time.Millisecond, "all of the run's threads but the launcher's are nicer")
		assert.Equal(t, []int{ordinary}, slices.Collect(maps.Keys(servers)), "its server's are as ever")
	}
	_ = run.Wait() // its threshold fails, or it is invalid on a machine that is too busy
	assert.Contains(t, out.String(), "of 2 runs: 0 passed")
}
