package main

import (
	"context"
	"errors"
	"io"

	"github.com/spf13/cobra"

	"github.com/earshot-audio/earshot/cmd/earshot/cli"
	"github.com/earshot-audio/earshot/cmd/earshot/target"
	"github.com/earshot-audio/earshot/internal/serverprocess"
	"github.com/earshot-audio/earshot/loadgen"
	"github.com/earshot-audio/earshot/loadgen/host"
	"github.com/earshot-audio/earshot/loadgen/report"
	"github.com/earshot-audio/earshot/loadgen/scenario"
)

// runFlags are the flags of earshot run.
type runFlags struct {
	scenarioFlags
	target  target.Flags
	workers workersFlags
	ca      string
	repeat  int
	out     outputs
	watch   watchFlags
	term    terminalFlags
	quiet   bool
	command string // that plays it again
}

func runCommand() *cobra.Command {
	var f runFlags
	c := &cobra.Command{
		Use:   "run SCENARIO",
		Short: "Play a scenario and say pass, fail or invalid",
		Long: `Play a scenario: real WebRTC clients fill its rooms, and a report says what each
listener received and whether the thresholds hold.

Without --target, a server of its own is started in a child process and stopped
at the end; or several, if --nodes or the scenario's nodes ask for a cluster.

Exit codes: 0 pass, 1 could not run, 2 bad usage or scenario, 98 invalid (a
threshold had no data, or the figures can't be trusted), 99 thresholds crossed,
130 interrupted.`,
		Example: `  earshot run smoke
  earshot run scenario.yaml --html report.html
  earshot run smoke --target http://127.0.0.1:7080
  earshot run smoke --workers 2 --local
  earshot run smoke --nodes 3
  earshot run smoke --driver whep --whip-url http://127.0.0.1:8889/{room}/whip --whep-url http://127.0.0.1:8889/{room}/whep`,
		Args:              scenarioArgument,
		ValidArgsFunction: completeScenario,
		RunE: func(c *cobra.Command, args []string) error {
			f.stdin, f.command = c.InOrStdin(), again(c, args)
			return f.run(c.Context(), args[0], c.Flags().Changed, c.OutOrStdout(), c.ErrOrStderr())
		},
	}
	flags := c.Flags()
	f.target.Bind(c)
	cli.CAFlag(flags, &f.ca)
	f.bind(flags)
	f.bindListeners(flags)
	f.bindThresholds(flags)
	cli.Complete(c, "threshold", completeThreshold)
	flags.IntVar(&f.repeat, "repeat", 1, "play `N` times; the files of run i get -i before their extension")
	f.out.bind(flags)
	f.watch.bind(flags)
	f.workers.bind(flags)
	f.target.BindNodes(flags)
	f.term.bind(c)
	flags.BoolVarP(&f.quiet, "quiet", "q", false, "print only the verdict")
	return c
}

// run plays a scenario file as often as --repeat says.
func (f runFlags) run(ctx context.Context, path string, changed func(string) bool, stdout, stderr io.Writer) error {
	s, err := f.load(path, changed)
	if err != nil {
		return cli.Usage(err)
	}
	cli.Warn(stderr, s.Warnings)
	cli.Warn(stderr, f.watch.exposed())
	cli.Warn(stderr, f.target.Exposed())
	if err := errors.Join(f.workers.check(f.target, f.repeat, changed), f.target.CheckNodes(s, f.workers.workers)); err != nil {
		return cli.Usage(err)
	}
	if f.workers.workers == 0 || f.workers.local { // else it is the workers' machines that play
		warnings, err := loadgen.PreflightShared(host.CurrentLimits(), s, f.target.OwnServer(), f.workers.workers)
		cli.Warn(stderr, warnings)
		if err != nil {
			return err
		}
	}
	if err := errors.Join(f.out.check(f.repeat), f.term.check()); err != nil {
		return cli.Usage(err)
	}
	roots, err := cli.LoadRoots(f.ca)
	if err != nil {
		return cli.Usage(err)
	}
	watching, err := f.watch.open(ctx, roots, stderr)
	if err != nil {
		return err
	}
	p := player{roots: roots, watch: watching, quiet: f.quiet, stderr: stderr}
	if f.workers.workers > 0 {
		p.workers, p.ca = &f.workers, f.ca
	}
	err = repeated(f.repeat, cli.ForPeople(stdout, stderr, f.out.names()...), func(i int) error {
		p.again = i+1 < f.repeat
		return f.once(ctx, s, p, f.out.of(i, f.repeat), stdout)
	})
	cli.Warn(stderr, watching.warnings())
	return errors.Join(err, watching.Close())
}

// once plays the scenario one time.
func (f runFlags) once(ctx context.Context, s *scenario.Scenario, p player, out outputs, stdout io.Writer) error {
	result, err := p.play(ctx, f.target, s)
	if result == nil {
		return err
	}
	r := report.Judge(result, s.Thresholds)
	r.Command = f.command
	p.watch.finish(r)
	// The files come first: standard output may be a pipe that nobody reads.
	written := out.write(r, stdout)
	written = errors.Join(written, f.print(r, cli.ForPeople(stdout, p.stderr, out.names()...)))
	p.watch.flush() // may wait for others, so it comes last
	switch {
	case result.Interrupted && !errors.Is(err, serverprocess.ErrDied):
		return errors.Join(cli.Interrupted(errors.New("the run was interrupted; the report covers what was played")), written, err)
	case errors.Is(err, serverprocess.ErrDied), written != nil: // the report says so, and the error has the server's log
		return errors.Join(written, err)
	}
	return errors.Join(verdict(r.Verdict), err)
}

func (f runFlags) print(r *report.Report, stdout io.Writer) error {
	if f.quiet {
		return r.WriteTerminalVerdict(stdout, f.term.of(stdout))
	}
	return r.WriteTerminal(stdout, f.term.of(stdout))
}
