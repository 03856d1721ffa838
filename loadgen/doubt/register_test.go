package doubt

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

// What held a server up in the first minutes of a long run is known at its end: the loss of mics is
// judged then.
func TestDoubtOfLongAgoIsNotForgotten(t *testing.T) {
	const minutes = 120
	d := &Register{}
	for s := range time.Duration(minutes * 60) {
		from := s * time.Second
		d.Cores.Deprive(from, from+time.Second-1, DeprivedLoss)
		d.Steal(from, from+time.Second-1, DeprivedLoss, 0.5)
	}
	assert.LessOrEqual(t, len(d.Cores.waits), maxDrops)
	assert.LessOrEqual(t, len(d.Cores.thefts), maxDrops)
	for _, at := range []time.Duration{time.Second, minutes / 2 * time.Minute, minutes*time.Minute - 2*time.Second} {
		assert.GreaterOrEqual(t, d.Cores.Deprived(at, at+time.Second), DeprivedLoss, "%v", at)
		took, _ := d.Cores.Taken(at, at+time.Second)
		assert.GreaterOrEqual(t, took, DeprivedLoss, "%v", at)
		assert.NotZero(t, d.LossInDoubt(at, at+time.Second), "%v", at)
	}
	assert.Zero(t, d.Cores.Deprived(minutes*time.Minute, minutes*time.Minute+time.Second))
}
