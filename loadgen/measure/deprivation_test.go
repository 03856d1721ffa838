package measure

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

// What held a server up in the first minutes of a long run is known at its end: the loss of mics is
// judged then.
func TestDoubtOfLongAgoIsNotForgotten(t *testing.T) {
	const minutes = 120
	a := NewAggregator()
	for s := range time.Duration(minutes * 60) {
		from := s * time.Second
		a.Deprive(from, from+time.Second-1, deprivedLoss)
		a.Steal(from, from+time.Second-1, deprivedLoss, 0.5)
	}
	d := &a.doubts
	assert.LessOrEqual(t, len(d.waits), maxDrops)
	assert.LessOrEqual(t, len(d.thefts), maxDrops)
	for _, at := range []time.Duration{time.Second, minutes / 2 * time.Minute, minutes*time.Minute - 2*time.Second} {
		assert.GreaterOrEqual(t, d.deprived(at, at+time.Second), deprivedLoss, "%v", at)
		took, _ := d.taken(at, at+time.Second)
		assert.GreaterOrEqual(t, took, deprivedLoss, "%v", at)
		assert.NotZero(t, a.LossInDoubt(at, at+time.Second), "%v", at)
	}
	assert.Zero(t, d.deprived(minutes*time.Minute, minutes*time.Minute+time.Second))
}
