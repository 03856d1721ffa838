package report

import (
	"bytes"
	"cmp"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/earshot-audio/earshot/loadgen/metric"
)

// maxProblems is how many kinds of problems the text names.
const maxProblems = 8

// WriteText writes the whole report for people, in the layout of k6's summary:
// the thresholds first, a line each.
func (r *Report) WriteText(w io.Writer) error { return r.WriteTerminal(w, Terminal{Full: true}) }

// WriteVerdict writes the verdict and why it is not pass, if it is not.
func (r *Report) WriteVerdict(w io.Writer) error { return r.WriteTerminalVerdict(w, Terminal{}) }

// writeHead says what was played, and against what.
func (r *Report) writeHead(b *bytes.Buffer) {
	run := r.Result
	fmt.Fprintf(b, "\n  %s\n", run.Scenario)
	fmt.Fprintf(b, "  %s, %s, %s; arrivals %s, measured %s; seed %d\n",
		count(run.Rooms, "room"), count(run.Speakers, "speaker"), count(run.Seats, "listener"),
		seconds(run.Arrivals), seconds(run.Steady), run.Seed)
	fmt.Fprintf(b, "  %s driver at %s\n", run.Driver, run.Target)
}

func (r *Report) writeAborted(b *bytes.Buffer) {
	if a := r.Result.Aborted; a != nil {
		fmt.Fprintf(b, "\n  aborted %s into the run: %s: %s was crossed\n", seconds(a.At), a.Threshold.Metric, a.Threshold.Expression)
	}
}

func (r *Report) writeThresholds(b *bytes.Buffer) {
	if len(r.Thresholds) == 0 {
		return
	}
	b.WriteString("\n  THRESHOLDS\n")
	last := ""
	for _, t := range r.Thresholds {
		if t.Metric != last {
			fmt.Fprintf(b, "\n    %s\n", t.Metric)
			last = t.Metric
		}
		switch {
		case t.Undecided:
			fmt.Fprintf(b, "    ? %s  undecided: %s\n", t.Expression, thresholdValue(t))
		case t.OK == nil && r.Result.Aborted != nil:
			fmt.Fprintf(b, "    - %s  not judged: the run was aborted\n", t.Expression)
		case t.OK == nil:
			fmt.Fprintf(b, "    ? %s  no data: %s\n", t.Expression, t.Reason)
		case *t.OK:
			fmt.Fprintf(b, "    ✓ %s  %s\n", t.Expression, thresholdValue(t))
		default:
			fmt.Fprintf(b, "    ✗ %s  %s\n", t.Expression, thresholdValue(t))
			if d, ok := metric.Lookup(t.Metric); ok {
				fmt.Fprintf(b, "      look here: %s\n", d.Hint)
			}
		}
	}
}

func thresholdValue(t Judgement) string {
	if t.Value == nil {
		return t.Reason
	}
	text := aggregated(t)
	if t.Until > 0 {
		text += fmt.Sprintf(" from %s to %s", seconds(t.From), seconds(t.Until))
	}
	return text
}

// aggregated is the figure with the name of its aggregation.
func aggregated(t Judgement) string {
	name := string(t.Aggregation)
	if t.Aggregation == metric.AggregatePercentile {
		name = fmt.Sprintf("p(%s)", strconv.FormatFloat(t.Percentile, 'f', -1, 64))
	}
	text := func(v float64) string {
		if t.Aggregation == metric.AggregateRate {
			return percent(v)
		}
		return figure(v, t.LimitUnit())
	}
	if t.Best == nil {
		return name + "=" + text(*t.Value)
	}
	low, high := text(min(*t.Value, *t.Best)), text(max(*t.Value, *t.Best))
	if low == high {
		return name + "=" + low
	}
	return name + "=" + low + "…" + high
}

// nameWidth is the width of a metric's name with the dots that lead to its value:
// two more than the longest name has.
func nameWidth() (width int) {
	for _, d := range metric.Definitions() {
		width = max(width, len(d.Name)+2)
	}
	return width
}

