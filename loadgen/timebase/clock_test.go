package timebase

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

// step has the wall clock be stepped, as the clock sees it: it translates by what the wall
// clock read before.
func (c *Clock) step(by time.Duration) { c.wall.Add(-int64(by)) }

func TestClockFollowsAStepOfTheWallClockAtOnce(t *testing.T) {
	for _, c := range []struct {
		sentence string
		by       time.Duration
	}{
		{"forward", 400 * time.Millisecond},
		{"back", -400 * time.Millisecond},
		{"by more than a run is long", 24 * time.Hour},
	} {
		t.Run(c.sentence, func(t *testing.T) {
			clock := NewClock()
			_, before := clock.Look()
			clock.step(c.by)
			stamp := time.Now().UnixNano()
			now, after := clock.Look()
			assert.NotEqual(t, before, after, "what was read by now may have any stamp")
			assert.InDelta(t, now.Seconds(), clock.FromWall(stamp).Seconds(), 0.2, "what is stamped from now on has its time")
			_, again := clock.Look()
			assert.Equal(t, after, again)
			assert.InDelta(t, c.by.Abs().Seconds(), clock.Sync().Seconds(), 0.2)
			assert.Zero(t, clock.Sync(), "it was stepped once")
		})
	}
}

func TestClockCountsStepsThatCancelOut(t *testing.T) {
	clock := NewClock()
	clock.step(400 * time.Millisecond)
	clock.Look()
	clock.step(-400 * time.Millisecond)
	clock.Look()
	assert.InDelta(t, 0.8, clock.Sync().Seconds(), 0.2)
}

func TestClockFollowsSmallMovementsOnceASecond(t *testing.T) {
	clock := NewClock()
	_, before := clock.Look()
	clock.step(StepSlack / 4)
	assert.Eventually(t, func() bool {
		assert.Zero(t, clock.Sync(), "it is no step")
		return clock.moved(time.Now()).Abs() < StepSlack/8
	}, 10*time.Second, time.Millisecond, "it is followed all the same")
	_, after := clock.Look()
	assert.Equal(t, before, after)
}
