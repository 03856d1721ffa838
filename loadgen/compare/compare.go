package compare

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/earshot-audio/earshot/loadgen/figure"
	"github.com/earshot-audio/earshot/loadgen/metric"
	"github.com/earshot-audio/earshot/loadgen/report"
)

// An Outcome is what a comparison says of one figure or of all.
type Outcome int

const (
	// Unclear: the runs can't decide.
	Unclear Outcome = iota
	// Within: the new side is not worse by more than the limit.
	Within
	// Worse: the new side is worse by more than the limit.
	Worse
)

// Options say how to compare.
type Options struct {
	// Limit is by what share the new side may be worse: 0.05 is 5 %.
	Limit float64
	// Allow are the differences between runs that don't make the comparison invalid:
	// see [Differences].
	Allow []string
}

// Differences are what runs may differ in beside what is compared.
func Differences() []string { return []string{"machine", "version", "scenario"} }

// A Comparison is two sides and how they differ.
type Comparison struct {
	Base, New []*Run
	Options   Options
	// Judged are the figures that have thresholds.
	Judged []Change
	// Shown are the other figures. They decide nothing.
	Shown []Change
	// Paired means that the runs were played in turn, and that neighbours are compared.
	Paired bool
	// Notes are what to know about the comparison, and Invalid are reasons not to rely
	// on it.
	Notes, Invalid []string
}

// A Change is one figure on both sides.
type Change struct {
	figure.Figure
	Name string // with the window, if it is over one
	// Base and New are the values of the sides, and BaseRuns and NewRuns those of their
	// runs.
	Base, New         float64
	BaseRuns, NewRuns []float64
	// Estimate is by how much the new side's value differs, as a share of the base's, and
	// Low and High are its interval. They are NaN for a figure that is only shown.
	Estimate, Low, High float64
	Outcome             Outcome
	// RunsNeeded is about how many runs a side would decide, if it is unclear; 0 if that
	// can't be said. Doubted means that the doubt in the runs' figures is too large for any
	// number of runs.
	RunsNeeded int
	Doubted    bool
}

// Of compares the runs of two sides, each of at least one run.
func Of(base, now []*Run, o Options) *Comparison {
	c := &Comparison{Base: base, New: now, Options: o}
	all := append(slices.Clone(base), now...)
	pairs := c.pairs()
	c.Paired = len(pairs) >= minPairs
	if !c.Paired {
		pairs = nil
	}
	c.judge(all, labelings(len(base), len(now), pairs))
	c.show(all)
	c.check(all)
	return c
}

// Outcome is what the comparison says: worse if any figure is, and within if all are.
// It is unclear if the comparison is invalid or if nothing is judged.
func (c *Comparison) Outcome() Outcome {
	if len(c.Invalid) > 0 || len(c.Judged) == 0 {
		return Unclear
	}
	outcome := Within
	for _, ch := range c.Judged {
		switch ch.Outcome {
		case Worse:
			return Worse
		case Unclear:
			outcome = Unclear
		}
	}
	return outcome
}

// With returns the judged figures of an outcome.
func (c *Comparison) With(o Outcome) (some []Change) {
	for _, ch := range c.Judged {
		if ch.Outcome == o {
			some = append(some, ch)
		}
	}
	return some
}

// judge decides on the figures that have thresholds.
func (c *Comparison) judge(all []*Run, l []labeling) {
	// The end of the doubt of each run that speaks against calling the new side worse,
	// and that speaks against calling it within the limit.
	notWorse, notWithin := make([]end, len(all)), make([]end, len(all))
	for i := range all {
		if i < len(c.Base) {
			notWorse[i], notWithin[i] = worst, best
		} else {
			notWorse[i], notWithin[i] = best, worst
		}
	}
	var figures []judgedFigure
	var optimistic, pessimistic []statistic
	var limits []float64
	for _, f := range judged(all) {
		low, ok := f.statistic(all, notWorse)
		high, okay := f.statistic(all, notWithin)
		if !ok || !okay {
			c.missing(f)
			continue
		}
		figures, optimistic, pessimistic = append(figures, f), append(optimistic, low), append(pessimistic, high)
		limits = append(limits, shift(c.Options.Limit, f.Better))
	}
	forWorse, forWithin := newTest(optimistic, limits, l), newTest(pessimistic, limits, l)
	for k, f := range figures {
		ch := c.change(f, all)
		ch.decide(forWorse, forWithin, k, min(len(c.Base), len(c.New)))
		c.Judged = append(c.Judged, ch)
	}
}