func (r *Report) writeMetrics(b *bytes.Buffer) {
	b.WriteString("\n  RESULTS\n\n")
	var without []string
	for _, d := range metric.Definitions() {
		line := metricLine(d, r.Result.Values[d.Name])
		if line == "" {
			without = append(without, d.Name)
		} else {
			fmt.Fprintf(b, "    %s %s\n", led(d.Name), line)
		}
		for _, name := range partsOf(d, r.Result.Values) {
			// The parts of it that thresholds are on, as k6 shows them.
			fmt.Fprintf(b, "      %s: %s\n", strings.TrimPrefix(name, d.Name), orNoData(metricLine(d, r.Result.Values[name])))
		}
	}
	if len(without) > 0 {
		fmt.Fprintf(b, "    %s %s\n", led("no data"), strings.Join(without, ", "))
	}
}

// partsOf are the names of a metric's parts, steps in their order.
func partsOf(d metric.Definition, values metric.Values) (names []string) {
	for name := range values {
		if strings.HasPrefix(name, d.Name+"{") && !strings.Contains(name, "} over ") {
			names = append(names, name)
		}
	}
	step := func(name string) int {
		_, selector, err := metric.ParseName(name)
		if err != nil {
			return -1
		}
		return max(slices.Index(d.Parts.Steps, selector.Step), slices.Index(d.Parts.By, selector.By))
	}
	slices.SortFunc(names, func(a, b string) int { return cmp.Or(cmp.Compare(step(a), step(b)), cmp.Compare(a, b)) })
	return names
}

// led is a name with dots up to the column of the values.
func led(name string) string {
	return name + strings.Repeat(".", nameWidth()-len(name)) + ":"
}

// metricLine is a metric's value in words. Where low values are the bad ones, it
// has the low percentiles.
func metricLine(d metric.Definition, v metric.Value) string {
	t, ok := v.(*metric.Trend)
	if !ok || !d.HigherIsBetter() || t.Count() == 0 {
		return valueLine(v, d.Unit)
	}
	note := ""
	if d.Estimate {
		note = " (an estimate)"
	}
	s := t.Summary()
	return fmt.Sprintf("avg=%s min=%s p(1)=%s p(5)=%s med=%s max=%s%s",
		short(s.Avg), short(s.Min), short(t.Quantile(1)), short(t.Quantile(5)), short(s.Med), short(s.Max), note)
}

func orNoData(text string) string {
	if text == "" {
		return "no data"
	}
	return text
}

// valueLine is a value in words; empty if there is none.
func valueLine(v metric.Value, unit metric.Unit) string {
	switch v := v.(type) {
	case metric.Rate:
		if v.Total > 0 {
			return fmt.Sprintf("%-9s %s of %s", percent(v.Share()), thousands(v.Passes), thousands(v.Total))
		}
	case *metric.Trend:
		return trendLine(v, unit)
	case metric.Counter:
		return thousands(uint64(v))
	case metric.Gauge:
		return figure(float64(v), unit)
	}
	return ""
}

func trendLine(t *metric.Trend, unit metric.Unit) string {
	s := t.Summary()
	if s.Count == 0 {
		return ""
	}
	var text []string
	for _, name := range []string{"avg", "min", "med", "p(95)", "p(99)", "p(99.9)", "max"} {
		text = append(text, name+"="+statistic(t, name, unit))
	}
	line := strings.Join(text, " ")
	if n := t.Negative(); n > 0 {
		line += fmt.Sprintf(" (%s below 0)", thousands(n))
	}
	return line
}

// writeGenerator says in a line how well the generator itself did.
func (r *Report) writeGenerator(b *bytes.Buffer) {
	g := r.Result.Generator
	fmt.Fprintf(b, "\n  generator: p(99) of its lag sending %s, joining %s, reading %s; dropped %s, its machine %s; CPU %.2f of %s, waiting %.2f\n",
		lag(g.SendLag), lag(g.JoinLag), lag(g.ReadLag), thousands(g.SocketDrops), thousands(g.MachineDrops.Total()), g.CPU, count(g.CPUs, "core"), g.CPUWait)
	if c, p := r.Result.Crowd, r.Result.Probes; p.Latency != nil && p.Latency.Count() > 0 && c.Latency.Count() > 0 {
		fmt.Fprintf(b, "  probes: delivered %s, latency p(50)=%s p(99)=%s; the crowd: %s, %s, %s\n",
			percent(p.Delivered.Share()), quantile(p.Latency, 50, metric.Milliseconds), quantile(p.Latency, 99, metric.Milliseconds),
			percent(c.Delivered.Share()), quantile(c.Latency, 50, metric.Milliseconds), quantile(c.Latency, 99, metric.Milliseconds))
	}
	if g.Unstamped > 0 {
		fmt.Fprintf(b, "  generator: %s packets were read so late that the kernel's receive time was lost\n", thousands(g.Unstamped))
	}
	if g.ClockStep >= time.Millisecond {
		fmt.Fprintf(b, "  generator: the wall clock was stepped by %s during the run\n", g.ClockStep)
	}
}

