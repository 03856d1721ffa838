package metric

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func parsed(t require.TestingT, name, expression string) Threshold {
	th, err := ParseThreshold(name, expression)
	require.NoError(t, err)
	return th
}

func TestEvaluateBetween(t *testing.T) {
	yes, no := true, false
	for _, c := range []struct {
		sentence    string
		expression  string
		worst, best Value
		ok          *bool
		undecided   bool
	}{
		{"what holds in the worst case holds", "rate >= 0.99", Rate{99, 100}, Rate{100, 100}, &yes, false},
		{"what is crossed in the best case is crossed", "rate >= 0.99", Rate{90, 100}, Rate{98, 100}, &no, false},
		{"a limit between the two is undecided", "rate >= 0.99", Rate{98, 100}, Rate{99, 100}, nil, true},
		{"an equality inside of the interval is undecided", "rate == 0.99", Rate{98, 100}, Rate{100, 100}, nil, true},
		{"an equality outside of it is crossed", "rate == 0.99", Rate{97, 100}, Rate{98, 100}, &no, false},
		{"an inequality inside of it is undecided", "rate != 0.99", Rate{98, 100}, Rate{100, 100}, nil, true},
		{"an empty best case leaves nothing beyond doubt", "rate >= 0.99", Rate{98, 100}, Rate{}, nil, true},
	} {
		t.Run(c.sentence, func(t *testing.T) {
			r := parsed(t, "delivered", c.expression).EvaluateBetween(Values{"delivered": c.worst}, Values{"delivered": c.best})
			assert.Equal(t, c.ok, r.OK)
			assert.Equal(t, c.undecided, r.Undecided)
			require.NotNil(t, r.Value)
			assert.InDelta(t, c.worst.(Rate).Share(), *r.Value, 1e-12)
		})
	}
}

func TestEvaluateBetweenWithoutDoubtIsEvaluate(t *testing.T) {
	th := parsed(t, "delivered", "rate >= 0.99")
	values := Values{"delivered": Rate{98, 100}}
	assert.Equal(t, th.Evaluate(values), th.EvaluateBetween(values, Values{}))
	assert.Equal(t, th.Evaluate(Values{}), th.EvaluateBetween(Values{}, Values{}))
}

// Whatever the two ends are: a threshold that is decided is decided the same for
// each value between them.
func TestEvaluateBetweenNeverDecidesWhatAValueBetweenContradicts(t *testing.T) {
	operators := []string{"<", "<=", ">", ">=", "==", "!="}
	rapid.Check(t, func(rt *rapid.T) {
		th := parsed(rt, "duplicates", "count "+rapid.SampledFrom(operators).Draw(rt, "operator")+" 5")
		count := rapid.Uint64Range(0, 10)
		a, b := count.Draw(rt, "worst"), count.Draw(rt, "best")
		r := th.EvaluateBetween(Values{"duplicates": Counter(a)}, Values{"duplicates": Counter(b)})
		for v := min(a, b); v <= max(a, b); v++ {
			if one := th.Evaluate(Values{"duplicates": Counter(v)}); r.OK != nil {
				assert.Equal(rt, *one.OK, *r.OK)
			}
		}
		assert.Equal(rt, r.OK == nil, r.Undecided)
	})
}

func TestWindowsWithDoubt(t *testing.T) {
	th := parsed(t, "delivered", "rate >= 0.95 over 10s")
	rate := func(passes uint64) Value { return Rate{passes, 100} }
	for _, c := range []struct {
		sentence  string
		windows   [][2]Value // worst and best
		ok        *bool
		undecided bool
	}{
		{"each holds whatever is in doubt", [][2]Value{{rate(96), rate(99)}, {rate(95), nil}}, new(true), false},
		{"one may be crossed", [][2]Value{{rate(96), nil}, {rate(90), rate(99)}}, nil, true},
		{"one is crossed for certain, and another may be worse", [][2]Value{{rate(80), rate(99)}, {rate(90), rate(91)}}, new(false), false},
	} {
		t.Run(c.sentence, func(t *testing.T) {
			w := NewWindows()
			for i, v := range c.windows {
				w.Count()
				from := time.Duration(i) * time.Second
				w.Enter(th, v[0], v[1], true, from, from+10*time.Second)
			}
			r := th.Evaluate(Values{th.Source(): w})
			assert.Equal(t, c.ok, r.OK)
			assert.Equal(t, c.undecided, r.Undecided)
		})
	}
}
