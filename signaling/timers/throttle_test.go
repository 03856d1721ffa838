package timers

import (
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const eventually, often = 30 * time.Second, 2 * time.Millisecond

func TestThrottleRunsOnceForManyTriggers(t *testing.T) {
	var runs atomic.Int32
	start := time.Now()
	throttle := NewThrottle(every(20*time.Millisecond), func() { runs.Add(1) })
	for range 100_000 {
		throttle.Trigger()
	}
	require.Eventually(t, func() bool { return runs.Load() >= 1 }, eventually, often)
	throttle.Close()
	// One at once, and at most one for each interval that has started.
	assert.LessOrEqual(t, int64(runs.Load()), 1+int64(time.Since(start)/(20*time.Millisecond)))
}

func TestThrottleKeepsATriggerDuringARun(t *testing.T) {
	var runs atomic.Int32
	entered, resume := make(chan struct{}, 2), make(chan struct{})
	throttle := NewThrottle(every(time.Millisecond), func() {
		entered <- struct{}{}
		<-resume
		runs.Add(1)
	})
	throttle.Trigger()
	<-entered
	throttle.Trigger()
	close(resume)
	require.Eventually(t, func() bool { return runs.Load() == 2 }, eventually, often)
	throttle.Close()
}

func TestThrottleNeverRunsTwiceAtOnce(t *testing.T) {
	var inside atomic.Int32
	var runs sync.WaitGroup
	runs.Add(5)
	left := 5
	throttle := NewThrottle(every(time.Nanosecond), nil)
	throttle.run = func() {
		assert.EqualValues(t, 1, inside.Add(1))
		throttle.Trigger()
		time.Sleep(time.Millisecond)
		inside.Add(-1)
		if left > 0 {
			left--
			runs.Done()
		}
	}
	throttle.Trigger()
	runs.Wait()
	throttle.Close()
}

func TestClosedThrottleDoesNotRun(t *testing.T) {
	var runs atomic.Int32
	throttle := NewThrottle(every(time.Hour), func() { runs.Add(1) })
	throttle.Trigger()
	require.Eventually(t, func() bool { return runs.Load() == 1 }, eventually, often)
	throttle.Trigger() // due in an hour
	throttle.Close()
	throttle.Trigger()
	throttle.Close()
	assert.EqualValues(t, 1, runs.Load())
}

// each is always the same interval.
func every(d time.Duration) func() time.Duration { return func() time.Duration { return d } }
