package main

import (
	"errors"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// errNotDecimal refuses a number in another form than people count in, which Go would
// read: 010 as 8.
var errNotDecimal = errors.New("it is no decimal number: write it like 10, without leading zeros, 0x, exponents or _")

// decimalFlags lets the flags of a command and of those below it take numbers in decimal
// alone.
func decimalFlags(c *cobra.Command) {
	for _, flags := range []*pflag.FlagSet{c.Flags(), c.PersistentFlags()} {
		flags.VisitAll(func(f *pflag.Flag) {
			if kind := f.Value.Type(); strings.HasPrefix(kind, "int") || strings.HasPrefix(kind, "uint") || strings.HasPrefix(kind, "float") {
				f.Value = decimal{f.Value}
			}
		})
	}
	for _, below := range c.Commands() {
		decimalFlags(below)
	}
}

// decimal is the value of a flag that is a number.
type decimal struct{ pflag.Value }

// Set implements pflag.Value.
func (d decimal) Set(text string) error {
	if !isDecimal(text) {
		return errNotDecimal
	}
	return d.Value.Set(text)
}

// isDecimal reports whether a number is in the one form that is taken. What is no number
// at all is left for others to refuse, in their words.
func isDecimal(text string) bool {
	digits := strings.TrimLeft(text, "+-")
	if digits == "" || strings.Trim(digits[:1], "0123456789.") != "" {
		return true
	}
	whole, _, _ := strings.Cut(digits, ".")
	return strings.Trim(digits, "0123456789.") == "" && (len(whole) < 2 || whole[0] != '0')
}
