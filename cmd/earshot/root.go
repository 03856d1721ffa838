package main

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/earshot-audio/earshot/internal/printable"
	"github.com/earshot-audio/earshot/internal/spelling"
	"github.com/earshot-audio/earshot/internal/urltext"
)

// run is the program. Results go to stdout; progress, logs and errors go to stderr.
// It returns an error that has been printed and that has an exit code.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	root := newRoot(stdout, stderr)
	root.SetArgs(args)
	err := root.ExecuteContext(ctx)
	if said := beyondVerdict(err); said != nil {
		fmt.Fprintln(stderr, "earshot:", printable.Lines(urltext.Scrub(said.Error()))) // it may quote the target
	}
	return err
}

// newRoot is the program's command with all commands below it.
func newRoot(stdout, stderr io.Writer) *cobra.Command {
	root := &cobra.Command{
		Use:   "earshot",
		Short: "Load-test live audio, with real WebRTC listeners and a verdict",
		Long: `earshot plays load scenarios against live-audio servers with real WebRTC
clients, measures what every listener received, and says pass, fail or invalid.
It has a server of its own, and plays against any WHIP/WHEP server as well.`,
		Example: `  earshot run smoke
  earshot serve --open`,
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          noCommand,
		RunE: func(c *cobra.Command, _ []string) error {
			return c.Help()
		},
	}
	root.SetOut(stdout)
	root.SetErr(stderr)
	root.Version = version()
	root.SetVersionTemplate("earshot {{.Version}}\n")
	root.AddCommand(serveCommand(), runCommand(), workerCommand(), initCommand(), capacityCommand(), versusCommand(), leagueCommand(), compareCommand(), scenarioCommand(), reportCommand(), summaryCommand(),
		roomCommand(), nodeCommand(), inviteCommand(), auditCommand(), versionCommand(), stateServerCommand())
	for _, c := range append(root.Commands(), root) {
		c.SetFlagErrorFunc(func(c *cobra.Command, err error) error {
			return usage(fmt.Errorf("%w (see %s --help)", meantFlag(c, err), c.CommandPath()))
		})
	}
	decimalFlags(root)
	return root
}

// noCommand refuses a word that is no command, and says which was meant.
func noCommand(c *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	var names []string
	for _, known := range c.Commands() {
		if known.IsAvailableCommand() {
			names = append(names, known.Name())
		}
	}
	err := spelling.Meant(fmt.Errorf("unknown command %q", args[0]), args[0], names)
	return usage(fmt.Errorf("%w (see %s --help)", err, c.CommandPath()))
}

// meantFlag adds to the error over an unknown flag which one was meant.
func meantFlag(c *cobra.Command, err error) error {
	var unknown *pflag.NotExistError
	if !errors.As(err, &unknown) {
		return err
	}
	var names []string
	c.Flags().VisitAll(func(f *pflag.Flag) {
		if !f.Hidden {
			names = append(names, "--"+f.Name)
		}
	})
	return spelling.Meant(err, "--"+unknown.GetSpecifiedName(), names)
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
