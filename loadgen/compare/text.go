package compare

import (
	"bytes"
	"fmt"
	"io"
	"math"
	"strings"

	"github.com/earshot-audio/earshot/internal/table"
	"github.com/earshot-audio/earshot/loadgen/metric"
)

// WriteText writes the comparison for people, in the layout that benchstat's
// users know: medians with the spread of their runs, then the change, or ~ where
// chance alone may have made it.
func (c *Comparison) WriteText(w io.Writer) error {
	var b bytes.Buffer
	fmt.Fprintf(&b, "\n  base: %s\n  new:  %s\n", side(c.Base), side(c.New))
	if s := c.New[0]; len(c.Notes) == 0 {
		fmt.Fprintf(&b, "  %s; %s driver, seed %d, %s with %d CPUs\n", s.Scenario, s.Driver, s.Seed, s.Arch, s.CPUs)
	}
	b.WriteString("\n")
	rows := [][]string{{"metric", "", "base", "new", "new against base"}}
	last := ""
	for _, ch := range c.Changes {
		name := ch.Metric
		if name == last {
			name = ""
		}
		last = ch.Metric
		rows = append(rows, []string{name, ch.Stat, ch.side(ch.Base.Center, ch.Base.PctRangeString(), ch.BaseN), ch.side(ch.New.Center, ch.New.PctRangeString(), ch.NewN), ch.delta()})
	}
	if err := table.Write(&b, table.Options{Indent: "    "}, rows); err != nil {
		return err
	}
	if text := c.few(); text != "" {
		fmt.Fprintf(&b, "\n  %s\n", text)
	}
	for _, note := range c.Notes {
		fmt.Fprintf(&b, "  note: %s\n", note)
	}
	for _, reason := range c.Invalid {
		fmt.Fprintf(&b, "  invalid: %s\n", reason)
	}
	_, err := w.Write(b.Bytes())
	return err
}

// few says what the number of runs allows to tell.
func (c *Comparison) few() string {
	n := min(len(c.Base), len(c.New))
	if leastP(len(c.Base), len(c.New)) > 0.05 {
		return fmt.Sprintf("too few runs to tell a change from noise (%s against %s): play each side 4 times, with --repeat 4",
			countRuns(len(c.Base)), countRuns(len(c.New)))
	}
	if n < 6 {
		return "± ∞: 6 runs a side give the median an interval at 95 % confidence"
	}
	return ""
}

func side(runs []*Run) string {
	var files []string
	for _, r := range runs {
		files = append(files, r.File)
	}
	return fmt.Sprintf("%s: %s", countRuns(len(runs)), strings.Join(files, ", "))
}

func countRuns(n int) string {
	if n == 1 {
		return "1 run"
	}
	return fmt.Sprintf("%d runs", n)
}

// side is a median and its spread.
func (ch Change) side(center float64, spread string, n int) string {
	switch n {
	case 0:
		return "no data"
	case 1:
		return ch.Format(center)
	}
	return ch.Format(center) + " ± " + spread
}

// delta is the change in words: how much, how sure, and whether it is for the
// worse.
func (ch Change) delta() string {
	if !ch.both() {
		return ""
	}
	percent := "0.00%"
	if b, n := ch.Base.Center, ch.New.Center; b != n {
		percent = "from 0"
		if b != 0 {
			percent = fmt.Sprintf("%+.2f%%", 100*(n-b)/math.Abs(b))
		}
	}
	runs := fmt.Sprintf("n=%d", ch.BaseN)
	if ch.BaseN != ch.NewN {
		runs = fmt.Sprintf("n=%d+%d", ch.BaseN, ch.NewN)
	}
	switch {
	case !ch.Told:
		return fmt.Sprintf("%s (%s, noise unknown)", percent, runs)
	case !ch.Significant():
		return fmt.Sprintf("~ (p=%.3f %s)", ch.Test.P, runs)
	}
	text := fmt.Sprintf("%s (p=%.3f %s)", percent, ch.Test.P, runs)
	switch {
	case ch.Better == metric.Neither:
		return text
	case ch.Worse() > 0:
		return text + " worse"
	}
	return text + " better"
}

// WriteRegressions writes the changes for the worse beyond a limit.
func WriteRegressions(w io.Writer, all []Change) error {
	for _, ch := range all {
		if _, err := fmt.Fprintf(w, "  %s: %s, from %s to %s\n", ch.Name(), ch.delta(), ch.Format(ch.Base.Center), ch.Format(ch.New.Center)); err != nil {
			return err
		}
	}
	return nil
}
