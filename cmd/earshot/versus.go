package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/earshot-audio/earshot/cmd/earshot/cli"
	"github.com/earshot-audio/earshot/cmd/earshot/target"
	"github.com/earshot-audio/earshot/loadgen/report"
	"github.com/earshot-audio/earshot/loadgen/scenario"
	"github.com/earshot-audio/earshot/loadgen/versus"
)

// versusFlags are the flags of earshot versus.
type versusFlags struct {
	scenarioFlags
	targets []string
	turn    target.TURNFlags // for all targets
	ca      string
	summary string
	html    string
	quiet   bool
}

func versusCommand() *cobra.Command {
	var f versusFlags
	c := &cobra.Command{
		Use:   "versus SCENARIO --target NAME... --target 'NAME whip=URL whep=URL'...",
		Short: "Play one scenario against several servers, and compare them side by side",
		Long: `Play the same scenario against several servers, one after the other, and print
their figures side by side, as ratios to the first.

A target is a name, followed by what to play against: nothing for a server of
earshot's own, target=URL for a running one, whip=URL and whep=URL for any WHIP/WHEP server,
where {room} stands for the room, livekit=URL for a LiveKit server (key=KEY and
secret=SECRET, or the environment), or janus=URL for the AudioBridge of a Janus server
(api-secret=SECRET and admin-key=KEY if it wants them). Optional: token=TOKEN, and pid=NUMBER of the
server's process if it is on this machine, for its CPU and memory. Those of the cast
who go by a TURN server go by the same one to every target.

Exit codes are those of run, the worst of all targets. A server that could not be
played against counts as 1, after the others have been played.`,
		Example:           `  earshot versus scenarios/smoke.yaml --target earshot --target 'mediamtx whip=http://127.0.0.1:8889/{room}/whip whep=http://127.0.0.1:8889/{room}/whep pid=4711'`,
		Args:              scenarioArgument,
		ValidArgsFunction: completeScenario,
		RunE: func(c *cobra.Command, args []string) error {
			f.stdin = c.InOrStdin()
			return f.run(c.Context(), args[0], c.Flags().Changed, c.OutOrStdout(), c.ErrOrStderr())
		},
	}
	flags := c.Flags()
	flags.StringArrayVar(&f.targets, "target", nil, "a server, as `'NAME key=value...'` (repeatable, at least two)")
	flags.StringArrayVar(&f.targets, "team", nil, "")
	_ = flags.MarkHidden("team") // what --target was called in earshot league
	cli.CAFlag(flags, &f.ca)
	f.turn.Bind(flags)
	f.bindListeners(flags)
	f.bind(flags)
	flags.StringVar(&f.html, "html", "", "write the targets side by side as a page to this `file`")
	flags.StringVar(&f.summary, "summary", "", "write all targets' figures as JSON to this `file`")
	flags.BoolVarP(&f.quiet, "quiet", "q", false, "print only the table, without the progress")
	return c
}

// leagueCommand is the former name of versus, for one release.
func leagueCommand() *cobra.Command {
	c := versusCommand()
	c.Use = strings.Replace(c.Use, "versus", "league", 1)
	c.Hidden = true
	return c
}

func (f versusFlags) run(ctx context.Context, path string, changed func(string) bool, stdout, stderr io.Writer) error {
	s, err := f.load(path, changed)
	if err != nil {
		return cli.Usage(err)
	}
	var names []string
	var targets []target.Flags
	for _, text := range f.targets {
		name, t, err := target.Parse(text, f.turn)
		if err != nil {
			return cli.Usage(err)
		}
		names, targets = append(names, name), append(targets, t)
		cli.Warn(stderr, t.Exposed())
	}
	if len(targets) < 2 {
		return cli.Usage(errors.New("give at least two targets, each with --target"))
	}
	summary, page := cli.File{Flag: "--summary", Path: f.summary}, cli.File{Flag: "--html", Path: f.html}
	if err := cli.CheckFiles(summary, page); err != nil {
		return cli.Usage(err)
	}
	roots, err := cli.LoadRoots(f.ca)
	if err != nil {
		return cli.Usage(err)
	}
	p := player{roots: roots, quiet: f.quiet, stderr: stderr}
	result := &versus.Result{Scenario: s.Name, Seed: s.Seed}
	result.Targets, err = versus.Play(ctx, names, func(ctx context.Context, i int) (*report.Report, error) {
		fmt.Fprintf(stderr, "against %s\n", names[i])
		return against(ctx, p, targets[i], s)
	})
	if len(result.Targets) == 0 {
		return err
	}
	written := errors.Join(summary.Write(stdout, result.WriteJSON), page.Write(stdout, result.WriteHTML), result.WriteText(cli.ForPeople(stdout, stderr, summary, page)))
	return errors.Join(err, written, result.Err(), verdict(result.Verdict()))
}

// against plays against one target. Bad usage and an interrupt are fatal: they
// concern the other targets, too.
func against(ctx context.Context, p player, t target.Flags, s *scenario.Scenario) (*report.Report, error) {
	measured, err := p.play(ctx, t, s)
	if ctx.Err() != nil {
		return nil, versus.Fatal{Err: cli.Interrupted(errors.New("the comparison was interrupted"))}
	}
	var marked *cli.ExitError
	if errors.As(err, &marked) {
		return nil, versus.Fatal{Err: err}
	}
	if measured == nil {
		return nil, err
	}
	return report.Judge(measured, s.Thresholds), err
}
