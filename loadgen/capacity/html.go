package capacity

import (
	"cmp"
	_ "embed" // for the page
	"fmt"
	"html/template"
	"io"
	"math"
	"slices"

	"github.com/earshot-audio/earshot/internal/chart"
	"github.com/earshot-audio/earshot/loadgen/figure"
	"github.com/earshot-audio/earshot/loadgen/metric"
	"github.com/earshot-audio/earshot/loadgen/report"
)

//go:embed page.tmpl
var pageTemplate string

// A page is what the template shows.
type page struct {
	Title, What, Conclusion, Tone string
	Crossed, RanOut               []string
	Tries                         string
	Plots                         []template.HTML
	Heads                         []string
	Rows                          [][]string
	Style                         template.CSS
}

// WriteHTML writes the result with its curves as one page that loads nothing.
func (r *Result) WriteHTML(w io.Writer, a About) error {
	t, err := template.New("page").Parse(pageTemplate)
	if err != nil {
		return fmt.Errorf("the capacity's page: %w", err)
	}
	p := page{
		Title:      "Capacity of " + a.Target,
		What:       fmt.Sprintf("%s from %d to %d, of %q", a.Vary.Unit(), r.Plan.From, r.Plan.To, a.Scenario),
		Conclusion: r.conclusion(a), Style: template.CSS(report.Style()), // a constant of ours
		Tone:   map[report.Verdict]string{report.Pass: "good", report.Fail: "bad", report.Invalid: "doubt"}[r.Verdict()],
		RanOut: r.RanOut(), Tries: r.triesText(),
	}
	if beyond, ok := r.at(r.Beyond); ok {
		p.Crossed = beyond.Crossed()
	}
	for _, c := range r.curves(a) {
		svg, err := c.SVG()
		if err != nil {
			return err
		}
		p.Plots = append(p.Plots, template.HTML(svg)) // made by chart, which escapes all text
	}
	p.Heads, p.Rows = r.table(a)
	return t.Execute(w, p)
}

// curves are the figures against the load: a line through the medians of each load, and
// a dot for every try if a load was played more than once.
func (r *Result) curves(a About) (all []chart.Chart) {
	for _, plot := range []struct {
		title, description string
		unit               chart.Unit
		factor             float64 // from the metric's unit to the chart's
		limits             string  // metric whose limits are drawn
		series             []string
	}{
		{"Latency", "Latency of every packet", chart.Milliseconds, 1, "latency", []string{"latency p(50)", "latency p(95)", "latency p(99)"}},
		{"Delivered", "The share of packets that were received", chart.Share, 1, "delivered", []string{"delivered", "joined"}},
		{"Joining", "From the intended start of a join to the first packet", chart.Milliseconds, 1, "join_duration", []string{"join_duration p(50)", "join_duration p(95)"}},
		{"CPU", "Cores that the server and the generator used", chart.Number, 1, "server_cpu", []string{"server_cpu", generatorCPU}},
		{"Memory", "Resident memory of the server", chart.Bytes, 1, "server_rss", []string{"server_rss"}},
		{"Packets a core", "Packets that listeners received for each core-second of the server", chart.Number, 1, "packets_per_core", []string{"packets_per_core"}},
	} {
		c := chart.Chart{
			Title: plot.title, Description: fmt.Sprintf("%s, against %s.", plot.description, a.Vary.Unit()),
			X: chart.Axis{Label: a.Vary.Unit(), Unit: chart.Number}, Y: chart.Axis{Unit: plot.unit, Fit: plot.unit == chart.Share},
		}
		for i, name := range plot.series {
			points := r.points(name, plot.factor)
			if len(points) == 0 {
				continue
			}
			medians := medians(points)
			c.Series = append(c.Series, chart.Series{Name: name, Tone: i + 1, Points: medians})
			if len(points) > len(medians) {
				c.Series = append(c.Series, chart.Series{Style: chart.Dots, Tone: i + 1, Points: points})
			}
		}
		for _, t := range a.Until {
			if t.Metric == plot.limits && t.Aggregation != metric.AggregateCount {
				c.Limits = append(c.Limits, chart.Limit{Y: t.Limit * plot.factor, Text: t.Expression})
			}
		}
		if r.Largest > 0 {
			c.Marks = append(c.Marks, chart.Mark{X: float64(r.Largest), Text: "largest"})
		}
		if len(c.Series) > 0 {
			all = append(all, c)
		}
	}
	return all
}

// generatorCPU is a figure beside those of the metrics.
const generatorCPU = "generator CPU"

// points are a figure of all tries against the load.
func (r *Result) points(name string, factor float64) (points []chart.Point) {
	for _, s := range r.Curve() {
		v, ok := 0.0, false
		if name == generatorCPU {
			if ok = s.Report != nil; ok {
				v = s.Report.Result.Generator.CPU
			}
		} else if f := figure.ByName(name); len(f) == 1 {
			v, ok = f[0].Of(s.source())
		}
		if ok && !math.IsNaN(v) {
			points = append(points, chart.Point{X: float64(s.Load), Y: v * factor})
		}
	}
	return points
}

// medians are the points with the median of the points of each X.
func medians(points []chart.Point) (all []chart.Point) {
	for len(points) > 0 {
		n := 1
		for n < len(points) && points[n].X == points[0].X {
			n++
		}
		same := slices.SortedFunc(slices.Values(points[:n]), func(a, b chart.Point) int { return cmp.Compare(a.Y, b.Y) })
		all = append(all, chart.Point{X: same[0].X, Y: (same[(n-1)/2].Y + same[n/2].Y) / 2})
		points = points[n:]
	}
	return all
}
