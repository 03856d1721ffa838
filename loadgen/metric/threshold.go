package metric

import (
	"fmt"
	"strconv"
	"time"
)

// An Aggregation makes one figure of a metric's samples.
type Aggregation string

const (
	AggregateCount      Aggregation = "count"
	AggregateRate       Aggregation = "rate"
	AggregateValue      Aggregation = "value"
	AggregateAvg        Aggregation = "avg"
	AggregateMin        Aggregation = "min"
	AggregateMed        Aggregation = "med"
	AggregateMax        Aggregation = "max"
	AggregatePercentile Aggregation = "p" // written p(N)
)

// aggregations is what can be asked of each kind; the package's documentation
// has the same table.
var aggregations = map[Kind][]Aggregation{
	KindRate:    {AggregateRate, AggregateCount},
	KindTrend:   {AggregateAvg, AggregateMin, AggregateMed, AggregateMax, AggregatePercentile, AggregateCount},
	KindCounter: {AggregateCount},
	KindGauge:   {AggregateValue},
}

// An Operator compares a figure with a limit.
type Operator string

const (
	Less         Operator = "<"
	LessEqual    Operator = "<="
	Greater      Operator = ">"
	GreaterEqual Operator = ">="
	Equal        Operator = "=="
	NotEqual     Operator = "!="
)

// A Threshold is a condition on one metric. [ParseThreshold] makes it.
type Threshold struct {
	// Metric is the metric's name with its selector, and Expression the condition
	// as it was written, without the space around it.
	Metric, Expression string
	// Selector is what the metric's name selects.
	Selector Selector

	Aggregation Aggregation
	Percentile  float64 // N of p(N), from 0 to 100
	Operator    Operator
	Limit       float64 // in the metric's unit, or a plain number for rate and count

	// Over is the length of the window that slides over the run; the condition
	// has to hold in each. 0 is none: it is on the whole.
	Over time.Duration
	// AbortOnFail ends the run as soon as the threshold is crossed, but not
	// before Delay after the beginning of the arrivals.
	AbortOnFail bool
	Delay       time.Duration
}

// A Result is the outcome of a threshold.
type Result struct {
	// OK is whether the threshold holds, or nil if there was no data or it is
	// undecided.
	OK *bool
	// Value is the figure that was compared, in the metric's unit; nil if there
	// was no data. Where the figure is in doubt it is the worst case.
	Value *float64
	// Best is the figure's best case, or nil if the figure is not in doubt.
	Best *float64
	// Undecided is set where the threshold holds at one end of the doubt and not
	// at the other.
	Undecided bool
	// BeyondRange is set where Value is a quantile of which only the bounds are known:
	// see [Trend.QuantileBounds].
	BeyondRange bool
	// Reason says why there is no Value; it is empty if there is one.
	Reason string
	// From and Until are the window that did worst, since the run began; 0 if
	// the threshold is over no window.
	From, Until time.Duration
}

// Aborting returns a copy of the threshold that ends the run as soon as it is
// crossed, but not before the delay. It returns an error if it can't be known
// before the end whether the threshold is crossed.
func (t Threshold) Aborting(delay time.Duration) (Threshold, error) {
	d, _ := Lookup(t.Metric)
	rises := t.Aggregation == AggregateCount && t.Over == 0
	switch {
	case !d.Parts.Live:
		return t, fmt.Errorf("abort_on_fail: %s is known at the end of a run; before it there are %s", d.Name, d.having(func(p Parts) bool { return p.Live }))
	case rises && t.Operator != Less && t.Operator != LessEqual && !(t.Operator == Equal && t.Limit == 0):
		return t, fmt.Errorf("abort_on_fail: a count only rises, so that %q is known at the end of a run", t.Expression)
	case delay < 0:
		return t, fmt.Errorf("abort_on_fail: a delay of %s", delay)
	}
	t.AbortOnFail, t.Delay = true, delay
	return t, nil
}

// Source is the name under which [Values] has what the threshold is on: the
// metric with its selector, and for a threshold over a window its length,
// as in "delivered{phase:steady} over 10s".
func (t Threshold) Source() string {
	if t.Over == 0 {
		return t.Metric
	}
	return t.Metric + " over " + t.Over.String()
}

