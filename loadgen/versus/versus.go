package versus

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/earshot-audio/earshot/loadgen/figure"
	"github.com/earshot-audio/earshot/loadgen/report"
)

// A Spec is a target as the command line describes it.
type Spec struct {
	Name    string
	Options []Option
}

// An Option says what a target is played against, as key=value.
type Option struct{ Key, Value string }

// ParseSpec reads "NAME key=value key=value".
func ParseSpec(text string) (Spec, error) {
	words := strings.Fields(text)
	if len(words) == 0 || strings.Contains(words[0], "=") {
		return Spec{}, fmt.Errorf("%q does not begin with a name", text)
	}
	s := Spec{Name: words[0]}
	for _, word := range words[1:] {
		key, value, ok := strings.Cut(word, "=")
		if !ok || value == "" {
			return Spec{}, fmt.Errorf("%s: %q is not of the form key=value", s.Name, word)
		}
		s.Options = append(s.Options, Option{key, value})
	}
	return s, nil
}

// A Target is a server and what a run against it measured.
type Target struct {
	Name string
	// Report is nil if the target could not be played against.
	Report *report.Report
	// Err is what went wrong, with or without a report.
	Err error
}

// A Result is the targets in the order in which they were played against.
type Result struct {
	Scenario string
	Seed     int64
	Targets  []Target
}

// Play plays against each named target in turn. An error of play belongs to its
// target, and the next one is played, unless the error is a [Fatal] one, which
// Play returns at once, with the targets before.
func Play(ctx context.Context, names []string, play func(ctx context.Context, i int) (*report.Report, error)) ([]Target, error) {
	var targets []Target
	for i, name := range names {
		r, err := play(ctx, i)
		var fatal Fatal
		if errors.As(err, &fatal) {
			return targets, fmt.Errorf("target %s: %w", name, fatal.Err)
		}
		targets = append(targets, Target{name, r, err})
	}
	return targets, nil
}

// Fatal is an error after which no further target is played against.
type Fatal struct{ Err error }

func (f Fatal) Error() string { return f.Err.Error() }
func (f Fatal) Unwrap() error { return f.Err }

// Err is what went wrong with the targets that could not be played against; nil if
// all could.
func (r *Result) Err() error {
	var failed []error
	for _, t := range r.Targets {
		if t.Err != nil {
			failed = append(failed, fmt.Errorf("target %s: %w", t.Name, t.Err))
		}
	}
	return errors.Join(failed...)
}

// Verdict is the worst of the verdicts, where invalid is worse than fail.
func (r *Result) Verdict() report.Verdict {
	worst := report.Pass
	for _, t := range r.Targets {
		switch {
		case t.Report == nil:
		case t.Report.Verdict == report.Invalid:
			return report.Invalid
		case t.Report.Verdict == report.Fail:
			worst = report.Fail
		}
	}
	return worst
}

func (t Target) source() figure.Source { return figure.OfReport(t.Report) }
