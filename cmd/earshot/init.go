package main

import (
	_ "embed"
	"errors"
	"fmt"
	"io/fs"

	"github.com/spf13/cobra"

	"github.com/earshot-audio/earshot/cmd/earshot/cli"
	"github.com/earshot-audio/earshot/internal/wholefile"
)

// template is the scenario that earshot init writes.
//
//go:embed init.yaml
var template []byte

func initCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "init [FILE]",
		Short: "Write a scenario to begin with",
		Long: `Write a scenario with comments to FILE (scenario.yaml), to change and to play. It
plays as it is. A file that exists is left alone.`,
		Example: "  earshot init\n  earshot init talk.yaml",
		Args:    cli.Arguments(cobra.MaximumNArgs(1)),
		RunE: func(c *cobra.Command, args []string) error {
			file := "scenario.yaml"
			if len(args) > 0 {
				file = args[0]
			}
			if err := writeNew(file, template); err != nil {
				return cli.Usage(err)
			}
			fmt.Fprintf(c.OutOrStdout(), "wrote %s\nplay it: earshot run %s\n", file, file)
			return nil
		},
	}
}

// writeNew writes a file that must not exist.
func writeNew(file string, data []byte) error {
	err := wholefile.New(file, data)
	if errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("%s exists: give another name, as in earshot init talk.yaml", file)
	}
	return err
}
