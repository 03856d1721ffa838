package signaling

import (
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const eventually, often = 30 * time.Second, 2 * time.Millisecond

func TestACoalescerRunsOnceForManyKicks(t *testing.T) {
	var runs atomic.Int32
	start := time.Now()
	c := newCoalescer(each(20*time.Millisecond), func() { runs.Add(1) })
	for range 100_000 {
		c.kick()
	}
	require.Eventually(t, func() bool { return runs.Load() >= 1 }, eventually, often)
	c.close()
	// One at once, and at most one for each interval that has begun.
	assert.LessOrEqual(t, int64(runs.Load()), 1+int64(time.Since(start)/(20*time.Millisecond)))
}

func TestAKickDuringARunIsNotLost(t *testing.T) {
	var runs atomic.Int32
	entered, resume := make(chan struct{}, 2), make(chan struct{})
	c := newCoalescer(each(time.Millisecond), func() {
		entered <- struct{}{}
		<-resume
		runs.Add(1)
	})
	c.kick()
	<-entered
	c.kick()
	close(resume)
	require.Eventually(t, func() bool { return runs.Load() == 2 }, eventually, often)
	c.close()
}

func TestACoalescerNeverRunsTwiceAtOnce(t *testing.T) {
	var inside atomic.Int32
	var runs sync.WaitGroup
	runs.Add(5)
	left := 5
	c := newCoalescer(each(time.Nanosecond), nil)
	c.run = func() {
		assert.EqualValues(t, 1, inside.Add(1))
		c.kick()
		time.Sleep(time.Millisecond)
		inside.Add(-1)
		if left > 0 {
			left--
			runs.Done()
		}
	}
	c.kick()
	runs.Wait()
	c.close()
}

func TestAClosedCoalescerRunsNoMore(t *testing.T) {
	var runs atomic.Int32
	c := newCoalescer(each(time.Hour), func() { runs.Add(1) })
	c.kick()
	require.Eventually(t, func() bool { return runs.Load() == 1 }, eventually, often)
	c.kick() // due in an hour
	c.close()
	c.kick()
	c.close()
	assert.EqualValues(t, 1, runs.Load())
}

// each is always the same interval.
func each(d time.Duration) func() time.Duration { return func() time.Duration { return d } }
