package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/earshot-audio/earshot/cmd/earshot/cli"
	"github.com/earshot-audio/earshot/internal/spelling"
	"github.com/earshot-audio/earshot/loadgen/scenario"
	"github.com/earshot-audio/earshot/scenarios"
)

// maxScenario is the longest scenario, in bytes, that standard input may bring.
const maxScenario = 1 << 20

// loadScenario reads a scenario: a file, one that comes with earshot, or - for what
// standard input brings.
func loadScenario(name string, stdin io.Reader) (*scenario.Scenario, error) {
	if name == "-" {
		text, err := io.ReadAll(io.LimitReader(stdin, maxScenario+1))
		if err == nil && len(text) > maxScenario {
			err = fmt.Errorf("it is longer than %d bytes", maxScenario)
		}
		if err != nil {
			return nil, fmt.Errorf("read scenario from standard input: %w", err)
		}
		return scenario.LoadText("standard input", text)
	}
	if isFile(name) {
		return scenario.Load(name)
	}
	own, long := strings.CutPrefix(name, scenario.BuiltIn)
	if !long && !slices.Contains(scenarios.Names(), own) {
		err := fmt.Errorf("there is no file %s, and no scenario of that name comes with earshot (see earshot scenario list)", name)
		return nil, spelling.Meant(err, name, scenarios.Names())
	}
	return scenario.Load(scenario.BuiltIn + own)
}

// isFile reports whether a scenario's name is a file's: of one that exists, or that a
// path or an ending says must.
func isFile(name string) bool {
	if strings.HasPrefix(name, scenario.BuiltIn) {
		return false
	}
	_, err := os.Stat(name)
	return !errors.Is(err, fs.ErrNotExist) || strings.ContainsAny(name, `/\`) || strings.HasSuffix(name, ".yaml") || strings.HasSuffix(name, ".yml")
}

// scenarioArgument checks that a command was given one scenario, and otherwise says
// which there are.
func scenarioArgument(c *cobra.Command, args []string) error {
	if len(args) == 0 {
		return cli.Usage(fmt.Errorf("%s takes a scenario: a file, - for standard input, or one of these, which come with earshot:\n\n%s\n(earshot init writes one of your own)", c.Name(), builtIns(terminalWidth(c.ErrOrStderr()))))
	}
	return cli.Arguments(cobra.ExactArgs(1))(c, args)
}

// builtIns lists the scenarios that come with earshot, with what each asks, for a terminal of so
// many columns; 0 is none.
func builtIns(width int) string {
	const names, besides = 17, 60 // columns: of the names, and from which on the questions go beside them
	var list strings.Builder
	for _, name := range scenarios.Names() {
		text, _ := scenarios.Read(name) // it is one of the names
		head, indent := fmt.Sprintf("  %-*s ", names, name), names+3
		if width > 0 && width < besides {
			head, indent = "  "+name+"\n    ", 4
		}
		list.WriteString(head + folded(scenarios.Question(text), indent, width) + "\n")
	}
	return list.String()
}

// completeScenario completes the names of scenarios, beside those of files.
func completeScenario(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	var all []cobra.Completion
	for _, name := range scenarios.Names() {
		text, _ := scenarios.Read(name) // it is one of the names
		all = append(all, cobra.CompletionWithDesc(name, scenarios.Question(text)))
	}
	return all, cobra.ShellCompDirectiveDefault
}

// standalone returns the text of a scenario that comes with earshot as it plays from any
// folder: without its folder's recordings and schema.
func standalone(text string) string {
	for _, name := range scenarios.Recordings() {
		text = strings.ReplaceAll(text, "audio/"+name+".ogg", scenario.BuiltIn+name)
	}
	if first, rest, ok := strings.Cut(text, "\n#\n"); ok && strings.HasPrefix(first, "# yaml-language-server:") {
		text = rest
	}
	return text
}
