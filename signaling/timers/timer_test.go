package timers

import (
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestTimerRunsAtTheTimeThatWasSetLast(t *testing.T) {
	var runs atomic.Int32
	timer := NewTimer(func() { runs.Add(1) })
	defer timer.Close()
	now := time.Now()
	timer.Set(now.Add(time.Millisecond), now)
	timer.Set(now.Add(time.Hour), now)
	timer.Set(now.Add(2*time.Millisecond), now)
	require.Eventually(t, func() bool { return runs.Load() == 1 }, eventually, often)
	timer.Set(now.Add(time.Millisecond), now.Add(time.Second)) // that is over
	require.Eventually(t, func() bool { return runs.Load() == 2 }, eventually, often)
}

func TestTimerThatIsUnsetOrClosedDoesNotRun(t *testing.T) {
	var runs atomic.Int32
	timer := NewTimer(func() { runs.Add(1) })
	now := time.Now()
	timer.Set(now.Add(time.Hour), now)
	timer.Set(time.Time{}, now)
	timer.Set(now.Add(time.Hour), now)
	timer.Close()
	timer.Set(now, now)
	timer.Close()
	assert.Zero(t, runs.Load())
}
