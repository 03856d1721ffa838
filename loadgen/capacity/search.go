package capacity

import (
	"context"
	"errors"
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
	// Within is how near the search comes: it ends when the largest load that
	// passes and the smallest that does not are no further apart than this share
	// of the former, or 1. It is from 0 to 1.
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
		return fmt.Errorf("%v is no share to come within: it can be 0 to 1", p.Within)
	}
	return nil
}

// A Step is one load that was played.
type Step struct {
	Load    int
	Verdict report.Verdict
	// Report is the run's; nil if the server died before anything was measured.
	Report *report.Report
	// Died tells that the server's process did not survive the load.
	Died bool
}

// source is the figures of the step; nil if nothing was measured.
func (s Step) source() figure.Source { return figure.OfReport(s.Report) }

// A Limit is what ended a search.
type Limit string

const (
	// Server: a load was found that passes, and a larger one that fails.
	Server Limit = "server"
	// Generator: a load was found that passes, and the next larger one was
	// invalid. The server may bear more.
	Generator Limit = "generator"
	// Range: the largest load of the plan passes.
	Range Limit = "range"
	// Nothing: even the smallest load of the plan does not pass.
	Nothing Limit = "nothing"
	// Interrupted: the search was ended early.
	Interrupted Limit = "interrupted"
)

// A Result is what a search came to.
type Result struct {
	Plan  Plan
	Limit Limit
	// Largest is the largest load that passed; 0 if none did.
	Largest int
	// Beyond is the smallest load above it that was tried, which did not pass; 0
	// if there is none.
	Beyond int
	// Steps are all that were played, in their order. An invalid step is played
	// once more, so a load may stand here twice.
	Steps []Step
}

// Search plays steps until it knows the largest load that passes. Play plays one
// from nothing: a fresh room and, if it is its own, a fresh server. An error of
// play ends the search, and Search returns what it knows together with it; with
// ctx done, play's step is not counted and the limit is Interrupted.
func Search(ctx context.Context, p Plan, play func(ctx context.Context, load int) (Step, error)) (*Result, error) {
	if err := p.Validate(); err != nil {
		return nil, err
	}
	s := &search{Result: Result{Plan: p}, play: play}
	err := s.run(ctx)
	if ctx.Err() != nil && errors.Is(err, errInterrupted) {
		s.Limit, err = Interrupted, nil
	}
	return &s.Result, err
}

var errInterrupted = errors.New("the search was interrupted")

type search struct {
	Result
	play func(ctx context.Context, load int) (Step, error)
}

func (s *search) run(ctx context.Context) error {
	// Doubling finds the magnitude without many steps under too great a load.
	for load := s.Plan.From; ; load = min(2*load, s.Plan.To) {
		passed, err := s.try(ctx, load)
		if err != nil {
			return err
		}
		if !passed {
			break
		}
		if load == s.Plan.To {
			s.Limit = Range
			return nil
		}
	}
	if s.Largest == 0 {
		s.Limit = Nothing
		return nil
	}
	for s.Beyond-s.Largest > max(1, int(math.Floor(s.Plan.Within*float64(s.Largest)))) {
		if _, err := s.try(ctx, s.Largest+(s.Beyond-s.Largest)/2); err != nil {
			return err
		}
	}
	s.Limit = Server
	if last, _ := s.at(s.Beyond); last.Verdict == report.Invalid {
		s.Limit = Generator
	}
	return nil
}

// try plays a step, and once more if it is invalid: a busy moment of the machine
// shall not decide.
func (s *search) try(ctx context.Context, load int) (passed bool, err error) {
	for range 2 {
		step, err := s.play(ctx, load)
		switch {
		case ctx.Err() != nil:
			return false, errInterrupted
		case err != nil:
			return false, fmt.Errorf("at a load of %d: %w", load, err)
		}
		step.Load = load
		s.Steps = append(s.Steps, step)
		if step.Verdict != report.Invalid {
			break
		}
	}
	if last := s.Steps[len(s.Steps)-1]; last.Verdict == report.Pass {
		s.Largest = load
		return true, nil
	}
	s.Beyond = load
	return false, nil
}

// at is the last step of a load.
func (r *Result) at(load int) (Step, bool) {
	for _, s := range slices.Backward(r.Steps) {
		if s.Load == load {
			return s, true
		}
	}
	return Step{}, false
}

// Curve is the last step of each load, the smallest first.
func (r *Result) Curve() (steps []Step) {
	for _, s := range r.Steps {
		i := slices.IndexFunc(steps, func(have Step) bool { return have.Load == s.Load })
		if i < 0 {
			steps = append(steps, s)
		} else {
			steps[i] = s
		}
	}
	slices.SortFunc(steps, func(a, b Step) int { return a.Load - b.Load })
	return steps
}

// Verdict is that of the search as of a run: pass if it found how much the
// server bears within its plan, fail if that is less than the smallest load, and
// invalid if the generator was at its limit first or the search was interrupted.
func (r *Result) Verdict() report.Verdict {
	switch r.Limit {
	case Server, Range:
		return report.Pass
	case Nothing:
		if first, ok := r.at(r.Plan.From); ok {
			return first.Verdict
		}
	}
	return report.Invalid
}
