package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/earshot-audio/earshot/cmd/earshot/cli"
	"github.com/earshot-audio/earshot/loadgen/scenario"
	"github.com/earshot-audio/earshot/scenarios"
)

func scenarioCommand() *cobra.Command {
	c := &cobra.Command{
		Use:     "scenario",
		Short:   "List, show and check scenarios, or print their schema",
		Example: "  earshot scenario list\n  earshot scenario show smoke > my.yaml\n  earshot scenario check my.yaml",
		Args:    cli.NoCommand,
		RunE:    func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	c.AddCommand(&cobra.Command{
		Use:     "list",
		Short:   "List the scenarios that come with earshot, and what each asks",
		Example: "  earshot scenario list",
		Args:    cli.Arguments(cobra.NoArgs),
		RunE: func(c *cobra.Command, _ []string) error {
			_, err := fmt.Fprint(c.OutOrStdout(), builtIns(terminalWidth(c.OutOrStdout())))
			return err
		},
	}, &cobra.Command{
		Use:               "show NAME",
		Short:             "Print a scenario that comes with earshot, to change and to play",
		Example:           "  earshot scenario show smoke",
		Args:              cli.Arguments(cobra.ExactArgs(1)),
		ValidArgsFunction: completeScenario,
		RunE: func(c *cobra.Command, args []string) error {
			text, err := scenarios.Read(strings.TrimPrefix(args[0], scenario.BuiltIn))
			if err != nil {
				return cli.Usage(err)
			}
			_, err = fmt.Fprint(c.OutOrStdout(), standalone(string(text)))
			return err
		},
	}, &cobra.Command{
		Use:     "check FILE...",
		Short:   "Validate scenario files without running them",
		Example: "  earshot scenario check scenarios/smoke.yaml",
		Args:    cli.Arguments(cobra.MinimumNArgs(1)),
		RunE: func(c *cobra.Command, files []string) error {
			var errs []error
			for _, f := range files {
				s, err := loadScenario(f, c.InOrStdin())
				if err != nil {
					errs = append(errs, err)
					continue
				}
				fmt.Fprintf(c.OutOrStdout(), "✓ %s: %s\n", f, s.Name)
				cli.Warn(c.ErrOrStderr(), s.Warnings)
			}
			if err := errors.Join(errs...); err != nil {
				return cli.Usage(err)
			}
			return nil
		},
	}, &cobra.Command{
		Use:     "schema",
		Short:   "Print the JSON Schema of scenario files",
		Example: "  earshot scenario schema > schema.json",
		Args:    cli.Arguments(cobra.NoArgs),
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
