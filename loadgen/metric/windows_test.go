package metric

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func TestWindowsReportTheWorst(t *testing.T) {
	rates := []Rate{{99, 100}, {100, 100}, {90, 100}, {95, 100}}
	for name, tt := range map[string]struct {
		expression string
		ok         bool
		value      float64
		window     int
	}{
		"a lower bound is met by none below": {"rate >= 0.9 over 10s", true, 0.9, 2},
		"a lower bound is missed by one":     {"rate >= 0.95 over 10s", false, 0.9, 2},
		"an upper bound has the highest":     {"rate < 1 over 10s", false, 1, 1},
		"equality has the one furthest off":  {"rate == 1 over 10s", false, 0.9, 2},
		"inequality has the one that equals": {"rate != 0.95 over 10s", false, 0.95, 3},
		"a number of samples":                {"count >= 100 over 10s", true, 100, 0},
	} {
		t.Run(name, func(t *testing.T) {
			th := parsed(t, "delivered", tt.expression)
			w := NewWindows()
			for i, r := range rates {
				from := time.Duration(i) * time.Second
				w.Count()
				w.Enter(th, r, nil, true, from, from+10*time.Second)
			}
			got := th.Evaluate(Values{th.Source(): w})
			require.NotNil(t, got.OK)
			assert.Equal(t, tt.ok, *got.OK)
			assert.Equal(t, tt.value, *got.Value)
			assert.Equal(t, time.Duration(tt.window)*time.Second, got.From)
			assert.Equal(t, got.From+10*time.Second, got.Until)
		})
	}
}

func TestWindowsWithoutArrivalsDoNotHold(t *testing.T) {
	th := parsed(t, "latency", "p(99) < 20ms over 10s")
	fast := new(Trend)
	fast.Record(1)
	w := NewWindows()
	w.Enter(th, fast, nil, true, 0, 10*time.Second)
	w.Enter(th, new(Trend), nil, true, time.Second, 11*time.Second)
	w.Enter(th, fast, nil, true, 2*time.Second, 12*time.Second)
	got := th.Evaluate(Values{th.Source(): w})
	require.NotNil(t, got.OK)
	assert.False(t, *got.OK)
	assert.Nil(t, got.Value)
	assert.Equal(t, "nothing came from 1.0 s to 11.0 s of the run, though packets were owed", got.Reason)
}

func TestWindowsWithoutDataAreNoData(t *testing.T) {
	th := parsed(t, "latency", "p(99) < 20ms over 10s")
	silent := NewWindows()
	silent.Count()
	silent.Enter(th, new(Trend), nil, false, 0, 10*time.Second)
	for name, v := range map[string]Values{
		"none":                        {},
		"the metric without a window": {"latency": new(Trend)},
		"no window":                   {th.Source(): NewWindows()},
		"nothing was owed":            {th.Source(): silent},
	} {
		assert.Nil(t, th.Evaluate(v).OK, name)
		assert.NotEmpty(t, th.Evaluate(v).Reason, name)
	}
}

// Whatever the windows and the operator: the threshold holds if and only if it
// holds in every window.
func TestWindowsHoldIfEachHolds(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		op := rapid.SampledFrom([]string{"<", "<=", ">", ">=", "==", "!="}).Draw(rt, "operator")
		th := parsed(rt, "delivered", "rate "+op+" 0.5 over 3s")
		alone := parsed(rt, "delivered", "rate "+op+" 0.5")
		w := NewWindows()
		holds := true
		for i, passes := range rapid.SliceOfN(rapid.Uint64Range(0, 4), 1, 9).Draw(rt, "passes") {
			r := Rate{passes, 4}
			holds = holds && *alone.Evaluate(Values{"delivered": r}).OK
			w.Enter(th, r, nil, true, time.Duration(i)*time.Second, time.Duration(i+3)*time.Second)
		}
		got := th.Evaluate(Values{th.Source(): w})
		require.NotNil(rt, got.OK)
		assert.Equal(rt, holds, *got.OK)
	})
}

func TestAbortingNeedsALiveMetric(t *testing.T) {
	for _, ok := range []Threshold{
		parsed(t, "delivered", "rate > 0.9"), parsed(t, "latency{phase:steady}", "p(99) < 1s over 3s"), parsed(t, "generator_drops", "count == 0"),
		parsed(t, "latency", "count > 100 over 3s"), parsed(t, "unrecognised", "count < 3"),
	} {
		got, err := ok.Aborting(3 * time.Second)
		require.NoError(t, err)
		assert.True(t, got.AbortOnFail)
		assert.Equal(t, 3*time.Second, got.Delay)
	}
	for _, bad := range []Threshold{parsed(t, "mos", "avg > 4"), parsed(t, "latency", "count > 100"), parsed(t, "generator_drops", "count == 3")} {
		_, err := bad.Aborting(0)
		assert.ErrorContains(t, err, "known at the end of a run", bad.String())
	}
	_, err := parsed(t, "delivered", "rate > 0.9").Aborting(-time.Second)
	assert.ErrorContains(t, err, "a delay of -1s")
}
