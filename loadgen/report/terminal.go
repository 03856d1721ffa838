package report

import (
	"bytes"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/earshot-audio/earshot/loadgen/metric"
)

const (
	// narrowest and widest are the widths that a report is fitted to.
	narrowest, widest = 20, 200
	// together is a space at which no line is broken.
	together = "\u00a0"
)

// A Terminal is what a report is printed on. The zero value is a file.
type Terminal struct {
	// Width is its number of columns; 0 is no limit.
	Width  int
	Colour bool
	// Full is whether every metric is shown, and not the main ones alone.
	Full bool
}

// WriteTerminal writes the report for people: thresholds, the main metrics in a grid, what
// went wrong, and last the verdict and its reason.
func (r *Report) WriteTerminal(w io.Writer, t Terminal) error {
	if t.Width != 0 {
		t.Width = min(max(t.Width, narrowest), widest)
	}
	var b bytes.Buffer
	r.writeHead(&b)
	r.writeThresholds(&b)
	if t.Full {
		r.writeMetrics(&b)
		r.writeAborted(&b)
		r.writeGenerator(&b)
	} else {
		r.writeGrid(&b, t.Width)
		r.writeAborted(&b)
		g := r.Result.Generator
		fmt.Fprintf(&b, "\n  generator CPU %.2f of %s, waiting %.2f\n", g.CPU, strings.ReplaceAll(count(g.CPUs, "core"), " ", together), g.CPUWait)
	}
	r.writeWorkers(&b)
	r.writeProblems(&b)
	b.WriteString("\n")
	b.WriteString(r.verdictText())
	_, err := io.WriteString(w, t.fit(b.String()))
	return err
}

// WriteTerminalVerdict writes the verdict alone, with its reasons.
func (r *Report) WriteTerminalVerdict(w io.Writer, t Terminal) error {
	_, err := io.WriteString(w, t.fit(r.verdictText()))
	return err
}

// fit breaks lines that are too long, and colours them.
func (t Terminal) fit(text string) string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		for _, part := range wrap(strings.TrimSuffix(line, "\n"), t.Width) {
			part = strings.ReplaceAll(part, together, " ")
			if t.Colour {
				part = coloured(part)
			}
			b.WriteString(part + "\n")
		}
	}
	return b.String()
}

// wrap breaks a line at spaces; what follows is indented by two more than it is. A word
// that is wider than all is cut: between the two ends of an interval if it is one.
func wrap(line string, width int) (lines []string) {
	if width == 0 || utf8.RuneCountInString(line) <= width {
		return []string{line}
	}
	indent := len(line) - len(strings.TrimLeft(line, " "))
	now, empty := line[:indent], true
	next := strings.Repeat(" ", min(indent+2, width/2))
	for _, word := range strings.Split(line[indent:], " ") { // not at what holds together
		if !empty && utf8.RuneCountInString(now)+1+utf8.RuneCountInString(word) > width {
			lines = append(lines, strings.TrimRight(now, " "))
			now, empty = next, true
		}
		if empty && word == "" {
			continue
		}
		if !empty {
			now += " "
		}
		now, empty = now+word, false
		for utf8.RuneCountInString(now) > width {
			runes := []rune(now)
			at := width
			if end := slices.Index(runes[:width], '…') + 1; end > 0 {
				at = end
			}
			lines = append(lines, string(runes[:at]))
			now = next + string(runes[at:])
		}
	}
	return append(lines, now)
}

