package metric

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestSoonerMakesValuesSmallerDownToTheLeast(t *testing.T) {
	before, after := &Trend{}, &Trend{}
	for _, v := range []float64{1, 5, 20, 300, 90_000} {
		before.Record(v)
	}
	after.Take(before.Sooner(15, 3))
	s := after.Summary()
	assert.EqualValues(t, 5, s.Count)
	assert.InDelta(t, 1, s.Min, 0.01, "it was below the least already")
	assert.InDelta(t, 5, s.Med, 0.01, "20 less 15")
	assert.InDelta(t, 3, after.Quantile(40), 0.01, "5 less 15 is the least")
	assert.InDelta(t, 285, after.Quantile(80), 0.5)
	assert.InDelta(t, 89_985, s.Max, 0.01)
	assert.Zero(t, (&Trend{}).Sooner(1, 1).Count())
}
