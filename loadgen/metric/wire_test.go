package metric

import (
	"encoding/json"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// overTheWire is a copy of a trend that another process would have.
func overTheWire[T any](t require.TestingT, v *T) *T {
	text, err := json.Marshal(v)
	require.NoError(t, err)
	copied := new(T)
	require.NoError(t, json.Unmarshal(text, copied))
	return copied
}

func TestTrendsOfPartsAreToTheBitThatOfOne(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		values := rapid.SliceOf(rapid.OneOf(rapid.Float64Range(-5, 100), rapid.Float64Range(0, 1e-5), rapid.Float64Range(50_000, 1e15))).Draw(rt, "values")
		parts := make([]Trend, rapid.IntRange(1, 5).Draw(rt, "parts"))
		var one, merged Trend
		for i, v := range values {
			one.RecordN(v, uint64(i+1))
			parts[rapid.IntRange(0, len(parts)-1).Draw(rt, "part")].RecordN(v, uint64(i+1))
		}
		for _, i := range rand.Perm(len(parts)) {
			merged.Merge(overTheWire(rt, &parts[i]))
		}
		require.Equal(rt, one.Summary(), merged.Summary())
		require.Equal(rt, []uint64{one.Over(), one.Negative(), one.Invalid()}, []uint64{merged.Over(), merged.Negative(), merged.Invalid()})
		a, err := one.Histogram()
		require.NoError(rt, err)
		b, err := merged.Histogram()
		require.NoError(rt, err)
		require.Equal(rt, a, b)
	})
}

func TestFrozenDistributionsOfPartsAreToTheBitThatOfOne(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		durations := rapid.SliceOf(rapid.Int64Range(-1_000_000, 61_000_000_000)).Draw(rt, "durations")
		parts := make([]Counts, rapid.IntRange(1, 4).Draw(rt, "parts"))
		var one Counts
		for _, d := range durations {
			one.Record(time.Duration(d))
			parts[rapid.IntRange(0, len(parts)-1).Draw(rt, "part")].Record(time.Duration(d))
		}
		whole, merged := &Trend{}, &Trend{}
		whole.Take(one.Freeze())
		for _, i := range rand.Perm(len(parts)) {
			merged.Take(overTheWire(rt, parts[i].Freeze()))
		}
		require.Equal(rt, whole.Summary(), merged.Summary())
	})
}

func TestAnExactSumDoesNotDependOnTheOrder(t *testing.T) {
	values := []float64{1e300, 1, -1e300, 1e-300, 3, 1e16, -1, 0.1}
	for range 200 {
		rand.Shuffle(len(values), func(i, j int) { values[i], values[j] = values[j], values[i] })
		var s exactSum
		for _, v := range values {
			s.add(v)
		}
		require.Equal(t, 1e16+3.1, s.value(), "%v", values)
	}
	var s exactSum
	s.addTimes(0.1, 1<<60)
	s.addTimes(-0.1, 1<<60-10)
	assert.Equal(t, 1.0, s.value())
	s.addWhole(1<<62 + 1)
	s.addWhole(-1 << 62)
	assert.Equal(t, 2.0, s.value())
}

func TestWhatCannotBeIsNotTakenFromTheWire(t *testing.T) {
	var good Trend
	good.RecordN(12, 3)
	text, err := json.Marshal(&good)
	require.NoError(t, err)
	for _, c := range []struct{ sentence, text string }{
		{"more samples than counters", `{"n":4,"s":[12],"a":12,"z":12,"h":"AAM"}`},
		{"counters without samples", `{"h":"AAM"}`},
		{"a counter beyond all", `{"n":1,"s":[1],"a":1,"z":1,"h":"//8/AQ"}`},
		{"counters that are cut short", `{"n":1,"s":[1],"a":1,"z":1,"h":"AA"}`},
		{"an empty counter", `{"n":0,"h":"AAA"}`},
		{"counters that are no base64", `{"n":1,"h":"?"}`},
		{"a range that is none", `{"n":3,"s":[1],"a":2,"z":1,"h":"AAM"}`},
		{"more beyond the range than there are", `{"n":1,"o":2}`},
	} {
		got := good
		assert.Error(t, json.Unmarshal([]byte(c.text), &got), c.sentence)
	}
	for _, text := range []string{`{"h":"//8/AQ"}`, `{"h":"AA"}`, `{"h":"AAA"}`, `{"h":"?"}`, `{"a":2,"z":1,"h":"AAM"}`, `{"h":"AP////////8"}`} {
		assert.Error(t, json.Unmarshal([]byte(text), &Frozen{}), text)
	}
	assert.NoError(t, json.Unmarshal(text, &good))
	assert.Error(t, json.Unmarshal([]byte(`{"c":true,"n":1,"s":[1],"a":1,"z":1,"h":"/z8B"}`), &good), "a counter that a coarse trend has not")
}

func TestCoarseTrendsKeepTheirQuantilesOverTheWire(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		coarse := NewCoarseTrend()
		for _, v := range rapid.SliceOf(rapid.OneOf(rapid.Float64Range(-5, 100), rapid.Float64Range(50_000, 1e6))).Draw(rt, "values") {
			coarse.RecordN(v, 3)
		}
		again := overTheWire(rt, coarse)
		require.Equal(rt, coarse.Summary(), again.Summary())
		for p := range 101 {
			if coarse.Count() > 0 {
				require.Equal(rt, coarse.Quantile(float64(p)), again.Quantile(float64(p)))
			}
		}
		again.Record(7)
		coarse.Record(7)
		require.Equal(rt, coarse.Summary(), again.Summary(), "it goes on as one")
	})
}