// coloured is a line with the colour of the sign that it begins with.
func coloured(line string) string {
	text := strings.TrimLeft(line, " ")
	indent := line[:len(line)-len(text)]
	sign, rest, _ := strings.Cut(text, " ")
	code := map[string]string{"✓": "32", "✗": "31", "?": "33"}[sign]
	switch {
	case code != "" && indent == "": // the verdict
		word, rest, more := strings.Cut(rest, " ")
		line = "\x1b[1;" + code + "m" + sign + " " + word + "\x1b[0m"
		if more {
			line += " " + rest
		}
		return line
	case code != "":
		return indent + "\x1b[" + code + "m" + sign + "\x1b[0m " + rest
	case indent == "  " && text == strings.ToUpper(text) && strings.Trim(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") == "" && text != "":
		return indent + "\x1b[1m" + text + "\x1b[0m"
	}
	return line
}

// details are the metrics that the short report leaves out, unless a threshold is on them.
var details = []string{"join_step", "latency_listener", "rtt", "unrecognised", "loss", "concealed", "gaps_per_minute", "frozen_time", "mos_worst", "generator_lag"}

// writeGrid writes the main metrics: those of one figure, and then the trends, each in one
// unit.
func (r *Report) writeGrid(b *bytes.Buffer, width int) {
	b.WriteString("\n  RESULTS\n\n")
	var single [][]string
	var lower, higher []trendRow
	for _, d := range metric.Definitions() {
		v := r.Result.Values[d.Name]
		asked := slices.ContainsFunc(r.Thresholds, func(t Judgement) bool { return t.Metric == d.Name })
		if !asked && (slices.Contains(details, d.Name) && !foreign(d.Name, v) || isZero(v)) {
			continue
		}
		switch v := v.(type) {
		case *metric.Trend:
			if v.Count() == 0 {
				continue
			}
			row := newTrendRow(d, v)
			if d.HigherIsBetter() {
				higher = append(higher, row)
			} else {
				lower = append(lower, row)
			}
		case metric.Rate:
			if v.Total > 0 {
				single = append(single, []string{d.Name, percent(v.Share()), thousands(v.Passes) + together + "of" + together + thousands(v.Total)})
			}
		case metric.Counter, metric.Gauge:
			single = append(single, []string{d.Name, strings.ReplaceAll(valueLine(v, d.Unit), " ", together), ""})
		}
	}
	names, units := 0, 0
	for _, row := range single {
		names = max(names, len(row[0]))
	}
	for _, row := range append(slices.Clone(lower), higher...) {
		names, units = max(names, len(row.name)), max(units, utf8.RuneCountInString(row.unit))
	}
	for _, row := range single {
		line := strings.TrimRight(fmt.Sprintf("    %-*s  %-8s %s", names, row[0], row[1], row[2]), " ")
		b.WriteString(line + "\n")
	}
	writeTrends(b, names, units, width, []string{"med", "p(95)", "p(99)", "max"}, lower)
	writeTrends(b, names, units, width, []string{"med", "p(5)", "p(1)", "min"}, higher)
	if text := r.nothingLost(); text != "" {
		fmt.Fprintf(b, "    %s\n", text)
	}
	if width > 0 {
		b.WriteString("    (--full shows every metric)\n")
	}
}

// foreign reports whether packets were not recognised, which is worth a line.
func foreign(name string, v metric.Value) bool {
	rate, ok := v.(metric.Rate)
	return name == "unrecognised" && ok && rate.Passes > 0
}

// isZero reports whether a value is a count of nothing, or a trend of nothing but 0.
func isZero(v metric.Value) bool {
	switch v := v.(type) {
	case metric.Counter:
		return v == 0
	case *metric.Trend:
		s := v.Summary()
		return s.Max == 0 && s.Min == 0
	}
	return false
}

// nothingLost says in words what there was none of.
func (r *Report) nothingLost() string {
	var none []string
	if d, ok := r.Result.Values["delivered"].(metric.Rate); ok && d.Total > 0 && d.Passes == d.Total {
		none = append(none, "loss")
	}
	for _, c := range []struct{ name, word string }{{"duplicates", "duplicates"}, {"out_of_order", "reordering"}} {
		if v, ok := r.Result.Values[c.name].(metric.Counter); ok && v == 0 {
			none = append(none, c.word)
		}
	}
	switch n := len(none); n {
	case 0:
		return ""
	case 1:
		return "no " + none[0]
	default:
		return "no " + strings.Join(none[:n-1], ", ") + " or " + none[n-1]
	}
}

// A trendRow is a trend in the grid: its middle, and then its bad end.
type trendRow struct {
	name, unit string
	values     []string
}

func newTrendRow(d metric.Definition, t *metric.Trend) trendRow {
	percentiles := []float64{50, 95, 99, 100}
	if d.HigherIsBetter() {
		percentiles = []float64{50, 5, 1, 0}
	}
	most := 0.0
	for _, p := range percentiles {
		most = max(most, math.Abs(t.Quantile(p)))
	}
	row := trendRow{name: d.Name, unit: string(d.Unit)}
	factor := 1.0
	if d.Unit == metric.Milliseconds {
		switch {
		case most >= 10_000:
			row.unit, factor = "s", 1e-3
		case most < 1 && most > 0:
			row.unit, factor = "µs", 1e3
		}
	}
	digits := 2
	switch most *= factor; {
	case most >= 1000:
		digits = 0
	case most >= 100:
		digits = 1
	}
	for _, p := range percentiles {
		text := strconv.FormatFloat(t.Quantile(p)*factor, 'f', digits, 64)
		if t.BeyondRange(p) {
			text = ">" + text
		}
		row.values = append(row.values, text)
	}
	return row
}

func values(rows []trendRow) (all [][]string) {
	for _, row := range rows {
		all = append(all, row.values)
	}
	return all
}

// writeTrends writes a grid of trends. Columns that do not fit are left out; where even one
// does not, each trend has two lines.
func writeTrends(b *bytes.Buffer, names, units, width int, head []string, rows []trendRow) {
	if len(rows) == 0 {
		return
	}
	columns := []int{0, 1, 2, 3}
	cell := 0
	for _, values := range append([][]string{head}, values(rows)...) {
		for _, v := range values {
			cell = max(cell, len(v)+2)
		}
	}
	room := width - 4 - names - 1 - units
	for _, spare := range []int{1, 3, 0} { // p(99) is the last to go
		if width > 0 && len(columns)*cell > room {
			columns = slices.DeleteFunc(columns, func(c int) bool { return c == spare })
		}
	}
	if width > 0 && cell > room {
		for _, row := range rows {
			figure := strings.TrimRight(row.values[2]+together+row.unit, together)
			fmt.Fprintf(b, "    %s\n      %s%s%s\n", row.name, head[2], together, figure)
		}
		return
	}
	line := func(name, unit string, values []string) {
		fmt.Fprintf(b, "    %-*s %-*s", names, name, units, unit)
		for _, c := range columns {
			fmt.Fprintf(b, "%*s", cell, values[c])
		}
		b.WriteString("\n")
	}
	line("", "", head)
	for _, row := range rows {
		line(row.name, row.unit, row.values)
	}
}