// shift is the limit as a difference of logarithms.
func shift(limit float64, better metric.Direction) float64 {
	if better == metric.Higher {
		return -math.Log(max(1-limit, 1e-9)) // a value can't fall by more than all of it
	}
	return math.Log(1 + limit)
}

// decide sets the interval and the outcome.
func (ch *Change) decide(forWorse, forWithin *test, k, runs int) {
	s, actual := sign(ch.Better), forWorse.labelings[0]
	low, _ := forWorse.interval(k)
	_, high := forWithin.interval(k)
	worse, _ := forWorse.outcome(k)
	_, within := forWithin.outcome(k)
	if forWorse.constant(k) && forWithin.constant(k) {
		low, high, within = 0, 0, true
	}
	switch {
	case worse:
		ch.Outcome = Worse
	case within:
		ch.Outcome = Within
	case forWorse.statistics[k].estimate(actual) <= forWorse.limits[k] && forWithin.statistics[k].estimate(actual) > forWithin.limits[k]:
		ch.Doubted = true
	default:
		ch.RunsNeeded = max(forWorse.runsNeeded(k, runs), forWithin.runsNeeded(k, runs))
	}
	ch.Low, ch.High = math.Expm1(s*low), math.Expm1(s*high)
	if s < 0 {
		ch.Low, ch.High = ch.High, ch.Low
	}
}

// change has the values of a figure, at the worse end of what is in doubt.
func (c *Comparison) change(f judgedFigure, all []*Run) Change {
	ch := Change{Figure: f.Figure, Name: f.Name(), BaseRuns: f.values(c.Base), NewRuns: f.values(c.New)}
	ch.Base, ch.New = center(ch.BaseRuns), center(ch.NewRuns)
	if s, ok := f.statistic(all, make([]end, len(all))); ok {
		actual := actualLabeling(len(c.Base), len(c.New))
		ch.Estimate = math.Expm1(sign(f.Better) * s.estimate(actual))
		switch s := s.(type) {
		case pooledRate:
			events, exposure := s.sums(actual)
			ch.Base, ch.New = events[0]/exposure[0], events[1]/exposure[1]
		case pooledQuantile:
			q := s.quantiles(actual)
			ch.Base, ch.New = q[0], q[1]
		}
	}
	return ch
}

func (f judgedFigure) values(runs []*Run) (values []float64) {
	for _, r := range runs {
		if v, ok := f.value(r, worst); ok {
			values = append(values, v)
		}
	}
	return values
}

// center is the geometric mean of values, or their mean if one is not positive.
func center(values []float64) float64 {
	sum, logs := 0.0, 0.0
	for _, v := range values {
		sum += v
		logs += math.Log(v)
	}
	n := float64(len(values))
	if math.IsNaN(logs) || math.IsInf(logs, 0) {
		return sum / n
	}
	return math.Exp(logs / n)
}

// show lists the figures that are not judged.
func (c *Comparison) show(all []*Run) {
	names := map[string]bool{}
	for _, r := range all {
		for name := range r.metrics {
			names[name] = true
		}
	}
	for _, f := range figure.Compared(names) {
		if slices.ContainsFunc(c.Judged, func(ch Change) bool { return ch.Name == f.Name() }) {
			continue
		}
		ch := Change{Figure: f, Name: f.Name(), BaseRuns: samples(f, c.Base), NewRuns: samples(f, c.New), Low: math.NaN(), High: math.NaN()}
		if len(ch.BaseRuns)+len(ch.NewRuns) > 0 {
			ch.Base, ch.New = median(ch.BaseRuns), median(ch.NewRuns)
			ch.Estimate = (ch.New - ch.Base) / math.Abs(ch.Base)
			c.Shown = append(c.Shown, ch)
		}
	}
}

func samples(f figure.Figure, runs []*Run) (values []float64) {
	for _, r := range runs {
		if v, ok := f.Of(r); ok {
			values = append(values, v)
		}
	}
	return values
}

