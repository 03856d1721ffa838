package cli

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/earshot-audio/earshot/internal/spelling"
)

// Arguments wraps cobra's check of a command's arguments, so that a wrong number of
// arguments is bad usage.
func Arguments(check cobra.PositionalArgs) cobra.PositionalArgs {
	return func(c *cobra.Command, args []string) error {
		if err := check(c, args); err != nil {
			return Usage(fmt.Errorf("%w (see %s --help)", err, c.CommandPath()))
		}
		return nil
	}
}

// NoCommand refuses a word that is no command, and says which was meant.
func NoCommand(c *cobra.Command, args []string) error {
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
	return Usage(fmt.Errorf("%w (see %s --help)", err, c.CommandPath()))
}

// Complete registers what the shell offers for a flag, which the command has.
func Complete(c *cobra.Command, flag string, offer cobra.CompletionFunc) {
	// It fails only for a flag that is not there.
	_ = c.RegisterFlagCompletionFunc(flag, offer)
}
