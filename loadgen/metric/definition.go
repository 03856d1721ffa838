package metric

import (
	"slices"
	"strings"
	"time"
)

// A Kind is how a metric's samples are kept, and so what can be asked of it.
type Kind string

const (
	KindRate    Kind = "rate"    // a share: passes of a total
	KindTrend   Kind = "trend"   // a distribution
	KindCounter Kind = "counter" // a number of events
	KindGauge   Kind = "gauge"   // one figure for the run
)

// A Unit is what a metric's values are expressed in. The empty unit is that of
// plain numbers.
type Unit string

const (
	None         Unit = ""
	Milliseconds Unit = "ms"
	Bytes        Unit = "bytes"
	Cores        Unit = "cores"
	Packets      Unit = "packets"
	Percent      Unit = "%"
)

// InMilliseconds is a duration in [Milliseconds].
func InMilliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// A Definition is what is fixed about a metric.
type Definition struct {
	Name string
	Kind Kind
	Unit Unit
	// Help is one sentence on what is measured, without a full stop.
	Help string
	// Question is what the metric answers, together with others.
	Question Question
	// Hint is what to look at where a threshold on the metric is crossed, without a capital
	// and a full stop.
	Hint string
	// Estimate marks a metric that is derived from a model and not counted.
	Estimate bool
	// OfMics marks a metric of those who publish, and Reported one that rests on what the
	// server reports to have received of them.
	OfMics, Reported bool
	// Parts is which parts of the metric thresholds can select.
	Parts Parts
	// Doubt is what can put its figure in doubt.
	Doubt Doubt
	// Compare is the numbers of the metric that are compared between two versions.
	Compare []Aspect
}

// A Question is what a reader of a report wants to know. Reports have a part for each.
type Question string

const (
	Joining    Question = "Did they get in?"
	Hearing    Question = "Did they hear everything?"
	Delay      Question = "How late was it?"
	Quality    Question = "How did it sound?"
	Moderation Question = "Did the room obey its host?"
	Publishing Question = "Did the mics get through?"
	Cost       Question = "What did the server need?"
	Generator  Question = "Can the figures be trusted?"
)

// Questions lists the questions in the order of a report.
func Questions() []Question {
	return []Question{Joining, Hearing, Delay, Quality, Moderation, Publishing, Cost, Generator}
}

// HigherIsBetter reports whether the metric's higher values are the good ones, so
// that its low percentiles are the interesting ones.
func (d Definition) HigherIsBetter() bool {
	return len(d.Compare) > 0 && d.Compare[0].Stat != Missed && d.Compare[0].Better == Higher
}

// PrometheusName is the metric's name in Prometheus.
func (d Definition) PrometheusName() string { return PrometheusPrefix + d.Name }

// PrometheusPrefix begins the name of every metric in Prometheus.
const PrometheusPrefix = "earshot_"

// A Direction is which values of a figure are the better ones.
type Direction int

const (
	Neither Direction = iota // a figure to know, and never a regression
	Lower
	Higher
)

// An Aspect is one number of a metric and which way it gets better.
type Aspect struct {
	// Stat is the aggregation as thresholds and summaries write it, or [Missed].
	Stat   string
	Better Direction
}

// Missed is what a rate falls short of 1 by. Rates near 1 are compared by it: from
// 99.99 % to 99.9 % is ten times the loss, and hardly a change of the rate.
const Missed = "missed"

// Lookup finds a metric by its name. A name with a selector, or with a window as
// in [Threshold.Source], is of the metric without them.
func Lookup(name string) (Definition, bool) {
	if base, _, selected := strings.Cut(name, "{"); selected {
		name = base
	}
	if base, _, windowed := strings.Cut(name, " over "); windowed {
		name = base
	}
	return lookup(name)
}

func lookup(name string) (Definition, bool) {
	for _, d := range catalogue {
		if d.Name == name {
			return d, true
		}
	}
	return Definition{}, false
}

// Definitions lists every metric in the order in which they are reported. The
// caller owns the slice.
func Definitions() []Definition { return slices.Clone(catalogue[:]) }
