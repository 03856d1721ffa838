package metric

import (
	"fmt"
	"math"
)

// EvaluateBetween compares a metric's value with the limit where the value is in
// doubt: worst has what was measured if all that is in doubt was the server's
// doing, and best if none of it was. Metrics without doubt are left out of best.
//
// A threshold that holds on one side and not on the other is undecided: its OK is
// nil, and Undecided is set.
func (t Threshold) EvaluateBetween(worst, best Values) Result {
	source := t.Source()
	value, doubted := best[source]
	if !doubted {
		value = worst[source]
	} else if err := fits(source, value); err != nil {
		return Result{Reason: err.Error()}
	}
	measured, ok := worst[source]
	if !ok {
		return Result{Reason: fmt.Sprintf("%s was not measured", t.Metric)}
	}
	if err := fits(source, measured); err != nil {
		return Result{Reason: err.Error()}
	}
	if windows, ok := measured.(*Windows); ok {
		return windows.result(t)
	}
	return t.between(t.judge(measured, worstCase), t.judge(value, bestCase))
}

// between is the result over the interval of which worst and best are the ends.
func (t Threshold) between(worst, best Result) Result {
	if worst.OK == nil && worst.Value == nil {
		return worst
	}
	r := worst
	r.BeyondRange = worst.BeyondRange || best.BeyondRange
	if best.Value != nil && (worst.Value == nil || *best.Value != *worst.Value) {
		r.Best = best.Value
	}
	if best.OK == nil || *best.OK != *worst.OK || t.straddles(worst.Value, best.Value) {
		r.OK, r.Undecided = nil, true
	}
	return r
}

// straddles reports whether the limit of an equality lies between two figures, so
// that both ends say the same and a value between them does not.
func (t Threshold) straddles(worst, best *float64) bool {
	if worst == nil || best == nil || t.Operator != Equal && t.Operator != NotEqual {
		return false
	}
	return math.Min(*worst, *best) < t.Limit && t.Limit < math.Max(*worst, *best)
}
