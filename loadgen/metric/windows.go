package metric

import (
	"fmt"
	"maps"
	"math"
	"time"
)

// KindWindows is the kind of a [Windows].
const KindWindows Kind = "windows"

// Windows is what some thresholds over a window came to as the window slid over
// a run: of each the worst. It stands in [Values] under the thresholds'
// [Threshold.Source].
//
// It is for one goroutine at a time.
type Windows struct {
	worst map[string]worst // by the threshold
	// Number is how many windows there were.
	Number int
}

// worst is the window in which a threshold did worst.
type worst struct {
	result      Result
	from, until time.Duration
}

// NewWindows makes what has not seen a window yet.
func NewWindows() *Windows { return &Windows{worst: map[string]worst{}} }

// Kind implements [Value].
func (*Windows) Kind() Kind { return KindWindows }

func (w *Windows) empty() bool { return w == nil || w.Number == 0 }

// Enter tells of the next window. Value is what was measured in it, and owed
// whether there should have been something: where it is and value is empty,
// the threshold does not hold; where nothing was owed, the window says nothing.
func (w *Windows) Enter(t Threshold, value Value, owed bool, from, until time.Duration) {
	r := t.judge(value)
	if r.OK == nil {
		if !owed {
			return
		}
		holds := false
		r = Result{OK: &holds, Reason: fmt.Sprintf("nothing came from %.1f s to %.1f s of the run, though packets were owed", from.Seconds(), until.Seconds())}
	}
	r.From, r.Until = from, until
	key := t.String()
	if before, ok := w.worst[key]; !ok || t.worse(r, before.result) {
		w.worst[key] = worst{result: r, from: from, until: until}
	}
}

// Clone is a copy for somebody else to keep.
func (w *Windows) Clone() *Windows {
	return &Windows{worst: maps.Clone(w.worst), Number: w.Number}
}

// Count counts one more window.
func (w *Windows) Count() { w.Number++ }

// result is what a threshold came to.
func (w *Windows) result(t Threshold) Result {
	found, ok := w.worst[t.String()]
	if !ok {
		return Result{Reason: fmt.Sprintf("%s had no window of %s with anything in it", t.Metric, t.Over)}
	}
	return found.result
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
