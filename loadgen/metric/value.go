package metric

import (
	"encoding/json"
	"fmt"
	"math"
	"strings"
)

// A Value is what was measured of one metric: a [*Trend], [Rate], [Counter] or
// [Gauge]; or of one metric over a window, [*Windows].
type Value interface {
	// Kind is the kind of metric that the value can be of.
	Kind() Kind
	// empty tells that nothing was measured.
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

// MarshalJSON writes an object of the values by name, each with its kind and
// its unit. Where there were no samples, the count (or total) and all figures
// are 0. A gauge without data is left out, and so are windows.
func (v Values) MarshalJSON() ([]byte, error) {
	object := make(map[string]any, len(v))
	for name, value := range v {
		if err := fits(name, value); err != nil {
			return nil, err
		}
		d, _ := Lookup(name)
		encoded, ok, err := encode(d, value)
		if err != nil {
			return nil, fmt.Errorf("metric %s: %w", name, err)
		}
		if ok {
			object[name] = encoded
		}
	}
	return json.Marshal(object)
}

type head struct {
	Kind Kind `json:"kind"`
	Unit Unit `json:"unit,omitempty"`
}

func encode(d Definition, value Value) (any, bool, error) {
	h := head{d.Kind, d.Unit}
	switch value := value.(type) {
	case *Trend:
		if value == nil {
			return nil, false, nil
		}
		s := value.Summary()
		histogram, err := value.Histogram()
		return struct {
			head
			Count uint64  `json:"count"`
			Avg   float64 `json:"avg"`
			Min   float64 `json:"min"`
			Med   float64 `json:"med"`
			P90   float64 `json:"p(90)"`
			P95   float64 `json:"p(95)"`
			P99   float64 `json:"p(99)"`
			P999  float64 `json:"p(99.9)"`
			Max   float64 `json:"max"`
			// See [Trend.Histogram].
			Histogram string `json:"histogram,omitempty"`
		}{h, s.Count, s.Avg, s.Min, s.Med, s.P90, s.P95, s.P99, s.P999, s.Max, histogram}, true, err
	case Rate:
		return struct {
			head
			Rate   float64 `json:"rate"`
			Passes uint64  `json:"passes"`
			Total  uint64  `json:"total"`
		}{h, value.Share(), value.Passes, value.Total}, true, nil
	case Counter:
		return struct {
			head
			Count uint64 `json:"count"`
		}{h, uint64(value)}, true, nil
	case Gauge:
		return struct {
			head
			Value float64 `json:"value"`
		}{h, float64(value)}, !value.empty(), nil
	}
	return nil, false, nil
}
