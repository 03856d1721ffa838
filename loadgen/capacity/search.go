package capacity

import (
	"context"
	"fmt"
	"math"
	"slices"

	"github.com/earshot-audio/earshot/loadgen/figure"
	"github.com/earshot-audio/earshot/loadgen/report"
)

// A Plan says where to search.
type Plan struct {
	// From and To are the smallest and the largest load that is tried:
	// 1 ≤ From ≤ To.
	From, To int
	// Within ends the search: the largest load that passes and the smallest that does
	// not are no further apart than this share of the former, or 1. It is from 0 to 1.
	Within float64
}

// Validate returns an error for a plan that can't be followed.
func (p Plan) Validate() error {
	switch {
	case p.From < 1:
		return fmt.Errorf("the search begins at %d: the smallest load is 1", p.From)
	case p.To < p.From:
		return fmt.Errorf("the search ends at %d, before it begins at %d", p.To, p.From)
	case !(p.Within >= 0 && p.Within <= 1):
		return fmt.Errorf("%v is not a share to come within: it can be 0 to 1", p.Within)
	}
	return nil
}

// A Step is one load that was played once.
type Step struct {
	Load    int
	Verdict report.Verdict
	// Report is the run's; nil if the server died before anything was measured.
	Report *report.Report
	// Died means that the server's process did not survive the load.
	Died bool
}

// source is the figures of the step; nil if nothing was measured.
func (s Step) source() figure.Source { return figure.OfReport(s.Report) }

// A Limit is what ended a search.
type Limit string

const (
	// Server: a load passes, and a larger one fails.
	Server Limit = "server"
	// Generator: a load passes, and the next larger one is invalid. The server may
	// carry more.
	Generator Limit = "generator"
	// Range: the largest load of the plan passes.
	Range Limit = "range"
	// Nothing: even the smallest load of the plan does not pass.
	Nothing Limit = "nothing"
	// Interrupted: the search was ended early.
	Interrupted Limit = "interrupted"
)

// A Result is the outcome of a search. Its methods ask the tries of one load or of all
// (search.go), and write them, one file for each format.
type Result struct {
	Plan  Plan
	Limit Limit
	// Largest is the largest load that passed; 0 if none did.
	Largest int
	// Beyond is the smallest load above it that was tried, which did not pass; 0
	// if there is none.
	Beyond int
	// Steps are all that were played, in their order. A load that was played more than
	// once is there as often.
	Steps []Step
}

// majority is how many equal verdicts decide about a load: best of three. If all three
// differ, a fourth decides, as there are three verdicts.
const majority = 2

// Search plays steps until it knows the largest load that passes. Play plays one from
// nothing: a fresh room and, if it is its own, a fresh server. An error of play ends
// the search, and Search returns what it knows together with the error; when ctx is
// done, the step being played does not count and the limit is Interrupted.
func Search(ctx context.Context, p Plan, play func(ctx context.Context, load int) (Step, error)) (*Result, error) {
	if err := p.Validate(); err != nil {
		return nil, err
	}
	r := &Result{Plan: p}
	for {
		load, ok := r.next()
		if !ok {
			return r, nil
		}
		step, err := play(ctx, load)
		switch {
		case ctx.Err() != nil:
			r.Limit = Interrupted
			return r, nil
		case err != nil:
			r.Limit = "" // the error says why nothing is known
			return r, fmt.Errorf("at a load of %d: %w", load, err)
		}
		step.Load = load
		r.Steps = append(r.Steps, step)
		r.bracket()
	}
}

