package report

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/earshot-audio/earshot/loadgen/metric"
)

// verdictText is the verdict, with what was crossed beside it and the other reasons below.
func (r *Report) verdictText() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s", map[Verdict]string{Pass: "✓", Fail: "✗", Invalid: "?"}[r.Verdict], r.Verdict)
	if text := r.crossedText(); text != "" {
		b.WriteString("  " + text)
	}
	b.WriteString("\n")
	for _, reason := range r.Reasons {
		fmt.Fprintf(&b, "  %s\n", reason)
	}
	return b.String()
}

// crossedText is the first threshold that was crossed, and how many others were.
func (r *Report) crossedText() string {
	var first string
	others := 0
	for _, t := range r.Thresholds {
		switch {
		case t.OK == nil || *t.OK:
		case first == "":
			first = needs(t)
		default:
			others++
		}
	}
	if others > 0 {
		first += "; and " + count(others, "other threshold")
	}
	return first
}

var operators = map[metric.Operator]string{metric.LessEqual: "≤", metric.GreaterEqual: "≥", metric.Equal: "=", metric.NotEqual: "≠"}

// needs is a threshold that was crossed, in words: "latency p(99) 31.2 ms (needs < 20 ms)".
func needs(t Judgement) string {
	name := t.Metric
	switch t.Aggregation {
	case metric.AggregateRate, metric.AggregateValue:
	case metric.AggregatePercentile:
		name += together + "p(" + strconv.FormatFloat(t.Percentile, 'f', -1, 64) + ")"
	default:
		name += together + string(t.Aggregation)
	}
	was := "no packet" // over a window in which nothing came
	if t.Value != nil {
		was = apartFrom(*t.Value, t)
		if t.Best != nil && apartFrom(*t.Best, t) != was {
			was = apartFrom(min(*t.Value, *t.Best), t) + "…" + apartFrom(max(*t.Value, *t.Best), t)
		}
	}
	if t.Until > 0 {
		was += fmt.Sprintf(" from %s to %s", seconds(t.From), seconds(t.Until))
	}
	sign := operators[t.Operator]
	if sign == "" {
		sign = string(t.Operator)
	}
	return fmt.Sprintf("%s %s (needs%s%s%s%s)", name, was, together, sign, together, apartFrom(t.Limit, t))
}

// apartFrom is a figure of a threshold with its unit, a space apart.
func apartFrom(v float64, t Judgement) string {
	text := figure(v, t.LimitUnit())
	if t.Aggregation == metric.AggregateRate {
		text = percent(v)
	}
	end := strings.LastIndexAny(text, "0123456789") + 1
	number, unit := text[:end], strings.TrimSpace(text[end:])
	if v == t.Limit && strings.Contains(number, ".") {
		number = strings.TrimRight(strings.TrimRight(number, "0"), ".") // as people write it
	}
	if unit == "" {
		return number
	}
	return number + together + unit
}
