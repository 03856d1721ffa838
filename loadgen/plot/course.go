package plot

import (
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/earshot-audio/earshot/internal/chart"
	"github.com/earshot-audio/earshot/loadgen"
	"github.com/earshot-audio/earshot/loadgen/metric"
	"github.com/earshot-audio/earshot/loadgen/record"
)

// A course is a run over time, for plots.
type course struct {
	series record.Series
	marks  []chart.Mark
	steady []chart.Band
}

// marks are the events and spans of a run, by their numbers in its list of
// events.
func marks(run *loadgen.Result) (all []chart.Mark) {
	for i, m := range Events(run) {
		all = append(all, chart.Mark{X: m.At.Seconds(), Text: fmt.Sprint(i + 1)})
	}
	return all
}

// Events are the marks that the report lists, in the order of time.
func Events(run *loadgen.Result) (all []record.Mark) {
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

func (c course) latency(thresholds []metric.Threshold) chart.Chart {
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

func (c course) cpu(all chart.Limit) chart.Chart {
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
	if all.Y > 0 {
		plot.Limits = []chart.Limit{all}
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
