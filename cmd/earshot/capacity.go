package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/earshot-audio/earshot/cmd/earshot/cli"
	"github.com/earshot-audio/earshot/cmd/earshot/target"
	"github.com/earshot-audio/earshot/internal/decimal"
	"github.com/earshot-audio/earshot/internal/serverprocess"
	"github.com/earshot-audio/earshot/loadgen/capacity"
	"github.com/earshot-audio/earshot/loadgen/report"
	"github.com/earshot-audio/earshot/loadgen/scenario"
)

// capacityFlags are the flags of earshot capacity.
type capacityFlags struct {
	scenarioFlags
	target   target.Flags
	ca       string
	vary     string
	from, to int
	within   string
	until    []string
	cores    int
	html     string
	summary  string
	quiet    bool
}

func capacityCommand() *cobra.Command {
	var f capacityFlags
	c := &cobra.Command{
		Use:   "capacity SCENARIO --vary listeners --from N --to N",
		Short: "Search for the largest load that a server can carry",
		Long: `Search for the largest load that passes. The scenario is played in steps, each
with another load, in fresh rooms, and on a fresh server unless --target names
one. The load doubles until a step does not pass; then a bisection closes in.

The load is the number of listeners or speakers (in each room), of rooms, or the
arrival-rate (listeners a second, over all rooms). A step passes if the conditions
of --until hold, or, without any, the scenario's own thresholds. Besides, 99 % must
join, unless there is a condition on joined.

The loads on both sides of the limit are played up to three times, and the majority
decides. If it says invalid, the generator was the limit.

Exit codes: 0 the largest load is known, or all loads pass; 1 could not run; 2 bad
usage or scenario; 98 the generator was the limit, so the server may carry more;
99 not even the smallest load passes; 130 interrupted.`,
		Example: `  earshot capacity scenarios/one-speaker-500.yaml --vary listeners --from 500 --to 8000 --hold 10s --until 'latency: p(99) < 20ms' --until 'delivered: rate >= 0.9999'
  earshot capacity scenarios/smoke.yaml --vary arrival-rate --from 10 --to 1000 --until 'join_duration: p(95) < 1s'`,
		Args:              scenarioArgument,
		ValidArgsFunction: completeScenario,
		RunE: func(c *cobra.Command, args []string) error {
			f.stdin = c.InOrStdin()
			return f.search(c.Context(), args[0], c.Flags().Changed, c.OutOrStdout(), c.ErrOrStderr())
		},
	}
	flags := c.Flags()
	flags.StringVar(&f.vary, "vary", string(capacity.Listeners), "`what` to vary: listeners, speakers, rooms or arrival-rate")
	flags.IntVar(&f.from, "from", 0, "the smallest load, `N`; it is tried first")
	flags.IntVar(&f.to, "to", 0, "the largest load, `N`")
	flags.StringVar(&f.within, "within", "5%", "stop within this `share` of the largest load")
	flags.StringArrayVar(&f.until, "until", nil, "what must hold, as `'metric: expression'` (repeatable; default: the scenario's thresholds)")
	flags.IntVar(&f.cores, "server-cores", 0, "`N` cores that a server on another machine may use (default: as its /metrics says)")
	cli.Complete(c, "vary", completeVary)
	cli.Complete(c, "until", completeThreshold)
	f.target.Bind(c)
	cli.CAFlag(flags, &f.ca)
	f.bind(flags)
	flags.StringVar(&f.summary, "summary", "", "write the search as JSON to this `file`")
	flags.StringVar(&f.html, "html", "", "write the search with its charts as one HTML page to this `file`")
	flags.BoolVarP(&f.quiet, "quiet", "q", false, "print only the result, without the progress")
	return c
}

// search runs the search and reports it.
func (f capacityFlags) search(ctx context.Context, path string, changed func(string) bool, stdout, stderr io.Writer) error {
	base, q, plan, err := f.plan(path, changed)
	if err != nil {
		return cli.Usage(err)
	}
	if err := cli.CheckFiles(f.files()...); err != nil {
		return cli.Usage(err)
	}
	roots, err := cli.LoadRoots(f.ca)
	if err != nil {
		return cli.Usage(err)
	}
	cli.Warn(stderr, f.target.Exposed())
	about := capacity.About{Scenario: base.Name, Target: f.target.Name(), Vary: q, Until: base.Thresholds}
	p := player{roots: roots, quiet: f.quiet, stderr: stderr}
	played := 0
	result, err := capacity.Search(ctx, plan, func(ctx context.Context, load int) (capacity.Step, error) {
		s, err := q.Of(base, load)
		if err != nil {
			return capacity.Step{}, cli.Usage(err)
		}
		played++
		fmt.Fprintf(stderr, "step %d: %d %s\n", played, load, q.Unit())
		measured, err := p.play(ctx, f.target, s)
		if measured != nil && f.cores > 0 {
			measured.Server.Cores = f.cores
		}
		if errors.Is(err, serverprocess.ErrDied) && ctx.Err() == nil {
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
			_ = judged.WriteVerdict(stderr) // only progress
		}
		return capacity.Step{Verdict: judged.Verdict, Report: judged}, nil
	})
	if result == nil || err != nil && len(result.Steps) == 0 {
		return err
	}
	return errors.Join(f.report(result, about, stdout, stderr), err)
}

// files are what the search is written to.
func (f capacityFlags) files() []cli.File {
	return []cli.File{{Flag: "--summary", Path: f.summary}, {Flag: "--html", Path: f.html}}
}

// report writes the result of a search, and returns its verdict as an error.
func (f capacityFlags) report(result *capacity.Result, about capacity.About, stdout, stderr io.Writer) error {
	files := f.files()
	err := errors.Join(
		files[0].Write(stdout, func(w io.Writer) error { return result.WriteJSON(w, about) }),
		files[1].Write(stdout, func(w io.Writer) error { return result.WriteHTML(w, about) }),
		result.WriteText(cli.ForPeople(stdout, stderr, files...), about))
	switch {
	case result.Limit == capacity.Interrupted:
		return errors.Join(cli.Interrupted(errors.New("the search was interrupted; the report covers what was played")), err)
	case err != nil:
		return err
	case result.Limit == "": // an error ended it, which says why
		return nil
	}
	return verdict(result.Verdict())
}

// plan reads the scenario and the flags of the search. It tries both ends of the
// range, so that a load that the scenario can't have is refused at the start.
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
			return fail(fmt.Errorf("--%s is missing: the search needs a smallest and a largest load", name))
		}
	}
	number, percent := strings.CutSuffix(f.within, "%")
	share, err := strconv.ParseFloat(number, 64)
	if err != nil || !percent || !decimal.Is(number) {
		return fail(fmt.Errorf("--within %q is not a share like 5%%", f.within))
	}
	plan.Within = share / 100
	if err := plan.Validate(); err != nil {
		return fail(err)
	}
	s, err := f.load(path, changed)
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
	if f.cores < 0 {
		return fail(fmt.Errorf("--server-cores %d is below 0", f.cores))
	}
	if s, err = capacity.WithJoined(s); err != nil {
		return fail(err)
	}
	for _, load := range []int{plan.From, plan.To} {
		if _, err := q.Of(s, load); err != nil {
			return fail(fmt.Errorf("at a load of %d: %w", load, err))
		}
	}
	return s, q, plan, nil
}
