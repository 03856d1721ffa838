package main

import (
	"regexp"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/earshot-audio/earshot/internal/shellword"
	"github.com/earshot-audio/earshot/internal/urltext"
)

// shownOnly are the flags that say where and how a result is shown: without them a run is
// the same.
var shownOnly = []string{"summary", "html", "junit", "csv", "dashboard", "prometheus", "remote-write", "otlp", "label", "color", "full", "quiet"}

// secretFlag matches the names of flags whose values let somebody in.
var secretFlag = regexp.MustCompile(`token|secret|password|key`)

// again is the command line that plays a run again, for its report. It has … for secrets.
func again(c *cobra.Command, args []string) string {
	words := []string{c.CommandPath()}
	for _, a := range args {
		words = append(words, shellword.Quote(a))
	}
	c.Flags().Visit(func(f *pflag.Flag) {
		if !slices.Contains(shownOnly, f.Name) {
			words = append(words, flagWords(f)...)
		}
	})
	return strings.Join(words, " ")
}

// flagWords are a flag and its values, as one gives them in a shell. It has … for secrets.
func flagWords(f *pflag.Flag) (words []string) {
	values := []string{f.Value.String()}
	if several, ok := f.Value.(pflag.SliceValue); ok {
		values = several.GetSlice()
	}
	for _, v := range values {
		switch {
		case f.Value.Type() == "bool" && v == "true":
			words = append(words, "--"+f.Name)
		case f.Value.Type() == "bool":
			words = append(words, "--"+f.Name+"="+v)
		case secretFlag.MatchString(f.Name):
			words = append(words, "--"+f.Name, urltext.Hidden)
		default:
			words = append(words, "--"+f.Name, shellword.Quote(urltext.Scrub(v)))
		}
	}
	return words
}
