package liveroom

import (
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestThrottleRunsOnceForManyTriggers(t *testing.T) {
	var runs atomic.Int32
	start := time.Now()
	throttle := newThrottle(every(20*time.Millisecond), func() { runs.Add(1) })
	for range 100_000 {
		throttle.trigger()
	}
	require.Eventually(t, func() bool { return runs.Load() >= 1 }, eventually, often)
	throttle.close()
	// One at once, and at most one for each interval that has started.
	assert.LessOrEqual(t, int64(runs.Load()), 1+int64(time.Since(start)/(20*time.Millisecond)))
}

func TestThrottleKeepsATriggerDuringARun(t *testing.T) {
	var runs atomic.Int32
	entered, resume := make(chan struct{}, 2), make(chan struct{})
	throttle := newThrottle(every(time.Millisecond), func() {
		entered <- struct{}{}
		<-resume
		runs.Add(1)
	})
	throttle.trigger()
	<-entered
	throttle.trigger()
	close(resume)
	require.Eventually(t, func() bool { return runs.Load() == 2 }, eventually, often)
	throttle.close()
}

func TestThrottleNeverRunsTwiceAtOnce(t *testing.T) {
	var inside atomic.Int32
	var runs sync.WaitGroup
	runs.Add(5)
	left := 5
	throttle := newThrottle(every(time.Nanosecond), nil)
	throttle.run = func() {
		assert.EqualValues(t, 1, inside.Add(1))
		throttle.trigger()
		time.Sleep(time.Millisecond)
		inside.Add(-1)
		if left > 0 {
			left--
			runs.Done()
		}
	}
	throttle.trigger()
	runs.Wait()
	throttle.close()
}

func TestClosedThrottleDoesNotRun(t *testing.T) {
	var runs atomic.Int32
	throttle := newThrottle(every(time.Hour), func() { runs.Add(1) })
	throttle.trigger()
	require.Eventually(t, func() bool { return runs.Load() == 1 }, eventually, often)
	throttle.trigger() // due in an hour
	throttle.close()
	throttle.trigger()
	throttle.close()
	assert.EqualValues(t, 1, runs.Load())
}

// each is always the same interval.
func every(d time.Duration) func() time.Duration { return func() time.Duration { return d } }
