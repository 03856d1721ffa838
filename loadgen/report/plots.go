package report

import (
	"fmt"
	"math"
	"slices"
	"sort"
	"strings"
	"time"

	"github.com/earshot-audio/earshot/internal/chart"
	"github.com/earshot-audio/earshot/loadgen"
	"github.com/earshot-audio/earshot/loadgen/metric"
	"github.com/earshot-audio/earshot/loadgen/record"
)

// maxParts is how many parts of a metric a plot shows beside the whole.
const maxParts = chart.Tones - 1

// plots are the plots of a run, by the question that they answer.
func (r *Report) plots() map[metric.Question][]chart.Chart {
	run := r.Result
	over := course{run.Series, marks(run), steadySpan(run)}
	return map[metric.Question][]chart.Chart{
		metric.Joining: {over.joins(), joinSteps(run.Values)},
		metric.Hearing: {
			over.delivered(), over.packets(),
			distribution(run.Values, "audio_gap", "Longest gap of each listener", "how many listeners had a longest gap of so much", chart.Milliseconds, 0),
		},
		metric.Delay: {
			over.latency(r.Thresholds), latencyCDF(run.Values, run.Groups),
			distribution(run.Values, "latency_listener", "Latency of each listener, p(99)", "how many listeners had a 99th percentile of so much", chart.Milliseconds, 0),
		},
		metric.Quality: {
			distribution(run.Values, "mos", "Estimated quality of each listener", "how many listeners had an opinion score of so much, from 1 to 4.5; an estimate by the E-model", chart.Number, 4.5),
			distribution(run.Values, "mos_worst", "Estimated quality, worst 10 s of each", "how many listeners had 10 s whose opinion score was as low as so much", chart.Number, 4.5),
		},
		metric.Cost:      {over.cpu(run.Environment.CPUs), over.memory()},
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

// A course is a run over time, for plots.
type course struct {
	series record.Series
	marks  []chart.Mark
	steady []chart.Band
}

// marks are the events and spans of a run, by their numbers in its list of
// events.
func marks(run *loadgen.Result) (all []chart.Mark) {
	for i, m := range events(run) {
		all = append(all, chart.Mark{X: m.At.Seconds(), Text: fmt.Sprint(i + 1)})
	}
	return all
}

// events are the marks that the report lists, in the order of time.
func events(run *loadgen.Result) (all []record.Mark) {
	for _, m := range run.Marks {
		if m.Kind != record.MarkPhase {
			all = append(all, m)
		}
	}
	slices.SortStableFunc(all, func(a, b record.Mark) int { return int(a.At - b.At) })
	return all
}

// steadySpan is the measured window, if it has begun.
func steadySpan(run *loadgen.Result) []chart.Band {
	end := time.Duration(0)
	if n := len(run.Series.Points); n > 0 {
		end = run.Series.Points[n-1].Until
	}
	for i, m := range run.Marks {
		if m.Kind != record.MarkPhase || m.Name != record.Steady {
			continue
		}
		if run.Steady > 0 {
			end = m.At + run.Steady
		}
		for _, next := range run.Marks[i+1:] {
			if next.Kind == record.MarkPhase && next.At > m.At && run.Steady == 0 {
				end = next.At
				break
			}
		}
		if end > m.At {
			return []chart.Band{{From: m.At.Seconds(), To: end.Seconds()}}
		}
	}
	return nil
}

// over is a plot over the run's time.
func (c course) over(title, description string, y chart.Axis, series ...chart.Series) chart.Chart {
	x := chart.Axis{Unit: chart.Seconds, Label: "since the run began"}
	if c.steady != nil {
		x.Label += "; the shaded span is measured"
	}
	if n := len(c.series.Points); n > 0 {
		x.Min, x.Max = 0, max(c.series.Points[n-1].Until.Seconds(), 1)
	}
	return chart.Chart{
		Title: title, Description: description + ", over the time of the run. The shaded span is the measured window.",
		X: x, Y: y, Series: series, Bands: c.steady, Marks: c.marks,
	}
}

// middle is a series of what happened in each interval. A value that is not
// known is NaN.
func (c course) middle(name string, value func(record.Point) float64) chart.Series {
	s := chart.Series{Name: name}
	for _, p := range c.series.Points {
		s.Points = append(s.Points, chart.Point{X: (p.At + p.Until).Seconds() / 2, Y: value(p)})
	}
	return s
}

// end is a series of what there was at the end of each interval.
func (c course) end(name string, value func(record.Point) float64) chart.Series {
	s := chart.Series{Name: name, Points: []chart.Point{{X: 0, Y: 0}}}
	for _, p := range c.series.Points {
		s.Points = append(s.Points, chart.Point{X: p.Until.Seconds(), Y: value(p)})
	}
	return s
}

func (c course) joins() chart.Chart {
	var arrived int
	meant := c.end("meant to have come", func(p record.Point) float64 { arrived += p.Arrivals; return float64(arrived) })
	meant.Dashed, meant.Tone = true, 2
	here := c.end("hearing", func(p record.Point) float64 { return float64(p.Joined - p.Left) })
	here.Style, here.Tone = chart.Area, 1
	return c.over("Arrivals and joins", "How many listeners the scenario meant to have come, and how many had heard something and had not left",
		chart.Axis{}, here, meant)
}

func (c course) delivered() chart.Chart {
	least := 0.99
	s := c.middle("", func(p record.Point) float64 {
		if p.Delivered.Total == 0 {
			return math.NaN()
		}
		least = min(least, p.Delivered.Share())
		return p.Delivered.Share()
	})
	s.Tone = 3
	return c.over("Delivered", "The share of the packets sent in each interval that reached the listeners they were owed to",
		chart.Axis{Unit: chart.Share, Min: max(0, math.Floor(least*100)/100), Max: 1}, s)
}

func (c course) latency(thresholds []Judgement) chart.Chart {
	quantile := func(q float64) func(record.Point) float64 {
		return func(p record.Point) float64 {
			if p.Latency == nil || p.Latency.Count() == 0 {
				return math.NaN()
			}
			return p.Latency.Quantile(q)
		}
	}
	p := c.over("Latency", "Percentiles of the one-way latency of the packets sent in each interval",
		chart.Axis{Unit: chart.Milliseconds}, c.middle("p(50)", quantile(50)), c.middle("p(95)", quantile(95)), c.middle("p(99)", quantile(99)))
	for _, t := range thresholds {
		if t.Metric == "latency" && (t.Aggregation == metric.AggregatePercentile || t.Aggregation == metric.AggregateMed) {
			p.Limits = append(p.Limits, chart.Limit{Y: t.Limit, Text: t.Expression})
		}
	}
	return p
}

func (c course) packets() chart.Chart {
	rate := func(n uint64, p record.Point) float64 {
		if p.Until <= p.At {
			return math.NaN()
		}
		return float64(n) / (p.Until - p.At).Seconds()
	}
	owed := c.middle("owed", func(p record.Point) float64 { return rate(p.Delivered.Total, p) })
	owed.Dashed, owed.Tone = true, 2
	heard := c.middle("received", func(p record.Point) float64 { return rate(p.Delivered.Passes, p) })
	heard.Style, heard.Tone = chart.Area, 1
	return c.over("Packets a second", "How many media packets listeners were owed, and received, a second", chart.Axis{}, heard, owed)
}

// known is a series of what may not be known; nil if it is not known anywhere.
func (c course) known(name string, tone int, value func(record.Point) (float64, bool)) []chart.Series {
	found := false
	s := c.middle(name, func(p record.Point) float64 {
		v, ok := value(p)
		if found = found || ok; !ok {
			return math.NaN()
		}
		return v
	})
	if s.Tone = tone; !found {
		return nil
	}
	return []chart.Series{s}
}

func (c course) cpu(cpus int) chart.Chart {
	cores := func(of func(record.Point) *float64) func(record.Point) (float64, bool) {
		return func(p record.Point) (float64, bool) {
			if v := of(p); v != nil {
				return *v, true
			}
			return 0, false
		}
	}
	server := c.known("server", 1, cores(func(p record.Point) *float64 { return p.ServerCPU }))
	own := c.known("generator", 2, cores(func(p record.Point) *float64 { return p.GeneratorCPU }))
	plot := c.over("CPU, in cores", "Cores used by the server's process and by the load generator's", chart.Axis{}, append(server, own...)...)
	if cpus > 0 {
		plot.Limits = []chart.Limit{{Y: float64(cpus), Text: count(cpus, "CPU")}}
	}
	return plot
}

func (c course) memory() chart.Chart {
	bytes := func(of func(record.Point) uint64) func(record.Point) (float64, bool) {
		return func(p record.Point) (float64, bool) { return float64(of(p)), of(p) > 0 }
	}
	server := c.known("server", 1, bytes(func(p record.Point) uint64 { return p.ServerRSS }))
	own := c.known("generator", 2, bytes(func(p record.Point) uint64 { return p.GeneratorRSS }))
	return c.over("Memory", "Resident memory of the server's process and of the load generator's", chart.Axis{Unit: chart.Bytes}, append(server, own...)...)
}

// lag is how late the generator was; without series if it never sent.
func (c course) lag() chart.Chart {
	late := c.known("", 2, func(p record.Point) (float64, bool) {
		return metric.InMilliseconds(p.SendLag), p.SendLag > 0
	})
	return c.over("Generator's own lateness", "How late the latest frame of each interval was sent by the load generator itself",
		chart.Axis{Unit: chart.Milliseconds}, late...)
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
		upTo := atMost(t, low+width*float64(i+1))
		if i == bins-1 {
			upTo = t.Count()
		}
		s.Points = append(s.Points, chart.Point{X: low + width*(float64(i)+0.5), Y: float64(upTo - before)})
		before = upTo
	}
	p.Series = []chart.Series{s}
	return p
}

// atMost is how many samples of a trend are no greater than v.
func atMost(t *metric.Trend, v float64) uint64 {
	n := int(t.Count())
	return uint64(sort.Search(n, func(i int) bool { return t.Quantile(100*float64(i+1)/float64(n)) > v }))
}
