package plot

import (
	"math"
	"slices"
	"sort"
	"strings"

	"github.com/earshot-audio/earshot/internal/chart"
	"github.com/earshot-audio/earshot/loadgen"
	"github.com/earshot-audio/earshot/loadgen/metric"
	"github.com/earshot-audio/earshot/loadgen/record"
)

// maxParts is how many parts of a metric a plot shows beside the whole.
const maxParts = chart.Tones - 1

// Of returns the plots of a run, by the question that they answer. Thresholds of the latency are lines in its
// plot, and cores, which is that of all cores of the machine, in that of the CPU; 0 is none.
func Of(run *loadgen.Result, thresholds []metric.Threshold, cores chart.Limit) map[metric.Question][]chart.Chart {
	over := course{run.Series, marks(run), steadySpan(run)}
	return map[metric.Question][]chart.Chart{
		metric.Joining: {over.joins(), joinSteps(run.Values)},
		metric.Hearing: {
			over.delivered(), over.packets(),
			distribution(run.Values, "audio_gap", "Longest gap of each listener", "how many listeners had a longest gap of so much", chart.Milliseconds, 0),
		},
		metric.Delay: {
			over.latency(thresholds), latencyCDF(run.Values, run.Groups),
			distribution(run.Values, "latency_listener", "Latency of each listener, p(99)", "how many listeners had a 99th percentile of so much", chart.Milliseconds, 0),
		},
		metric.Quality: {
			distribution(run.Values, "mos", "Estimated quality of each listener", "how many listeners had an opinion score of so much, from 1 to 4.5; an estimate by the E-model", chart.Number, 4.5),
			distribution(run.Values, "mos_worst", "Estimated quality, worst 10 s of each", "how many listeners had 10 s whose opinion score was as low as so much", chart.Number, 4.5),
		},
		metric.Cost:      {over.cpu(cores), over.memory()},
		metric.Generator: {over.lag()},
	}
}

// joinSteps is what a join's time went to.
func joinSteps(values metric.Values) chart.Chart {
	figures := []string{"average", "median", "p(95)", "p(99)"}
	p := chart.Chart{
		Title: "Joins, step by step",
		Description: "How long each step of a join took. The averages add up to the average join; the percentiles are each step's own, " +
			"and are stacked to show which step is slow.",
		X: chart.Axis{Names: figures, Min: -0.5, Max: float64(len(figures)) - 0.5}, Y: chart.Axis{Unit: chart.Milliseconds},
	}
	var joins uint64
	for _, step := range metric.JoinSteps {
		if t := stepOf(values, step); t != nil {
			joins = max(joins, t.Count())
		}
	}
	for i, step := range metric.JoinSteps {
		t := stepOf(values, step)
		if t == nil {
			continue
		}
		s := t.Summary()
		series := chart.Series{Name: strings.ReplaceAll(step, "_", " "), Style: chart.Stack, Tone: i + 1}
		for x, v := range []float64{s.Avg * float64(s.Count) / float64(joins), s.Med, s.P95, s.P99} {
			series.Points = append(series.Points, chart.Point{X: float64(x), Y: max(0, v)})
		}
		p.Series = append(p.Series, series)
	}
	return p
}

// stepOf is the trend of a step of joins; nil if it has no samples.
func stepOf(values metric.Values, step string) *metric.Trend {
	t, _ := values["join_step"+metric.Selector{Step: step}.String()].(*metric.Trend)
	if t == nil || t.Count() == 0 {
		return nil
	}
	return t
}

// latencyCDF is the distribution of the latency, and of its parts or by network if there
// are any.
func latencyCDF(values metric.Values, groups []record.Group) chart.Chart {
	p := chart.Chart{
		Title: "Latency, cumulative", Description: "The share of packets that were no later than so much. Every nine has the same height: 90 %, 99 %, 99.9 %.",
		X: chart.Axis{Unit: chart.Milliseconds, Scale: chart.Log}, Y: chart.Axis{Unit: chart.Share, Scale: chart.Tail},
	}
	add := func(label string, t *metric.Trend) {
		if t == nil || t.Count() == 0 || len(p.Series) > maxParts {
			return
		}
		s := chart.Series{Name: label}
		for _, share := range shares(t.Count()) {
			s.Points = append(s.Points, chart.Point{X: t.Quantile(100 * share), Y: share})
		}
		p.Series = append(p.Series, s)
	}
	for _, name := range parts(values, "latency") {
		label := "all"
		if name != "latency" {
			label = strings.TrimSuffix(strings.TrimPrefix(name, "latency{"), "}")
		}
		add(label, values[name].(*metric.Trend))
	}
	for _, g := range groups {
		name := g.Name
		if g.By != "network" || slices.ContainsFunc(p.Series, func(s chart.Series) bool { return s.Name == "network:"+name }) {
			continue
		}
		if name == "" {
			name = "no network"
		}
		t, _ := g.Values["latency"].(*metric.Trend)
		add(name, t)
	}
	if len(p.Series) == 1 {
		p.Series[0].Name = ""
	}
	return p
}

// parts are the names of a trend and its parts that have samples, the whole
// first.
func parts(values metric.Values, whole string) (names []string) {
	for name, v := range values {
		t, ok := v.(*metric.Trend)
		if ok && t != nil && t.Count() > 0 && (name == whole || strings.HasPrefix(name, whole+"{")) && !strings.Contains(name, " over ") {
			names = append(names, name)
		}
	}
	sort.Strings(names) // the whole is the shortest
	return names[:min(len(names), maxParts+1)]
}

// shares are those of so many samples that a cumulative plot shows, each nine in
// 20 steps, and as far as there are samples for it.
func shares(samples uint64) (all []float64) {
	for step := 0; ; step++ {
		share := 1 - math.Pow(10, -float64(step)/20)
		if float64(samples)*(1-share) < 1 || share > 0.999999 {
			return all
		}
		all = append(all, share)
	}
}

// bins is how many bars a distribution has.
const bins = 30

// distribution is a histogram of a trend over listeners. It ends at top, or with
// the greatest value if that is 0.
func distribution(values metric.Values, name, title, description string, unit chart.Unit, top float64) chart.Chart {
	p := chart.Chart{Title: title, Description: "A histogram: " + description + ".", X: chart.Axis{Unit: unit}, Y: chart.Axis{Label: "listeners"}}
	t, ok := values[name].(*metric.Trend)
	if !ok || t == nil || t.Count() == 0 {
		return p
	}
	low, high := t.Quantile(0), t.Quantile(100)*1.05
	if last := 100 * float64(t.Count()-1) / float64(t.Count()); t.BeyondRange(last) {
		high = t.Quantile(last)
		p.Description = "A histogram: " + description + "; the last bar has all that were more, too."
	}
	if top != 0 {
		low, high = min(1, low), top
	} else if low = 0; high == 0 {
		high = 1
	}
	p.X.Min, p.X.Max = low, high
	width := (high - low) / bins
	s := chart.Series{Style: chart.Bars, Tone: 5}
	before := uint64(0)
	for i := range bins {
		upTo := t.AtMost(low + width*float64(i+1))
		if i == bins-1 {
			upTo = t.Count()
		}
		s.Points = append(s.Points, chart.Point{X: low + width*(float64(i)+0.5), Y: float64(upTo - before)})
		before = upTo
	}
	p.Series = []chart.Series{s}
	return p
}
