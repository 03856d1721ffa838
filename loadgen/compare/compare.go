package compare

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"golang.org/x/perf/benchmath"

	"github.com/earshot-audio/earshot/loadgen/figure"
	"github.com/earshot-audio/earshot/loadgen/metric"
)

// confidence is that of the interval around a median.
const confidence = 0.95

// A Comparison is two sides and what differs.
type Comparison struct {
	Base, New []*Run
	Changes   []Change
	// Notes are reasons to take the comparison with care: the sides were not
	// played alike.
	Notes []string
	// Invalid are reasons not to take it at all.
	Invalid []string
}

// A Change is one figure on both sides.
type Change struct {
	figure.Figure
	Base, New benchmath.Summary
	// In how many runs of each side the figure is.
	BaseN, NewN int
	Test        benchmath.Comparison
	// Told tells that so many runs could tell a change from noise, if there were
	// one.
	Told bool
}

// Of compares the runs of two sides. Each has one at least.
func Of(base, now []*Run) *Comparison {
	c := &Comparison{Base: base, New: now}
	for _, f := range figures(append(slices.Clone(base), now...)) {
		before, after := samples(f, base), samples(f, now)
		change := Change{Figure: f, BaseN: len(before), NewN: len(after)}
		if len(before) > 0 && len(after) > 0 {
			b, n := benchmath.NewSample(before, &benchmath.DefaultThresholds), benchmath.NewSample(after, &benchmath.DefaultThresholds)
			change.Base, change.New = benchmath.AssumeNothing.Summary(b, confidence), benchmath.AssumeNothing.Summary(n, confidence)
			change.Test = benchmath.AssumeNothing.Compare(b, n)
			change.Told = leastP(len(before), len(after)) <= change.Test.Alpha
		} else if len(before) > 0 {
			change.Base = benchmath.AssumeNothing.Summary(benchmath.NewSample(before, &benchmath.DefaultThresholds), confidence)
		} else if len(after) > 0 {
			change.New = benchmath.AssumeNothing.Summary(benchmath.NewSample(after, &benchmath.DefaultThresholds), confidence)
		}
		if len(before)+len(after) > 0 {
			c.Changes = append(c.Changes, change)
		}
	}
	c.check()
	return c
}

// figures are what can be compared of the runs.
func figures(runs []*Run) []figure.Figure {
	names := map[string]bool{}
	for _, r := range runs {
		for name := range r.metrics {
			names[name] = true
		}
	}
	return figure.Compared(names)
}

func samples(f figure.Figure, runs []*Run) (values []float64) {
	for _, r := range runs {
		if v, ok := f.Of(r); ok {
			values = append(values, v)
		}
	}
	return values
}

// leastP is the least p-value that the two-sided U test can come to with so many
// samples: that of two sides of which one is all above the other, which is one
// of the ways to deal the ranks, or its mirror.
func leastP(n1, n2 int) float64 {
	ways := 1.0
	for k := 1; k <= n1; k++ {
		ways *= float64(n2+k) / float64(k)
	}
	return min(1, 2/ways)
}

// check finds what the comparison can't be relied on for.
func (c *Comparison) check() {
	for _, side := range [][]*Run{c.Base, c.New} {
		for _, r := range side {
			if r.Verdict == "invalid" {
				c.Invalid = append(c.Invalid, fmt.Sprintf("%s is of an invalid run: %s", r.File, strings.Join(r.Reasons, "; ")))
			}
		}
	}
	for _, ch := range c.Changes {
		switch {
		case ch.Better == metric.Neither:
		case ch.NewN < len(c.New) && ch.BaseN == len(c.Base):
			c.Invalid = append(c.Invalid, fmt.Sprintf("%s is in %d of %s of the new side, and in all of the base", ch.Name(), ch.NewN, countRuns(len(c.New))))
		case ch.BaseN < len(c.Base):
			c.Notes = append(c.Notes, fmt.Sprintf("%s is in %d of %s of the base", ch.Name(), ch.BaseN, countRuns(len(c.Base))))
		}
	}
	all := append(slices.Clone(c.Base), c.New...)
	for _, property := range []struct {
		name string
		of   func(*Run) string
	}{
		{"scenario", func(r *Run) string { return r.Scenario }},
		{"driver", func(r *Run) string { return r.Driver }},
		{"rooms", func(r *Run) string { return fmt.Sprint(r.Rooms) }},
		{"listeners", func(r *Run) string { return fmt.Sprint(r.Listeners) }},
		{"seed", func(r *Run) string { return fmt.Sprint(r.Seed) }},
		{"machine", func(r *Run) string { return fmt.Sprintf("%s with %d CPUs", r.Arch, r.CPUs) }},
	} {
		var kinds []string
		for _, r := range all {
			if k := property.of(r); !slices.Contains(kinds, k) {
				kinds = append(kinds, k)
			}
		}
		if len(kinds) > 1 {
			c.Notes = append(c.Notes, fmt.Sprintf("the runs differ in their %s: %s", property.name, strings.Join(kinds, ", ")))
		}
	}
}

// both tells that both sides have the figure.
func (ch Change) both() bool { return ch.BaseN > 0 && ch.NewN > 0 }

// Significant tells that chance alone would hardly have made the change.
func (ch Change) Significant() bool {
	return ch.both() && ch.Told && ch.Test.P <= ch.Test.Alpha && ch.Base.Center != ch.New.Center
}

// Worse is by what share of the base the new side is worse: 0.05 is 5 %. It is 0
// if it is not, and +Inf if the base is 0.
func (ch Change) Worse() float64 {
	if !ch.both() || ch.Better == metric.Neither {
		return 0
	}
	by := ch.New.Center - ch.Base.Center
	if ch.Better == metric.Higher {
		by = -by
	}
	switch {
	case by <= 0:
		return 0
	case ch.Base.Center == 0:
		return math.Inf(1)
	}
	return by / math.Abs(ch.Base.Center)
}

// Regressions are the changes for the worse by more than limit (0.05 is 5 %): those
// that are more than noise, and those of which there are too few runs to tell.
func (c *Comparison) Regressions(limit float64) (sure, untold []Change) {
	for _, ch := range c.Changes {
		switch {
		case ch.Worse() <= limit:
		case !ch.Told:
			untold = append(untold, ch)
		case ch.Significant():
			sure = append(sure, ch)
		}
	}
	return sure, untold
}
