package compare

import (
	"maps"
	"slices"
	"strings"

	"github.com/earshot-audio/earshot/loadgen/metric"
)

// A Direction is which way of a figure is the better one.
type Direction int

const (
	// Neither is better: the figure is shown, and never a regression.
	Neither Direction = iota
	Lower
	Higher
)

// A Figure is one number of a run that is compared.
type Figure struct {
	Metric string // with its selector, if it has one
	Name   string // the aggregation, or "missed": what a rate falls short of 1 by
	Better Direction
	Unit   metric.Unit
	Share  bool // a number from 0 to 1
}

// An aspect is a number of a metric that is worth comparing.
type aspect struct {
	name   string
	better Direction
}

// missed is the share that a rate falls short of 1 by. Rates near 1 are compared
// by it: from 99.99 % to 99.9 % is ten times the loss, and hardly a change of
// the rate.
const missed = "missed"

// aspects are what is compared of each metric of the catalogue.
var aspects = map[string][]aspect{
	"joined":           {{missed, Lower}},
	"join_duration":    {{"med", Lower}, {"p(95)", Lower}},
	"delivered":        {{missed, Lower}},
	"recovered":        {{missed, Lower}},
	"onset_clip":       {{"avg", Lower}, {"p(95)", Lower}},
	"latency":          {{"med", Lower}, {"p(99)", Lower}, {"p(99.9)", Lower}},
	"unrecognised":     {{"rate", Neither}},
	"jitter":           {{"med", Lower}, {"p(99)", Lower}},
	"loss":             {{"avg", Lower}, {"p(99)", Lower}},
	"concealed":        {{"avg", Lower}, {"p(99)", Lower}},
	"gaps_per_minute":  {{"avg", Lower}, {"p(99)", Lower}},
	"audio_gap":        {{"med", Lower}, {"p(99)", Lower}},
	"mos":              {{"avg", Higher}, {"min", Higher}},
	"promote_duration": {{"med", Lower}, {"max", Lower}},
	"mute_silence":     {{"max", Lower}},
	"kick_silence":     {{"max", Lower}},
	"no_shows":         {{"count", Neither}},
	"duplicates":       {{"count", Lower}},
	"out_of_order":     {{"count", Lower}},
	"unauthentic":      {{"count", Lower}},
	"server_cpu":       {{"value", Lower}},
	"server_rss":       {{"value", Lower}},
	"packets_per_core": {{"value", Higher}},
	"generator_lag":    {{"p(99)", Neither}},
	"generator_drops":  {{"count", Neither}},
}

// Figures are what can be compared of the runs, in the order of the catalogue,
// a metric's selected parts after the whole.
func Figures(runs []*Run) (all []Figure) {
	names := map[string]bool{}
	for _, r := range runs {
		for name := range r.metrics {
			names[name] = true
		}
	}
	sorted := slices.Sorted(maps.Keys(names))
	for _, d := range metric.Definitions() {
		for _, name := range sorted {
			if base(name) != d.Name {
				continue
			}
			for _, a := range aspects[d.Name] {
				f := Figure{Metric: name, Name: a.name, Better: a.better, Unit: d.Unit}
				if f.Share = d.Kind == metric.KindRate; f.Share {
					f.Unit = metric.None
				}
				all = append(all, f)
			}
		}
	}
	return all
}

// base is a metric's name without its selector and window.
func base(name string) string {
	name, _, _ = strings.Cut(name, "{")
	name, _, _ = strings.Cut(name, " ")
	return name
}

// of is the figure of a run, if the run has it.
func (f Figure) of(r *Run) (float64, bool) {
	m, ok := r.metrics[f.Metric]
	if !ok {
		return 0, false
	}
	if f.Name != missed {
		return m.number(f.Name)
	}
	passes, ok := m.number("passes")
	total, okay := m.number("total")
	if !ok || !okay || total <= 0 {
		return 0, false
	}
	return (total - passes) / total, true
}