// median is NaN for no values.
func median(values []float64) float64 {
	if len(values) == 0 {
		return math.NaN()
	}
	sorted := slices.Sorted(slices.Values(values))
	n := len(sorted)
	return (sorted[(n-1)/2] + sorted[n/2]) / 2
}

// missing says where a judged figure is missing.
func (c *Comparison) missing(f judgedFigure) {
	for _, s := range []struct {
		name string
		runs []*Run
	}{{"base", c.Base}, {"new side", c.New}} {
		if n := len(f.values(s.runs)); n < len(s.runs) {
			c.Invalid = append(c.Invalid, fmt.Sprintf("%s has data in only %d of %s of the %s", f.Name(), n, plural(len(s.runs), "run"), s.name))
		}
	}
}

// pairs are the runs that were played next to each other, one of each side; nil if the
// sides were not played in turn.
func (c *Comparison) pairs() (pairs [][2]int) {
	all := append(slices.Clone(c.Base), c.New...)
	order := make([]int, len(all))
	for i, r := range all {
		if order[i] = i; r.Scenario.Began.IsZero() {
			return nil
		}
	}
	slices.SortStableFunc(order, func(a, b int) int { return all[a].Scenario.Began.Compare(all[b].Scenario.Began) })
	if len(order)%2 != 0 {
		return nil
	}
	for i := 0; i < len(order); i += 2 {
		a, b := order[i], order[i+1]
		if a > b {
			a, b = b, a
		}
		if a >= len(c.Base) || b < len(c.Base) {
			return nil
		}
		pairs = append(pairs, [2]int{a, b})
	}
	return pairs
}

// check finds what the comparison can't be relied on for.
func (c *Comparison) check(all []*Run) {
	for _, r := range all {
		if r.Verdict == report.Invalid {
			c.Invalid = append(c.Invalid, fmt.Sprintf("%s is an invalid run: %s", r.File, strings.Join(r.Reasons, "; ")))
		}
	}
	for _, property := range []struct {
		difference, name string
		of               func(*Run) string
	}{
		{"scenario", "scenario", func(r *Run) string { return r.Scenario.Name }},
		{"scenario", "driver", func(r *Run) string { return r.Scenario.Driver }},
		{"scenario", "number of rooms", func(r *Run) string { return fmt.Sprint(r.Scenario.Rooms) }},
		{"scenario", "number of speakers", func(r *Run) string { return fmt.Sprint(r.Scenario.Speakers) }},
		{"scenario", "number of listeners", func(r *Run) string { return fmt.Sprint(r.Scenario.Listeners) }},
		{"scenario", "seed", func(r *Run) string { return fmt.Sprint(r.Scenario.Seed) }},
		{"machine", "machine", func(r *Run) string { return r.Machine.String() }},
		{"version", "version of earshot", func(r *Run) string { return cmp.Or(r.Version, "unknown") }},
	} {
		var values []string
		for _, r := range all {
			if v := property.of(r); !slices.Contains(values, v) {
				values = append(values, v)
			}
		}
		if len(values) < 2 {
			continue
		}
		text := fmt.Sprintf("the runs differ in their %s: %s", property.name, strings.Join(values, ", "))
		if slices.Contains(c.Options.Allow, property.difference) {
			c.Notes = append(c.Notes, text)
		} else {
			c.Invalid = append(c.Invalid, fmt.Sprintf("%s; --allow %s compares them anyway", text, property.difference))
		}
	}
	if len(c.Judged) == 0 && len(c.Invalid) == 0 {
		c.Notes = append(c.Notes, "no figure has a threshold in every run, so nothing is judged: give the scenario thresholds")
	}
	if n := min(len(c.Base), len(c.New)); n > 1 && c.pairs() == nil && !c.Base[0].Scenario.Began.IsZero() {
		c.Notes = append(c.Notes, "the sides were not played in turn (base, new, base, new …), so a change of the machine in between would look like one of the server")
	}
}

// String is the machine for people.
func (m Machine) String() string {
	return fmt.Sprintf("%s with %s", strings.TrimSpace(m.Arch+" "+m.CPU), plural(m.CPUs, "CPU"))
}