func lag(d time.Duration) string { return figure(metric.InMilliseconds(d), metric.Milliseconds) }

func (r *Report) writeProblems(b *bytes.Buffer) {
	if text := lossesText(r.Result.Losses); text != "" {
		fmt.Fprintf(b, "  lost: %s\n", text)
	}
	if joined, _ := r.Result.Values["joined"].(metric.Rate); joined.Passes < joined.Total {
		fmt.Fprintf(b, "  %s of %s listeners never got in\n", thousands(joined.Total-joined.Passes), thousands(joined.Total))
	}
	for _, line := range r.ProblemLines(maxProblems) {
		fmt.Fprintf(b, "  %s\n", line)
	}
}

// ProblemLines says what went wrong, a kind of problem a line, and after so many how many
// kinds there are besides.
func (r *Report) ProblemLines(most int) (lines []string) {
	if m := r.Result.Mics; m.Ended > 0 {
		line := fmt.Sprintf("%s of %s were ended by the server", thousands(uint64(m.Ended)), count(m.Connected, "publisher"))
		if r.Result.Speakers > r.Result.Rooms {
			line += ": does it take one in a room?"
		}
		lines = append(lines, line)
	}
	problems := r.Result.Problems
	for _, p := range problems[:min(most, len(problems))] {
		lines = append(lines, p.String())
	}
	if others := len(problems) - most; others > 0 {
		lines = append(lines, fmt.Sprintf("and %d other kinds of problems", others))
	}
	return lines
}

// figure writes a value with its unit.
func figure(v float64, unit metric.Unit) string {
	switch unit {
	case metric.Milliseconds:
		switch {
		case v >= 10_000 || v <= -10_000:
			return short(v/1000) + "s"
		case v != 0 && v < 1 && v > -1:
			return short(v*1000) + "µs"
		}
		return short(v) + "ms"
	case metric.Bytes:
		switch {
		case v >= 1<<30:
			return short(v/(1<<30)) + "GiB"
		case v >= 1<<20:
			return short(v/(1<<20)) + "MiB"
		}
		return short(v/(1<<10)) + "KiB"
	case metric.Cores:
		return short(v) + " cores"
	case metric.Percent:
		return strings.TrimSuffix(strings.TrimRight(strconv.FormatFloat(v, 'f', 3, 64), "0"), ".") + "%"
	case metric.Packets:
		return thousands(uint64(v)) + " packets"
	}
	if v >= 10_000 {
		return thousands(uint64(v))
	}
	return short(v)
}

// short writes a number with three or four figures.
func short(v float64) string {
	digits := 2
	switch {
	case v >= 1000 || v <= -1000:
		digits = 0
	case v >= 100 || v <= -100:
		digits = 1
	}
	return strconv.FormatFloat(v, 'f', digits, 64)
}

// thousands writes a number in groups of three digits.
func thousands(n uint64) string {
	s := strconv.FormatUint(n, 10)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return thousands(uint64(n)) + " " + noun + "s"
}

func seconds(d time.Duration) string { return fmt.Sprintf("%.1f s", d.Seconds()) }

// percent writes a share so that 99.99 % and less never read 100 %.
func percent(share float64) string {
	text := fmt.Sprintf("%.3f", 100*share)
	if text == "100.000" && share < 1 {
		text = "99.999"
	}
	if strings.Contains(text, ".") {
		text = strings.TrimRight(strings.TrimRight(text, "0"), ".")
	}
	return text + "%"
}
