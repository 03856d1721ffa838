package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/earshot-audio/earshot/loadgen/capacity"
	"github.com/earshot-audio/earshot/loadgen/report"
	"github.com/earshot-audio/earshot/loadgen/scenario"
)

// capacityFlags are the flags of earshot capacity.
type capacityFlags struct {
	runFlags
	vary     string
	from, to int
	within   string
	until    []string
	html     string
	summary  string
}

func capacityCommand() *cobra.Command {
	var f capacityFlags
	c := &cobra.Command{
		Use:   "capacity SCENARIO --vary listeners --from N --to N",
		Short: "Search for the largest load that a server bears",
		Long: `Search for the largest load that passes: the scenario is played again and again,
each step with another load, in fresh rooms, and on a fresh server unless --target
names one. The load doubles until a step does not pass, and then closes in.

What can be varied: listeners and speakers (in each room), rooms, and arrival-rate
(listeners a second, over all rooms). A step passes if the conditions of --until
hold, or, without any, the scenario's own thresholds.

A step that is invalid is played once more; if it is so again, the generator was
the limit, and the search says so. Exit codes: 0 the largest load is known, or all
of it passes; 1 could not run; 2 bad usage or scenario; 98 the generator was the
limit, so the server may bear more; 99 not even the smallest load passes;
130 interrupted.`,
		Example: `  earshot capacity scenarios/one-speaker-500.yaml --vary listeners --from 500 --to 8000 --hold 10s --until 'latency: p(99) < 20ms' --until 'delivered: rate >= 0.9999'
  earshot capacity scenarios/smoke.yaml --vary arrival-rate --from 10 --to 1000 --until 'join_duration: p(95) < 1s'`,
		Args: arguments(cobra.ExactArgs(1)),
		RunE: func(c *cobra.Command, args []string) error {
			return f.search(c.Context(), args[0], c.Flags().Changed, c.OutOrStdout(), c.ErrOrStderr())
		},
	}
	flags := c.Flags()
	flags.StringVar(&f.vary, "vary", string(capacity.Listeners), "`what` to vary: listeners, speakers, rooms or arrival-rate")
	flags.IntVar(&f.from, "from", 0, "the smallest load, `N`, which is tried first")
	flags.IntVar(&f.to, "to", 0, "the largest load, `N`")
	flags.StringVar(&f.within, "within", "5%", "come as near as this `share` of the load")
	flags.StringArrayVar(&f.until, "until", nil, "what must hold, as `'metric: expression'` (repeatable; default: the scenario's thresholds)")
	f.targets(c)
	f.changes(flags)
	flags.StringVar(&f.summary, "summary", "", "write the search as JSON to this `file`")
	flags.StringVar(&f.html, "html", "", "write the search with its curves as one HTML page to this `file`")
	flags.BoolVarP(&f.quiet, "quiet", "q", false, "print the result alone, without the progress")
	return c
}

// search carries the search out.
func (f capacityFlags) search(ctx context.Context, path string, changed func(string) bool, stdout, stderr io.Writer) error {
	base, q, plan, err := f.plan(path, changed)
	if err != nil {
		return usage(err)
	}
	for _, file := range []string{f.summary, f.html} {
		if err := writable(file); err != nil {
			return usage(err)
		}
	}
	trust, err := f.trust()
	if err != nil {
		return usage(err)
	}
	about := capacity.About{Scenario: base.Name, Target: f.targetName(), Vary: q, Until: base.Thresholds}
	played := 0
	result, err := capacity.Search(ctx, plan, func(ctx context.Context, load int) (capacity.Step, error) {
		s, err := q.Of(base, load)
		if err != nil {
			return capacity.Step{}, usage(err)
		}
		played++
		fmt.Fprintf(stderr, "step %d: %d %s\n", played, load, q.Unit())
		measured, err := f.measure(ctx, s, trust, watchers{}, stderr)
		if errors.Is(err, errServerDied) && ctx.Err() == nil {
			step := capacity.Step{Verdict: report.Fail, Died: true}
			if measured != nil {
				step.Report = report.Judge(measured, s.Thresholds)
			}
			return step, nil
		}
		if err != nil {
			return capacity.Step{}, err
		}
		judged := report.Judge(measured, s.Thresholds)
		if !f.quiet {
			_ = judged.WriteVerdict(stderr) // which takes no part in the result
		}
		return capacity.Step{Verdict: judged.Verdict, Report: judged}, nil
	})
	if result == nil || err != nil && len(result.Steps) == 0 {
		return err
	}
	return errors.Join(f.report(result, about, stdout), err)
}

// report writes what a search came to and returns what its exit code is made
// from.
func (f capacityFlags) report(result *capacity.Result, about capacity.About, stdout io.Writer) error {
	err := result.WriteText(stdout, about)
	if f.summary != "" {
		err = errors.Join(err, writeFile(f.summary, func(w io.Writer) error { return result.WriteJSON(w, about) }))
	}
	if f.html != "" {
		err = errors.Join(err, writeFile(f.html, func(w io.Writer) error { return result.WriteHTML(w, about) }))
	}
	switch {
	case err != nil:
		return err
	case result.Limit == capacity.Interrupted:
		return interrupted(errors.New("the search was interrupted; the report is about what was played"))
	case result.Limit == "": // an error ended it, which says why
		return nil
	case result.Verdict() != report.Pass:
		return &verdictError{result.Verdict()}
	}
	return nil
}

// plan reads the scenario and what the flags say of the search, and tries its
// ends: a scenario that can't have them is bad usage, and not found out after an
// hour.
func (f capacityFlags) plan(path string, changed func(string) bool) (*scenario.Scenario, capacity.Quantity, capacity.Plan, error) {
	plan := capacity.Plan{From: f.from, To: f.to}
	fail := func(err error) (*scenario.Scenario, capacity.Quantity, capacity.Plan, error) {
		return nil, "", plan, err
	}
	q, err := capacity.ParseQuantity(f.vary)
	if err != nil {
		return fail(fmt.Errorf("--vary: %w", err))
	}
	for _, name := range []string{"from", "to"} {
		if !changed(name) {
			return fail(fmt.Errorf("--%s is missing: between which loads is to be searched?", name))
		}
	}
	number, percent := strings.CutSuffix(f.within, "%")
	share, err := strconv.ParseFloat(number, 64)
	if err != nil || !percent {
		return fail(fmt.Errorf("--within %q is no share, like 5%%", f.within))
	}
	plan.Within = share / 100
	if err := plan.Validate(); err != nil {
		return fail(err)
	}
	s, err := f.runFlags.scenario(path, changed)
	if err != nil {
		return fail(err)
	}
	if len(f.until) > 0 {
		if s, err = s.WithThresholds(f.until); err != nil {
			return fail(fmt.Errorf("--until: %w", err))
		}
	}
	if len(s.Thresholds) == 0 {
		return fail(errors.New("there is nothing to search for: give --until, or a scenario with thresholds"))
	}
	for _, load := range []int{plan.From, plan.To} {
		if _, err := q.Of(s, load); err != nil {
			return fail(fmt.Errorf("at a load of %d: %w", load, err))
		}
	}
	return s, q, plan, nil
}
