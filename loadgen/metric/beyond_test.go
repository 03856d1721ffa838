package metric

import (
	"encoding/json"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// beyond has 90 values of 1, and ten from 61,000 to 70,000.
func beyond() *Trend {
	t := &Trend{}
	t.RecordN(1, 90)
	for i := range 10 {
		t.Record(61_000 + float64(i)*1000)
	}
	return t
}

func TestThresholdOnAQuantileBeyondTheRange(t *testing.T) {
	for _, c := range []struct {
		sentence, expression string
		ok                   *bool
		beyond               bool
	}{
		{"a limit that the greatest value holds is held", "p(95) < 71s", new(true), true},
		{"a limit within the range is crossed", "p(95) < 50s", new(false), true},
		{"a limit between the bounds is undecided", "p(95) < 66s", nil, true},
		{"a lower limit between them, too", "p(95) > 66s", nil, true},
		{"the greatest value is known", "max < 70001ms", new(true), false},
		{"so is the percentile that is the greatest value", "p(100) < 69s", new(false), false},
		{"a percentile within the range is known", "p(90) < 2ms", new(true), false},
		{"the average is known", "avg < 6551ms", new(true), false},
	} {
		t.Run(c.sentence, func(t *testing.T) {
			th := parsed(t, "join_duration", c.expression)
			r := th.Evaluate(Values{"join_duration": beyond()})
			assert.Equal(t, c.ok, r.OK)
			assert.Equal(t, c.ok == nil, r.Undecided)
			assert.Equal(t, c.beyond, r.BeyondRange)
			assert.Equal(t, c.beyond, r.Best != nil)
			assert.Equal(t, r, th.EvaluateBetween(Values{"join_duration": beyond()}, Values{"join_duration": beyond()}), "at both ends of a doubt")
		})
	}
}

func TestWindowOfAQuantileBeyondTheRange(t *testing.T) {
	th := parsed(t, "latency", "p(95) < 66s over 10s")
	w := NewWindows()
	w.Count()
	w.Enter(th, beyond(), nil, true, 0, 10*time.Second)
	r := th.Evaluate(Values{th.Source(): w})
	assert.Nil(t, r.OK)
	assert.True(t, r.Undecided)
	assert.True(t, r.BeyondRange)
}

func TestJSONSaysWhichQuantilesAreBeyondTheRange(t *testing.T) {
	for _, c := range []struct {
		sentence string
		trend    *Trend
		want     string
	}{
		{"some are", beyond(), `{"p(90)":1,"p(95)":60000,"p(99)":60000,"p(99.9)":70000,"max":70000,"beyond_range":["p(95)","p(99)"]}`},
		{"none is", constant(1, 100), `{"p(90)":1,"p(95)":1,"p(99)":1,"p(99.9)":1,"max":1}`},
	} {
		t.Run(c.sentence, func(t *testing.T) {
			text, err := json.Marshal(Values{"join_duration": c.trend})
			require.NoError(t, err)
			var all map[string]map[string]any
			require.NoError(t, json.Unmarshal(text, &all))
			got := all["join_duration"]
			for _, name := range []string{"kind", "unit", "count", "avg", "min", "med", "histogram"} {
				delete(got, name)
			}
			text, err = json.Marshal(got)
			require.NoError(t, err)
			assert.JSONEq(t, c.want, string(text))
		})
	}
}

// The true percentile lies between its bounds, and within the range they are one.
func TestQuantileBoundsHoldTheTruth(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		values := rapid.SliceOfN(rapid.Float64Range(0, 120_000), 1, 60).Draw(t, "values")
		p := rapid.Float64Range(0, 100).Draw(t, "p")
		var trend Trend
		for _, v := range values {
			trend.Record(v)
		}
		want := slices.Sorted(slices.Values(values))[trend.rank(p)-1]
		least, most := trend.QuantileBounds(p)
		if want < least*(1-0.001)-0.00051 || want > most*1.001+0.00051 {
			t.Fatalf("p(%v) is %v, which is not from %v to %v", p, want, least, most)
		}
		if want <= 59_900 && least != most {
			t.Fatalf("p(%v) is within the range, and is from %v to %v", p, least, most)
		}
	})
}

func constant(v float64, n uint64) *Trend {
	t := &Trend{}
	t.RecordN(v, n)
	return t
}
