package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/earshot-audio/earshot/cmd/earshot/cli"
	"github.com/earshot-audio/earshot/cmd/earshot/console"
	"github.com/earshot-audio/earshot/cmd/earshot/server"
	"github.com/earshot-audio/earshot/cmd/earshot/target"
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
		Args:          cli.NoCommand,
		RunE: func(c *cobra.Command, _ []string) error {
			return c.Help()
		},
	}
	root.SetOut(stdout)
	root.SetErr(stderr)
	root.Version = cli.Version()
	root.SetVersionTemplate("earshot {{.Version}}\n")
	root.AddCommand(server.Command(), runCommand(), workerCommand(), initCommand(), capacityCommand(), versusCommand(), leagueCommand(), compareCommand(), scenarioCommand(), reportCommand(), summaryCommand(),
		versionCommand(), target.StateServerCommand())
	root.AddCommand(console.Commands()...)
	for _, c := range append(root.Commands(), root) {
		c.SetFlagErrorFunc(func(c *cobra.Command, err error) error {
			return cli.Usage(fmt.Errorf("%w (see %s --help)", meantFlag(c, err), c.CommandPath()))
		})
	}
	cli.DecimalFlags(root)
	cli.RefuseUnknown(root)
	width := terminalWidth(stdout)
	fitHelp(root, width)
	root.SetUsageTemplate(strings.ReplaceAll(root.UsageTemplate(), ".FlagUsages", fmt.Sprintf(".FlagUsagesWrapped %d", width)))
	return root
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
