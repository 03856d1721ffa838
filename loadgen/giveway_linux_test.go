package loadgen

import (
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/procfs"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/earshot-audio/earshot/loadgen/measure"
)

// niceThreads counts this process's threads of a niceness.
func niceThreads(t *testing.T, niceness int) (n int) {
	self, err := procfs.Self()
	require.NoError(t, err)
	threads, err := procfs.AllThreads(self.PID)
	require.NoError(t, err)
	for _, thread := range threads {
		// One that has ended meanwhile has no stat.
		if stat, err := thread.Stat(); err == nil && stat.Nice == niceness {
			n++
		}
	}
	return n
}

func TestReadersOfSharedSocketsGiveWayAndNobodyElse(t *testing.T) {
	ordinary, err := unix.Getpriority(unix.PRIO_PROCESS, 0)
	require.NoError(t, err)
	nicer := 20 - ordinary + laneNice
	require.Zero(t, niceThreads(t, nicer))

	crowd, err := newCrowd(measure.NewClock(), &recovery{}, func(time.Duration, uint64) {})
	require.NoError(t, err)
	alone, err := crowd.open(laneOptions{address: "127.0.0.1:0"})
	require.NoError(t, err)
	shared, err := crowd.open(laneOptions{address: "0.0.0.0:0", home: firstHome})
	require.NoError(t, err)
	crowd.shared = append(crowd.shared, shared)
	assert.Eventually(t, func() bool { return niceThreads(t, nicer) == 1 }, 10*time.Second, time.Millisecond,
		"the thread of the shared socket, and no other, is nicer")
	require.NoError(t, alone.conn.Close())
	require.NoError(t, crowd.Close())

	var others sync.WaitGroup
	for range 50 {
		others.Go(func() {
			runtime.LockOSThread() // so that all have threads of their own
			defer runtime.UnlockOSThread()
			is, err := unix.Getpriority(unix.PRIO_PROCESS, 0)
			assert.NoError(t, err)
			assert.Equal(t, ordinary, is, "a thread that was nicer is given to nobody else")
			time.Sleep(time.Millisecond)
		})
	}
	others.Wait()
}
