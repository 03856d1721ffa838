package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/earshot-audio/earshot/loadgen/scenario"
)

func scenarioCommand() *cobra.Command {
	c := &cobra.Command{
		Use:     "scenario",
		Short:   "Check scenario files, or print their schema",
		Example: "  earshot scenario check scenarios/smoke.yaml\n  earshot scenario schema",
		Args:    arguments(cobra.NoArgs),
		RunE:    func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	c.AddCommand(&cobra.Command{
		Use:     "check FILE...",
		Short:   "Validate scenario files without running them",
		Example: "  earshot scenario check scenarios/smoke.yaml",
		Args:    arguments(cobra.MinimumNArgs(1)),
		RunE: func(c *cobra.Command, files []string) error {
			var errs []error
			for _, f := range files {
				s, err := scenario.Load(f)
				if err != nil {
					errs = append(errs, err)
					continue
				}
				fmt.Fprintf(c.OutOrStdout(), "✓ %s: %s\n", f, s.Name)
			}
			if err := errors.Join(errs...); err != nil {
				return usage(err)
			}
			return nil
		},
	}, &cobra.Command{
		Use:     "schema",
		Short:   "Print the JSON Schema of scenario files",
		Example: "  earshot scenario schema > schema.json",
		Args:    arguments(cobra.NoArgs),
		RunE: func(c *cobra.Command, _ []string) error {
			schema, err := scenario.Schema()
			if err != nil {
				return err
			}
			_, err = c.OutOrStdout().Write(schema)
			return err
		},
	})
	return c
}
