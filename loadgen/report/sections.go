package report

import (
	"fmt"
	"html/template"
	"slices"
	"strings"

	"github.com/earshot-audio/earshot/internal/chart"
	"github.com/earshot-audio/earshot/loadgen/metric"
	"github.com/earshot-audio/earshot/loadgen/plot"
)

// plotWidth and plotHeight are the proportions of a plot: three fit beside each other on a
// desk's screen, and one on a phone's, with text of nearly the same size.
const plotWidth, plotHeight = 360, 190

// A section is what answers one question: plots, and a table of metrics.
type section struct {
	Question string
	Plots    []template.HTML
	Tables   []metricTable
	Facts    []fact
}

// A metricTable has trends and single figures. Heads name the figures of trends.
type metricTable struct {
	Heads []string
	Rows  []metricRow
}

// A metricRow is a metric or a part of one. A metric of one figure has it in Single.
type metricRow struct {
	Name, Help string
	Part       bool
	// Single is the figure, and Of what a rate is made of.
	Single, Of string
	Cells      []cellText
}

// A cellText is a figure, and what it is.
type cellText struct{ Head, Value string }

// sections are all parts of the page that have something to show, and the metrics for which
// there was nothing.
func (r *Report) sections(live bool) (all []section, without []string, err error) {
	cpus := r.Result.Environment.CPUs
	thresholds := make([]metric.Threshold, len(r.Thresholds))
	for i, t := range r.Thresholds {
		thresholds[i] = t.Threshold
	}
	plots := plot.Of(r.Result, thresholds, chart.Limit{Y: float64(cpus), Text: count(cpus, "CPU")})
	for _, q := range metric.Questions() {
		s := section{Question: string(q)}
		height := float64(plotHeight)
		if slices.ContainsFunc(plots[q], func(c chart.Chart) bool { return len(c.Series) > 5 }) {
			height += 40 // for the lines of its legend; all beside each other have one height
		}
		for _, c := range plots[q] {
			if empty(c) {
				continue
			}
			c.Width, c.Height = plotWidth, height
			svg, err := c.SVG()
			if err != nil {
				return nil, nil, err
			}
			s.Plots = append(s.Plots, template.HTML(svg)) // made by us, and all words in it escaped
		}
		missing := s.tables(r, q)
		without = append(without, missing...)
		if q == metric.Generator && !live {
			s.Facts = r.generator()
		}
		if len(s.Plots)+len(s.Tables)+len(s.Facts) > 0 {
			all = append(all, s)
		}
	}
	return all, without, nil
}

// empty reports whether a plot has nothing to show.
func empty(c chart.Chart) bool {
	return !slices.ContainsFunc(c.Series, func(s chart.Series) bool {
		return slices.ContainsFunc(s.Points, func(p chart.Point) bool { return p.Y == p.Y })
	})
}

var (
	lowerHeads  = []string{"avg", "min", "med", "p(95)", "p(99)", "p(99.9)", "max"}
	higherHeads = []string{"avg", "min", "p(1)", "p(5)", "med", "max"}
)

// tables fills in the metrics of a question: those whose high values are the bad ones, and
// those whose low ones are. It returns the names of those without data.
func (s *section) tables(r *Report, q metric.Question) (without []string) {
	lower, higher := metricTable{Heads: lowerHeads}, metricTable{Heads: higherHeads}
	for _, d := range metric.Definitions() {
		if d.Question != q {
			continue
		}
		table := &lower
		if d.HigherIsBetter() && d.Kind == metric.KindTrend {
			table = &higher
		}
		row, ok := newMetricRow(d, r.Result.Values[d.Name], table.Heads)
		if !ok {
			without = append(without, d.Name)
			row = metricRow{Single: noData}
		}
		row.Name, row.Help = d.Name, d.Help
		if d.Estimate {
			row.Help += " (an estimate)"
		}
		var parts []metricRow
		for _, name := range partsOf(d, r.Result.Values) {
			if part, ok := newMetricRow(d, r.Result.Values[name], table.Heads); ok {
				part.Name, part.Part = strings.TrimPrefix(name, d.Name), true
				parts = append(parts, part)
			}
		}
		if ok || parts != nil {
			table.Rows = append(append(table.Rows, row), parts...)
		}
	}
	for _, t := range []metricTable{lower, higher} {
		if t.Rows != nil {
			s.Tables = append(s.Tables, t)
		}
	}
	return without
}

// newMetricRow is a value's row; false if there is no data.
func newMetricRow(d metric.Definition, v metric.Value, heads []string) (metricRow, bool) {
	t, ok := v.(*metric.Trend)
	if !ok || t == nil {
		if rate, ok := v.(metric.Rate); ok && rate.Total > 0 {
			return metricRow{Single: percent(rate.Share()), Of: thousands(rate.Passes) + " of " + thousands(rate.Total)}, true
		}
		text := valueLine(v, d.Unit)
		return metricRow{Single: text}, text != ""
	}
	if t.Count() == 0 {
		return metricRow{}, false
	}
	var row metricRow
	for _, head := range heads {
		row.Cells = append(row.Cells, cellText{head, statistic(t, head, d.Unit)})
	}
	if n := t.Negative(); n > 0 {
		row.Help = fmt.Sprintf("%s below 0", thousands(n))
	}
	return row, true
}

// statistic is a figure of a trend that has samples, by the name of its aggregation.
func statistic(t *metric.Trend, name string, unit metric.Unit) string {
	s := t.Summary()
	switch name {
	case "avg":
		return figure(s.Avg, unit)
	case "min":
		return figure(s.Min, unit)
	case "max":
		return figure(s.Max, unit)
	case "med":
		return quantile(t, 50, unit)
	}
	var p float64
	_, _ = fmt.Sscanf(name, "p(%g)", &p)
	return quantile(t, p, unit)
}

// quantile is the p-th percentile of a trend that has samples. Where it is beyond the
// histogram's range it says so.
func quantile(t *metric.Trend, p float64, unit metric.Unit) string {
	text := figure(t.Quantile(p), unit)
	if t.BeyondRange(p) {
		return ">" + text
	}
	return text
}
