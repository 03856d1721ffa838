package figure

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/earshot-audio/earshot/loadgen/metric"
	"github.com/earshot-audio/earshot/loadgen/report"
)

// A Figure is one number of a run.
type Figure struct {
	Metric string // with its selector, if it has one
	Stat   string // an aggregation, as in thresholds, or [metric.Missed]
	Unit   metric.Unit
	Share  bool // a number from 0 to 1
	Better metric.Direction
}

// A Source is the figures of one run by metric and aggregation. Its numbers are in
// the metric's unit.
type Source interface {
	// Number returns false if the run did not measure it.
	Number(metric, stat string) (float64, bool)
}

// Name is how people and JSON call the figure: "latency p(99)", and the metric
// alone where there is one number only or the rate is meant.
func (f Figure) Name() string {
	switch f.Stat {
	case "rate", "count", "value":
		return f.Metric
	}
	return f.Metric + " " + f.Stat
}

// Of is the figure of a run; false if the run has none. A nil source has none.
func (f Figure) Of(run Source) (float64, bool) {
	if run == nil {
		return 0, false
	}
	if f.Stat != metric.Missed {
		return run.Number(f.Metric, f.Stat)
	}
	passes, ok := run.Number(f.Metric, "passes")
	total, okay := run.Number(f.Metric, "total")
	if !ok || !okay || total <= 0 {
		return 0, false
	}
	return (total - passes) / total, true
}

// Format writes a value of the figure for people. Cores have no unit: the metric's
// name has it.
func (f Figure) Format(v float64) string {
	switch {
	case f.Stat == metric.Missed && v > 0 && v < 0.0001:
		return fmt.Sprintf("%.3gppm", v*1e6)
	case f.Stat == metric.Missed:
		return strconv.FormatFloat(v*100, 'g', 4, 64) + "%"
	case f.Share:
		return report.Percent(v)
	case f.Unit == metric.Cores:
		return strconv.FormatFloat(v, 'f', 2, 64)
	}
	return report.Figure(v, f.Unit)
}

func newFigure(name string, d metric.Definition, stat string, better metric.Direction) Figure {
	f := Figure{Metric: name, Stat: stat, Unit: d.Unit, Better: better}
	if f.Share = d.Kind == metric.KindRate; f.Share {
		f.Unit = metric.None
	}
	return f
}

// stats is what is shown of each kind of metric.
var stats = map[metric.Kind][]string{
	metric.KindRate:    {"rate"},
	metric.KindCounter: {"count"},
	metric.KindGauge:   {"value"},
	metric.KindTrend:   {"p(50)", "p(95)", "p(99)"},
}

// All is what is shown of every metric of the catalogue, in its order.
func All() (all []Figure) {
	for _, d := range metric.Definitions() {
		for _, stat := range stats[d.Kind] {
			all = append(all, newFigure(d.Name, d, stat, metric.Neither))
		}
	}
	return all
}

// ByName finds figures of [All], in the order of the names. It leaves out names
// that are no figure's.
func ByName(names ...string) (some []Figure) {
	all := All()
	for _, name := range names {
		if i := slices.IndexFunc(all, func(f Figure) bool { return f.Name() == name }); i >= 0 {
			some = append(some, all[i])
		}
	}
	return some
}

// Compared is what can be compared of metrics with these names, in the order of
// the catalogue, the selected parts of a metric after the whole.
func Compared(metrics map[string]bool) (all []Figure) {
	sorted := slices.Sorted(maps.Keys(metrics))
	for _, d := range metric.Definitions() {
		for _, name := range sorted {
			if withoutSelector(name) != d.Name {
				continue
			}
			for _, a := range d.Compare {
				all = append(all, newFigure(name, d, a.Stat, a.Better))
			}
		}
	}
	return all
}

// withoutSelector is a metric's name without its selector and window.
func withoutSelector(name string) string {
	name, _, _ = strings.Cut(name, "{")
	name, _, _ = strings.Cut(name, " ")
	return name
}

// Numbers are all figures of [All] that a run has, by their names.
func Numbers(run Source) map[string]float64 {
	numbers := map[string]float64{}
	for _, f := range All() {
		if v, ok := f.Of(run); ok {
			numbers[f.Name()] = v
		}
	}
	return numbers
}
