package cli

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/earshot-audio/earshot/internal/decimal"
)

// DecimalFlags lets the flags of a command and of those below it take numbers and lengths of
// time in decimal alone.
func DecimalFlags(c *cobra.Command) {
	for _, flags := range []*pflag.FlagSet{c.Flags(), c.PersistentFlags()} {
		flags.VisitAll(func(f *pflag.Flag) {
			switch kind := f.Value.Type(); {
			case kind == "duration":
				f.Value = decimalFlag{f.Value, decimal.IsDuration}
				if f.DefValue == "0s" {
					f.DefValue = "" // it stands for none, which help does not show
				}
			case strings.HasPrefix(kind, "int"), strings.HasPrefix(kind, "uint"), strings.HasPrefix(kind, "float"):
				f.Value = decimalFlag{f.Value, decimal.Is}
			}
		})
	}
	for _, below := range c.Commands() {
		DecimalFlags(below)
	}
}

// A decimalFlag is the value of a flag that is a number or a length of time.
type decimalFlag struct {
	pflag.Value
	is func(text string) bool
}

// Set implements pflag.Value.
func (d decimalFlag) Set(text string) error {
	if !d.is(text) {
		return decimal.ErrForm
	}
	err := d.Value.Set(text)
	if _, unitless := strconv.ParseFloat(text, 64); err != nil && unitless == nil && d.Value.Type() == "duration" {
		return fmt.Errorf("it has no unit: write it like %ss", text)
	}
	return err
}
