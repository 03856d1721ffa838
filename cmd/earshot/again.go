package main

import (
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/earshot-audio/earshot/cmd/earshot/cli"
	"github.com/earshot-audio/earshot/internal/shellword"
)

// shownOnly are the flags that say where and how a result is shown: without them a run is
// the same.
var shownOnly = []string{"summary", "html", "junit", "csv", "dashboard", "prometheus", "remote-write", "otlp", "label", "color", "full", "quiet"}

// again is the command line that plays a run again, for its report. It has … for secrets.
func again(c *cobra.Command, args []string) string {
	words := []string{c.CommandPath()}
	for _, a := range args {
		words = append(words, shellword.Quote(a))
	}
	c.Flags().Visit(func(f *pflag.Flag) {
		if !slices.Contains(shownOnly, f.Name) {
			words = append(words, cli.FlagWords(f)...)
		}
	})
	return strings.Join(words, " ")
}
