package main

import (
	"context"
	"fmt"
	"io"

	"github.com/spf13/cobra"
)

// run is the program. Results go to stdout; progress, logs and errors go to stderr.
// It returns an error that has been printed and that has an exit code.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	root := &cobra.Command{
		Use:   "earshot",
		Short: "Load-test live audio, with real WebRTC listeners and a verdict",
		Long: `earshot plays load scenarios against live-audio servers with real WebRTC
clients, measures what every listener received, and says pass, fail or invalid.
It has a server of its own, and plays against any WHIP/WHEP server as well.`,
		Example: `  earshot run scenarios/smoke.yaml
  earshot serve --open`,
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return c.Help()
		},
	}
	root.SetArgs(args)
	root.SetOut(stdout)
	root.SetErr(stderr)
	root.CompletionOptions.HiddenDefaultCmd = true
	root.AddCommand(serveCommand(), runCommand(), capacityCommand(), versusCommand(), leagueCommand(), compareCommand(), scenarioCommand(), summaryCommand(),
		roomCommand(), inviteCommand(), auditCommand(), versionCommand())
	for _, c := range append(root.Commands(), root) {
		c.SetFlagErrorFunc(func(c *cobra.Command, err error) error {
			return usage(fmt.Errorf("%w (see %s --help)", err, c.CommandPath()))
		})
	}
	err := root.ExecuteContext(ctx)
	if err != nil && !isVerdict(err) {
		fmt.Fprintln(stderr, "earshot:", err)
	}
	return err
}

// arguments wraps cobra's check of a command's arguments, so that a wrong number of
// arguments is bad usage.
func arguments(check cobra.PositionalArgs) cobra.PositionalArgs {
	return func(c *cobra.Command, args []string) error {
		if err := check(c, args); err != nil {
			return usage(fmt.Errorf("%w (see %s --help)", err, c.CommandPath()))
		}
		return nil
	}
}
