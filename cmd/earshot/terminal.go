package main

import (
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/earshot-audio/earshot/cmd/earshot/cli"
	"github.com/earshot-audio/earshot/internal/spelling"
	"github.com/earshot-audio/earshot/loadgen/report"
)

// terminalFlags say how a report is printed.
type terminalFlags struct {
	full   bool
	colour string
}

// bind adds the flags to a command.
func (f *terminalFlags) bind(c *cobra.Command) {
	flags := c.Flags()
	flags.BoolVar(&f.full, "full", false, "print every metric, and more of the generator")
	flags.StringVar(&f.colour, "color", "auto", "`when` to print in colour: auto, always or never")
	cli.Complete(c, "color", cobra.FixedCompletions(colours, cobra.ShellCompDirectiveNoFileComp))
}

// colours are the values of --color.
var colours = []string{"auto", "always", "never"}

func (f terminalFlags) check() error {
	if slices.Contains(colours, f.colour) {
		return nil
	}
	return fmt.Errorf("unknown --color %q: %s", f.colour, spelling.Hint(f.colour, colours))
}

// of is what w is, as the flags and the environment have it: NO_COLOR and TERM=dumb.
func (f terminalFlags) of(w io.Writer) report.Terminal {
	width := terminalWidth(w)
	_, plain := os.LookupEnv("NO_COLOR")
	auto := f.colour == "auto" && width > 0 && !plain && !dumb()
	return report.Terminal{Width: width, Colour: f.colour == "always" || auto, Full: f.full}
}

// dumb reports whether the terminal can't draw over a line.
func dumb() bool { return os.Getenv("TERM") == "dumb" }

// terminalWidth is the number of columns of a terminal; 0 if w is none.
func terminalWidth(w io.Writer) int {
	f, ok := w.(interface{ Fd() uintptr })
	if !ok || !term.IsTerminal(int(f.Fd())) {
		return 0
	}
	const usual = 80
	if width, _, err := term.GetSize(int(f.Fd())); err == nil && width > 0 {
		return width
	}
	return usual
}

// fitHelp fits the help of a command, and of those below it, to a terminal of so many columns; 0 is
// none. Long lines of prose are hard to read, so they have 80 columns at most.
func fitHelp(c *cobra.Command, width int) {
	const prose = 80
	at := prose
	if width > 0 {
		at = min(width, prose)
	}
	paragraphs := strings.Split(c.Long, "\n\n")
	for i, text := range paragraphs {
		if text != "" && !strings.ContainsAny(text[:1], " \t") { // else it is a list, or a line to copy
			paragraphs[i] = folded(text, 0, at)
		}
	}
	c.Long = strings.Join(paragraphs, "\n\n")
	for _, below := range c.Commands() {
		fitHelp(below, width)
	}
}

// folded breaks a text at its spaces where a line, with the indent, has more than width columns;
// 0 is no limit.
func folded(text string, indent, width int) string {
	var b strings.Builder
	at := indent
	for i, word := range strings.Fields(text) {
		n := utf8.RuneCountInString(word)
		switch {
		case i == 0:
		case width > 0 && at+1+n > width:
			b.WriteString("\n" + strings.Repeat(" ", indent))
			at = indent
		default:
			b.WriteString(" ")
			at++
		}
		b.WriteString(word)
		at += n
	}
	return b.String()
}
