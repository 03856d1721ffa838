package main

import (
	"github.com/spf13/cobra"

	"github.com/earshot-audio/earshot/cmd/earshot/cli"
	"github.com/earshot-audio/earshot/loadgen/report"
)

func summaryCommand() *cobra.Command {
	c := &cobra.Command{
		Use:     "summary",
		Short:   "Print the schema of the summaries of runs",
		Example: "  earshot summary schema",
		Args:    cli.Arguments(cobra.NoArgs),
		RunE:    func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	c.AddCommand(&cobra.Command{
		Use:     "schema",
		Short:   "Print the JSON Schema of what earshot run --summary writes",
		Example: "  earshot summary schema > summary.schema.json",
		Args:    cli.Arguments(cobra.NoArgs),
		RunE: func(c *cobra.Command, _ []string) error {
			schema, err := report.Schema()
			if err != nil {
				return err
			}
			_, err = c.OutOrStdout().Write(schema)
			return err
		},
	})
	return c
}
