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
	after.Merge(before.Sooner(15, 3, 5))
	s := after.Summary()
	assert.EqualValues(t, 5, s.Count)
	assert.InDelta(t, 1, s.Min, 0.01, "it was below the least already")
	assert.InDelta(t, 5, s.Med, 0.01, "20 less 15")
	assert.InDelta(t, 3, after.Quantile(40), 0.01, "5 less 15 is the least")
	assert.InDelta(t, 285, after.Quantile(80), 0.5)
	assert.InDelta(t, 89_985, s.Max, 0.01)
	assert.Zero(t, (&Trend{}).Sooner(1, 1, 1).Count())
}

func TestSoonerMakesTheGreatestValuesSmaller(t *testing.T) {
	before := &Trend{}
	before.RecordN(5, 90)
	before.RecordN(100, 9)
	before.Record(90_000)
	after := before.Sooner(60, 5, 6)
	assert.EqualValues(t, 100, after.Count())
	assert.InDelta(t, 5, after.Quantile(90), 0.01)
	assert.InDelta(t, 40, after.Quantile(91), 0.1, "five of the hundreds")
	assert.InDelta(t, 40, after.Quantile(95), 0.1)
	assert.InDelta(t, 100, after.Quantile(96), 0.1, "the rest stays")
	assert.InDelta(t, 89_940, after.Summary().Max, 0.1)
}
