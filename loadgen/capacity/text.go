package capacity

import (
	"bytes"
	"fmt"
	"io"
	"strings"

	"github.com/earshot-audio/earshot/internal/table"
	"github.com/earshot-audio/earshot/loadgen/figure"
	"github.com/earshot-audio/earshot/loadgen/metric"
	"github.com/earshot-audio/earshot/loadgen/report"
)

// columns are the figures of the text's table.
var columns = []struct{ name, figure string }{
	{"joined", "joined"}, {"join p(95)", "join_duration p(95)"}, {"delivered", "delivered"},
	{"latency p(50)", "latency p(50)"}, {"p(99)", "latency p(99)"},
	{"server CPU", "server_cpu"}, {"memory", "server_rss"}, {"packets/core", "packets_per_core"},
}

// About describes a search.
type About struct {
	Scenario string
	Target   string
	Vary     Quantity
	Until    []metric.Threshold
}

// WriteText writes the result for people.
func (r *Result) WriteText(w io.Writer, a About) error {
	var b bytes.Buffer
	fmt.Fprintf(&b, "\n  capacity of %s\n  %s from %d to %d, of %q\n", a.Target, a.Vary.Unit(), r.Plan.From, r.Plan.To, a.Scenario)
	for _, t := range a.Until {
		fmt.Fprintf(&b, "  until %s: %s no longer holds\n", t.Metric, t.Expression)
	}
	b.WriteString("\n")
	r.writeTable(&b, a)
	fmt.Fprintf(&b, "\n%s\n", r.conclusion(a))
	if beyond, ok := r.at(r.Beyond); ok {
		for _, c := range beyond.Crossed() {
			fmt.Fprintf(&b, "  at %d, %s\n", beyond.Load, c)
		}
	}
	if text := r.triesText(); text != "" {
		fmt.Fprintf(&b, "  %s\n", text)
	}
	for _, why := range r.RanOut() {
		fmt.Fprintf(&b, "  what ran out: %s\n", why)
	}
	_, err := w.Write(b.Bytes())
	return err
}

// triesText is how often the loads on both sides of the limit passed.
func (r *Result) triesText() string {
	var parts []string
	for _, load := range []int{r.Largest, r.Beyond} {
		if n := len(r.tries(load)); load > 0 && n > 1 {
			parts = append(parts, fmt.Sprintf("%d passed %d of %d tries", load, r.count(load)[report.Pass], n))
		}
	}
	return strings.Join(parts, ", ")
}

func (r *Result) writeTable(b *bytes.Buffer, a About) {
	heads, rows := r.table(a)
	_ = table.Write(b, table.Options{Indent: "  ", Right: 1}, append([][]string{heads}, rows...)) // a buffer has no errors
}

// table is all tries, the smallest load first, with their most important figures.
func (r *Result) table(a About) (heads []string, rows [][]string) {
	heads = []string{string(a.Vary), ""}
	for _, c := range columns {
		heads = append(heads, c.name)
	}
	heads = append(heads, "generator CPU")
	for _, s := range r.Curve() {
		row := []string{fmt.Sprint(s.Load), mark(s.Verdict)}
		for _, c := range columns {
			text := "–"
			f := figure.ByName(c.figure)[0]
			if v, ok := f.Of(s.source()); ok {
				text = f.Format(v)
			}
			row = append(row, text)
		}
		own := "–"
		if s.Report != nil {
			own = fmt.Sprintf("%.2f", s.Report.Result.Generator.CPU)
		}
		rows = append(rows, append(row, own))
	}
	return heads, rows
}

func mark(v report.Verdict) string {
	return map[report.Verdict]string{report.Pass: "✓", report.Fail: "✗", report.Invalid: "?"}[v]
}

// conclusion is the result in a sentence.
func (r *Result) conclusion(a About) string {
	unit := a.Vary.Unit()
	switch r.Limit {
	case Server:
		return fmt.Sprintf("✓ the largest load that passes: %d %s (%d do not)", r.Largest, unit, r.Beyond)
	case Range:
		return fmt.Sprintf("✓ all of it passes: %d %s, the largest that was asked for", r.Largest, unit)
	case Generator:
		return fmt.Sprintf("? the generator was the limit: %d %s pass, and at %d the figures can't be trusted. The server may carry more", r.Largest, unit, r.Beyond)
	case Interrupted:
		if r.Largest > 0 {
			return fmt.Sprintf("? interrupted; up to then the largest load that passes: %d %s", r.Largest, unit)
		}
		return "? interrupted before any load had passed"
	}
	if r.Verdict() == report.Invalid {
		return fmt.Sprintf("? the generator was the limit: already at %d %s the figures can't be trusted", r.Plan.From, unit)
	}
	return fmt.Sprintf("✗ not even %d %s pass", r.Plan.From, unit)
}
