package metric

import (
	"fmt"
	"math"
	"strings"
)

// A Value is what was measured of one metric: a [*Trend], [Rate], [Counter] or
// [Gauge]; or of one metric over a window, [*Windows].
type Value interface {
	// Kind is the kind of metric that the value can be of.
	Kind() Kind
	// empty reports whether nothing was measured.
	empty() bool
}

// A Rate is a share: Passes of Total. With a Total of 0 there is no data.
type Rate struct{ Passes, Total uint64 }

// Kind implements [Value].
func (Rate) Kind() Kind { return KindRate }

// Share is Passes/Total, or 0 if Total is 0.
func (r Rate) Share() float64 {
	if r.Total == 0 {
		return 0
	}
	return float64(r.Passes) / float64(r.Total)
}

// Plus is the rate of both.
func (r Rate) Plus(o Rate) Rate { return Rate{r.Passes + o.Passes, r.Total + o.Total} }

// Excuse is the rate if n of those that did not pass had passed.
func (r Rate) Excuse(n uint64) Rate {
	return Rate{Passes: r.Passes + min(n, r.Total-r.Passes), Total: r.Total}
}

func (r Rate) empty() bool { return r.Total == 0 }

// A Counter is a number of events. None of them is data, too.
type Counter uint64

// Kind implements [Value].
func (Counter) Kind() Kind { return KindCounter }

func (Counter) empty() bool { return false }

// A Gauge is one figure, in the metric's unit. One that is not finite is no
// data.
type Gauge float64

// Kind implements [Value].
func (Gauge) Kind() Kind { return KindGauge }

func (g Gauge) empty() bool { return math.IsNaN(float64(g)) || math.IsInf(float64(g), 0) }

// Values are the values of a run by the names of their metrics, and of those
// parts of metrics that thresholds are on: see [Threshold.Source]. A metric that
// is missing was not measured.
//
// A name outside of the catalogue or a value of another kind than its metric's
// is a mistake of the program: Check and MarshalJSON return an error for it,
// and no threshold over it passes.
type Values map[string]Value

// Set enters the value of a metric in place of any before.
func (v Values) Set(name string, value Value) { v[name] = value }

// Check returns an error if a name or a kind does not fit the catalogue.
func (v Values) Check() error {
	for name, value := range v {
		if err := fits(name, value); err != nil {
			return err
		}
	}
	return nil
}

func fits(name string, value Value) error {
	d, ok := Lookup(name)
	switch {
	case !ok:
		return fmt.Errorf("there is no metric %s", name)
	case value == nil:
		return fmt.Errorf("metric %s has a nil value", name)
	case value.Kind() == KindWindows && strings.Contains(name, " over "):
		return nil
	case value.Kind() != d.Kind:
		return fmt.Errorf("metric %s is a %s, and its value a %s", name, d.Kind, value.Kind())
	}
	return nil
}
