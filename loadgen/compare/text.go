package compare

import (
	"bytes"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/earshot-audio/earshot/internal/table"
)

// WriteText writes the comparison for people: the judged figures with the interval of
// their change, then the others, then what to know about it.
func (c *Comparison) WriteText(w io.Writer) error {
	var b bytes.Buffer
	fmt.Fprintf(&b, "\n  base: %s\n  new:  %s\n", files(c.Base), files(c.New))
	if len(c.Invalid) == 0 && len(c.Notes) == 0 {
		r := c.New[0]
		fmt.Fprintf(&b, "  %s; %s driver, seed %d, %s\n", r.Scenario.Name, r.Scenario.Driver, r.Scenario.Seed, r.Machine)
	}
	if len(c.Judged) > 0 {
		rows := [][]string{{"judged", "base", "new", "change", "interval"}}
		for _, ch := range c.Judged {
			rows = append(rows, []string{ch.Name, ch.Format(ch.Base), ch.Format(ch.New), percent(ch.Estimate), ch.interval()})
		}
		b.WriteString("\n")
		if err := table.Write(&b, table.Options{Indent: "    ", Right: 2}, rows); err != nil {
			return err
		}
	}
	if len(c.Shown) > 0 {
		rows := [][]string{{"not judged", "base", "", "new", "", "change"}}
		for _, ch := range c.Shown {
			rows = append(rows, []string{ch.Name, ch.value(ch.BaseRuns, ch.Base), ch.spread(ch.BaseRuns), ch.value(ch.NewRuns, ch.New), ch.spread(ch.NewRuns), percent(ch.Estimate)})
		}
		b.WriteString("\n")
		if err := table.Write(&b, table.Options{Indent: "    ", Right: 2}, rows); err != nil {
			return err
		}
	}
	b.WriteString("\n")
	if c.Paired {
		b.WriteString("  the runs were played in turn, and neighbours are compared\n")
	}
	for _, note := range c.Notes {
		fmt.Fprintf(&b, "  note: %s\n", note)
	}
	for _, reason := range c.Invalid {
		fmt.Fprintf(&b, "  invalid: %s\n", reason)
	}
	_, err := w.Write(bytes.TrimRight(b.Bytes(), "\n"))
	if err == nil {
		_, err = io.WriteString(w, "\n")
	}
	return err
}

// WriteOutcome writes what the comparison says about a limit, and what would decide it
// if it is unclear.
func (c *Comparison) WriteOutcome(w io.Writer) error {
	limit := strconv.FormatFloat(100*c.Options.Limit, 'g', 6, 64) + "%"
	var b strings.Builder
	switch c.Outcome() {
	case Within:
		fmt.Fprintf(&b, "\n✓ nothing is worse by more than %s\n", limit)
	case Worse:
		fmt.Fprintf(&b, "\n✗ worse by more than %s\n", limit)
		for _, ch := range c.With(Worse) {
			fmt.Fprintf(&b, "  %s\n", ch.sentence())
		}
	case Unclear:
		switch {
		case len(c.Invalid) > 0:
			b.WriteString("\n? invalid: a regression can be neither shown nor ruled out\n")
		case len(c.Judged) == 0:
			b.WriteString("\n? unclear: nothing is judged\n")
		default:
			fmt.Fprintf(&b, "\n? unclear: the runs don't show whether these are worse by more than %s\n", limit)
		}
		for _, ch := range c.With(Unclear) {
			if len(c.Invalid) == 0 {
				fmt.Fprintf(&b, "  %s; %s\n", ch.sentence(), c.more(ch))
			}
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// minRuns is how many runs a side have a labeling less likely than alpha.
const minRuns = 3

// manyRuns is what nobody plays.
const manyRuns = 200

// more is how many more runs would decide.
func (c *Comparison) more(ch Change) string {
	have := min(len(c.Base), len(c.New))
	switch {
	case have < minRuns:
		return fmt.Sprintf("play each side at least %d times (--repeat %d)", minRuns, minRuns)
	case ch.Doubted:
		return "the runs' own figures are in doubt (their reports say why), which more runs don't change"
	case ch.RunsNeeded == 0 || ch.RunsNeeded > manyRuns:
		return "more runs would hardly decide it: allow more, or make the runs longer and the machine quieter"
	}
	return fmt.Sprintf("about %s a side would decide it", plural(ch.RunsNeeded-have, "more run"))
}

func (ch Change) sentence() string {
	return fmt.Sprintf("%s: %s (%s), from %s to %s", ch.Name, percent(ch.Estimate), ch.interval(), ch.Format(ch.Base), ch.Format(ch.New))
}

// interval is unknown with too few runs to rule out anything.
func (ch Change) interval() string {
	if ch.Low <= -1 && math.IsInf(ch.High, 1) {
		return "unknown"
	}
	return percent(ch.Low) + " … " + percent(ch.High)
}

func (ch Change) value(runs []float64, v float64) string {
	if len(runs) == 0 {
		return "no data"
	}
	return ch.Format(v)
}

// spread is the range of the runs' values.
func (ch Change) spread(runs []float64) string {
	if len(runs) < 2 {
		return ""
	}
	return ch.Format(slices.Min(runs)) + "…" + ch.Format(slices.Max(runs))
}

// percent writes a change as a share of the base.
func percent(share float64) string {
	switch {
	case math.IsNaN(share):
		return "–"
	case share > 1e6:
		return "+∞"
	case share <= -1:
		return "-100%"
	case share >= 10:
		return fmt.Sprintf("+%.0f%%", 100*share)
	}
	return fmt.Sprintf("%+.1f%%", 100*share)
}

func files(runs []*Run) string {
	var names []string
	for _, r := range runs {
		names = append(names, r.File)
	}
	return fmt.Sprintf("%s: %s", plural(len(runs), "run"), strings.Join(names, ", "))
}

func plural(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