// next is the load to play next; false, with the limit set, when all is known. The
// load doubles until one does not pass, which finds the magnitude with few steps under
// too great a load. A bisection follows. Last, the loads on both sides of the limit
// are played until a majority of verdicts decides; if that turns one over, the search
// goes on from there.
func (r *Result) next() (load int, ok bool) {
	switch {
	case len(r.Steps) == 0:
		return r.Plan.From, true
	case r.unsettled(r.Beyond):
		// An invalid load, or the end of the doubling: what follows depends on it.
		return r.Beyond, true
	case r.Beyond == 0 && r.Largest < r.Plan.To:
		return min(2*r.Largest, r.Plan.To), true
	case r.Beyond == 0:
		r.Limit = Range
		return r.Largest, !r.decided(r.Largest)
	case r.Largest == 0:
		r.Limit = Nothing
		return r.Beyond, !r.decided(r.Beyond)
	case r.Beyond-r.Largest > max(1, int(math.Floor(r.Plan.Within*float64(r.Largest)))):
		return r.Largest + (r.Beyond-r.Largest)/2, true
	}
	r.Limit = Server
	if r.verdict(r.Beyond) == report.Invalid {
		r.Limit = Generator
	}
	for _, load := range []int{r.Beyond, r.Largest} {
		if !r.decided(load) {
			return load, true
		}
	}
	return 0, false
}

// unsettled reports whether a load is to be played again before anything else: one that
// was invalid once, as the machine may have been busy for a moment; one whose tries
// differ; and the first load that failed, since all that follows stays below it.
func (r *Result) unsettled(load int) bool {
	if load == 0 || r.decided(load) {
		return false
	}
	tries := r.tries(load)
	return len(tries) > 1 || tries[0].Verdict == report.Invalid || r.onlyFailed(load)
}

// onlyFailed reports whether a load is the only one that did not pass.
func (r *Result) onlyFailed(load int) bool {
	return !slices.ContainsFunc(r.Steps, func(s Step) bool { return s.Load != load && s.Verdict != report.Pass })
}

// bracket finds the smallest load that does not pass, and the largest below it that
// does.
func (r *Result) bracket() {
	r.Largest, r.Beyond = 0, 0
	for _, load := range r.loads() {
		if r.verdict(load) != report.Pass {
			r.Beyond = load
			return
		}
		r.Largest = load
	}
}

// loads are those that were played, the smallest first.
func (r *Result) loads() (loads []int) {
	for _, s := range r.Steps {
		loads = append(loads, s.Load)
	}
	slices.Sort(loads)
	return slices.Compact(loads)
}

// tries are the steps of one load, in their order.
func (r *Result) tries(load int) (tries []Step) {
	for _, s := range r.Steps {
		if s.Load == load {
			tries = append(tries, s)
		}
	}
	return tries
}

// count is how many tries of a load had each verdict.
func (r *Result) count(load int) map[report.Verdict]int {
	n := map[report.Verdict]int{}
	for _, s := range r.tries(load) {
		n[s.Verdict]++
	}
	return n
}

// decided reports whether the tries of a load have a majority.
func (r *Result) decided(load int) bool {
	for _, n := range r.count(load) {
		if n >= majority {
			return true
		}
	}
	return false
}

// verdict is that of a load so far: of the majority of its tries, or of a single one
// that is not invalid. While tries differ it is invalid.
func (r *Result) verdict(load int) report.Verdict {
	n := r.count(load)
	for v, times := range n {
		if times >= majority {
			return v
		}
	}
	switch {
	case n[report.Pass] > 0 && n[report.Fail] == 0:
		return report.Pass
	case n[report.Fail] > 0 && n[report.Pass] == 0:
		return report.Fail
	}
	return report.Invalid
}

// at is the last try of a load that had the load's verdict.
func (r *Result) at(load int) (Step, bool) {
	verdict := r.verdict(load)
	for _, s := range slices.Backward(r.tries(load)) {
		if s.Verdict == verdict {
			return s, true
		}
	}
	return Step{}, false
}

// Curve is all tries, the smallest load first, and those of one load in their order.
func (r *Result) Curve() []Step {
	return slices.SortedStableFunc(slices.Values(r.Steps), func(a, b Step) int { return a.Load - b.Load })
}

// Verdict is that of the search as of a run: pass if it found how much the server can
// carry within its plan, fail if that is less than the smallest load, and invalid if
// the generator was at its limit first or the search was interrupted.
func (r *Result) Verdict() report.Verdict {
	switch r.Limit {
	case Server, Range:
		return report.Pass
	case Nothing:
		return r.verdict(r.Plan.From)
	}
	return report.Invalid
}
