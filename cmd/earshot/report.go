package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"github.com/earshot-audio/earshot/cmd/earshot/cli"
	"github.com/earshot-audio/earshot/loadgen/report"
)

func reportCommand() *cobra.Command {
	var out outputs
	var term terminalFlags
	c := &cobra.Command{
		Use:   "report SUMMARY",
		Short: "Make the report of a run again from its summary",
		Long: `Make the report of a run again from what earshot run --summary wrote: as text, and as
the files that flags name. The verdict is the one of the run; the exit code is 0 whatever it was.
- is standard input.`,
		Example: `  earshot report summary.json --html report.html
  earshot report summary.json --full`,
		Args: cli.Arguments(cobra.ExactArgs(1)),
		RunE: func(c *cobra.Command, args []string) error {
			if err := errors.Join(cli.CheckFiles(out.names()...), term.check()); err != nil {
				return cli.Usage(err)
			}
			r, err := readReport(args[0], c.InOrStdin())
			if err != nil {
				return cli.Usage(err)
			}
			text := cli.ForPeople(c.OutOrStdout(), c.ErrOrStderr(), out.names()...)
			return errors.Join(out.write(r, c.OutOrStdout()), r.WriteTerminal(text, term.of(text)))
		},
	}
	out.bindReports(c.Flags())
	term.bind(c)
	return c
}

// readReport reads a summary; - is stdin.
func readReport(path string, stdin io.Reader) (*report.Report, error) {
	name := "standard input"
	if path != "-" {
		text, err := os.ReadFile(path)
		if err != nil {
			return nil, fmt.Errorf("read summary: %w", err)
		}
		name, stdin = path, bytes.NewReader(text)
	}
	r, err := report.Read(stdin)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return r, nil
}
