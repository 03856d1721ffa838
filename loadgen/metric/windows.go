package metric

import (
	"fmt"
	"maps"
	"math"
	"time"
)

// KindWindows is the kind of a [Windows].
const KindWindows Kind = "windows"

// Windows has the results of thresholds over a window as the window slid over a
// run. [Values] has it under the thresholds' [Threshold.Source].
//
// It is for one goroutine at a time.
type Windows struct {
	results map[string]windowResults // by the threshold
	// Number is how many windows there were.
	Number int
}

// windowResults are the windows in which a threshold did worst: by the worst case
// of what was measured, and by the best.
type windowResults struct {
	worst, best Result // each with both cases
	bestCase    Result // of best
}

// NewWindows makes a Windows that has not seen a window yet.
func NewWindows() *Windows { return &Windows{results: map[string]windowResults{}} }

// Kind implements [Value].
func (*Windows) Kind() Kind { return KindWindows }

func (w *Windows) empty() bool { return w == nil || w.Number == 0 }

// Enter adds the next window. Worst and best are what was measured in it (see
// [Threshold.EvaluateBetween]), and owed reports whether there should have been
// something: where it is and a value is empty, the threshold does not hold; where
// nothing was owed, the window says nothing.
func (w *Windows) Enter(t Threshold, worst, best Value, owed bool, from, until time.Duration) {
	a, ok := t.window(worst, worstCase, owed, from, until)
	if !ok {
		return
	}
	if best == nil {
		best = worst
	}
	b, ok := t.window(best, bestCase, owed, from, until)
	if !ok {
		b = a
	}
	a = t.between(a, b)
	key := t.String()
	before, seen := w.results[key]
	if !seen {
		w.results[key] = windowResults{a, a, b}
		return
	}
	if t.worse(crossing(a), crossing(before.worst)) {
		before.worst = a
	}
	if t.worse(b, before.bestCase) {
		before.best, before.bestCase = a, b
	}
	w.results[key] = before
}

// crossing is an undecided result as its worst case: crossed.
func crossing(r Result) Result {
	if r.Undecided {
		crossed := false
		r.OK = &crossed
	}
	return r
}

// window judges what was measured in one window; false if it says nothing.
func (t Threshold) window(value Value, at side, owed bool, from, until time.Duration) (Result, bool) {
	r := t.judge(value, at)
	if r.OK == nil {
		if !owed {
			return r, false
		}
		holds := false
		r = Result{OK: &holds, Reason: fmt.Sprintf("nothing came from %.1f s to %.1f s of the run, though packets were owed", from.Seconds(), until.Seconds())}
	}
	r.From, r.Until = from, until
	return r, true
}

// Clone is a copy for somebody else to keep.
func (w *Windows) Clone() *Windows {
	return &Windows{results: maps.Clone(w.results), Number: w.Number}
}

// Count counts one more window.
func (w *Windows) Count() { w.Number++ }

// result is the result of a threshold over all windows: crossed if it is crossed
// in one of them whatever is in doubt, and undecided if it may be in one.
func (w *Windows) result(t Threshold) Result {
	found, ok := w.results[t.String()]
	if !ok {
		return Result{Reason: fmt.Sprintf("%s had no window of %s with anything in it", t.Metric, t.Over)}
	}
	if !*found.bestCase.OK {
		return found.best
	}
	return found.worst
}

// worse reports whether a is a worse result than b.
func (t Threshold) worse(a, b Result) bool {
	switch {
	case *a.OK != *b.OK:
		return !*a.OK
	case b.Value == nil:
		return false
	case a.Value == nil:
		return true
	}
	x, y := *a.Value, *b.Value
	switch t.Operator {
	case Less, LessEqual:
		return x > y
	case Greater, GreaterEqual:
		return x < y
	case NotEqual:
		return math.Abs(x-t.Limit) < math.Abs(y-t.Limit)
	}
	return math.Abs(x-t.Limit) > math.Abs(y-t.Limit)
}