// Evaluate compares the metric's value with the limit. A metric that is missing
// from v, a rate or trend without samples (whatever is asked of it, their count
// included) and a figure that is not finite are no data. Over a window, the
// worst one counts; one in which packets were owed and nothing came does not
// hold, and has no value.
func (t Threshold) Evaluate(v Values) Result { return t.EvaluateBetween(v, nil) }

// A side is an end of what a figure can be.
type side int

const (
	worstCase side = iota
	bestCase
)

// judge compares one end of a value of the metric's kind with the limit.
func (t Threshold) judge(value Value, at side) Result {
	if value.empty() {
		return Result{Reason: fmt.Sprintf("%s has no samples", t.Metric)}
	}
	figure, beyond, ok := t.aggregate(value, at)
	if !ok {
		return Result{Reason: fmt.Sprintf("a %s has no %s", value.Kind(), t.Aggregation)}
	}
	if Gauge(figure).empty() {
		return Result{Reason: fmt.Sprintf("%s has no figure for %s", t.Metric, t.aggregationName())}
	}
	holds := t.Operator.holds(figure, t.Limit)
	return Result{OK: &holds, Value: &figure, BeyondRange: beyond}
}

// aggregate returns the figure at one end, and whether it is a quantile beyond the range.
func (t Threshold) aggregate(value Value, at side) (figure float64, beyond, ok bool) {
	switch value := value.(type) {
	case Rate:
		switch t.Aggregation {
		case AggregateRate:
			return value.Share(), false, true
		case AggregateCount:
			return float64(value.Total), false, true
		}
	case Counter:
		return float64(value), false, t.Aggregation == AggregateCount
	case Gauge:
		return float64(value), false, t.Aggregation == AggregateValue
	case *Trend:
		switch t.Aggregation {
		case AggregateMed:
			figure, beyond = t.quantile(value, 50, at)
			return figure, beyond, true
		case AggregatePercentile:
			figure, beyond = t.quantile(value, t.Percentile, at)
			return figure, beyond, true
		}
		figure, ok = t.aggregateTrend(value)
		return figure, false, ok
	}
	return 0, false, false
}

// quantile is the end of a percentile: the worse one is the greater, except of a metric of
// which higher values are better.
func (t Threshold) quantile(trend *Trend, p float64, at side) (figure float64, beyond bool) {
	least, most := trend.QuantileBounds(p)
	d, _ := Lookup(t.Metric)
	if (at == worstCase) == d.HigherIsBetter() {
		return least, least < most
	}
	return most, least < most
}

func (t Threshold) aggregateTrend(trend *Trend) (float64, bool) {
	switch t.Aggregation {
	case AggregateCount:
		return float64(trend.count), true
	case AggregateAvg:
		return trend.average(), true
	case AggregateMin:
		return trend.min, true
	case AggregateMax:
		return trend.max, true
	}
	return 0, false
}

func (o Operator) holds(figure, limit float64) bool {
	switch o {
	case Less:
		return figure < limit
	case LessEqual:
		return figure <= limit
	case Greater:
		return figure > limit
	case GreaterEqual:
		return figure >= limit
	case Equal:
		return figure == limit
	case NotEqual:
		return figure != limit
	}
	return false
}

// aggregationName is the aggregation as it is written.
func (t Threshold) aggregationName() string {
	if t.Aggregation == AggregatePercentile {
		return "p(" + strconv.FormatFloat(t.Percentile, 'f', -1, 64) + ")"
	}
	return string(t.Aggregation)
}

// LimitUnit is the unit of Limit and of a result's Value: the metric's own,
// except for a rate and a count, which are plain numbers.
func (t Threshold) LimitUnit() Unit {
	d, ok := Lookup(t.Metric)
	if !ok || t.Aggregation == AggregateCount || t.Aggregation == AggregateRate {
		return None
	}
	return d.Unit
}

// String is the threshold in one canonical spelling, "metric: expression",
// which [ParseThreshold] reads as an equal threshold.
func (t Threshold) String() string {
	unit := ""
	switch t.LimitUnit() {
	case Milliseconds:
		unit = "ms"
	case Bytes:
		unit = "B"
	case Percent:
		unit = "%"
	}
	limit := strconv.FormatFloat(t.Limit, 'f', -1, 64)
	over := ""
	if t.Over > 0 {
		over = " over " + t.Over.String()
	}
	return fmt.Sprintf("%s: %s %s %s%s%s", t.Metric, t.aggregationName(), t.Operator, limit, unit, over)
}
