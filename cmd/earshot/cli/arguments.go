package cli

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/earshot-audio/earshot/internal/spelling"
)

// Arguments wraps cobra's check of a command's arguments, so that a wrong number of
// arguments is bad usage, in words that say how the command is written.
func Arguments(check cobra.PositionalArgs) cobra.PositionalArgs {
	return func(c *cobra.Command, args []string) error {
		switch err := check(c, args); {
		case err == nil:
			return nil
		case c.HasSubCommands() && len(args) > 0:
			return NoCommand(c, args)
		}
		expected := positional(c)
		what := "an argument is missing"
		switch {
		case len(args) < len(expected):
			what = expected[len(args)] + " is missing"
		case len(args) > len(expected):
			what = fmt.Sprintf("unexpected argument %q", args[len(expected)])
		}
		return Usage(fmt.Errorf("%s: write %s (see %s --help)", what,
			strings.Join(append([]string{c.CommandPath()}, expected...), " "), c.CommandPath()))
	}
}

// positional are the arguments of a command, as its usage names them before any flag.
func positional(c *cobra.Command) (names []string) {
	for _, word := range strings.Fields(c.Use)[1:] {
		if strings.HasPrefix(word, "-") || word == "|" {
			break
		}
		names = append(names, word)
	}
	return names
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

// RefuseUnknown lets cobra's own commands, help and completion, refuse a word that is no command, as
// [NoCommand] does.
func RefuseUnknown(root *cobra.Command) {
	root.InitDefaultHelpCmd()
	root.InitDefaultCompletionCmd()
	for _, c := range root.Commands() {
		switch c.Name() {
		case "help":
			c.Args = func(_ *cobra.Command, topic []string) error {
				if found, rest, _ := root.Find(topic); found.HasSubCommands() {
					return NoCommand(found, rest)
				}
				return nil
			}
		case "completion":
			c.Args = NoCommand
			c.RunE = func(c *cobra.Command, _ []string) error { return c.Help() }
		}
	}
}

// Complete registers what the shell offers for a flag, which the command has.
func Complete(c *cobra.Command, flag string, offer cobra.CompletionFunc) {
	// It fails only for a flag that is not there.
	_ = c.RegisterFlagCompletionFunc(flag, offer)
}
