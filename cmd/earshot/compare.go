package main

import (
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/earshot-audio/earshot/loadgen/compare"
	"github.com/earshot-audio/earshot/loadgen/report"
)

// compareFlags are the flags of earshot compare.
type compareFlags struct {
	base, new        []string
	failOnRegression string
}

func compareCommand() *cobra.Command {
	var f compareFlags
	c := &cobra.Command{
		Use:   "compare BASE.json NEW.json | compare --base FILE... --new FILE...",
		Short: "Tell what changed between runs, and whether it is more than noise",
		Long: `Compare the summaries of runs of two sides: what changed, and whether it is more
than noise. Medians of the runs are compared; a change is called one when the
Mann-Whitney U test gives chance alone 5 % or less, and is ~ otherwise. That takes
4 runs a side at least: earshot run --repeat 4 --summary base.json makes them.

With --fail-on-regression, exit codes: 0 no figure is worse by more, or chance may
have made it so; 98 invalid: a run was, a figure is missing, or one is worse by
more and there are too few runs to tell; 99 a figure is worse by more, and that is
more than noise.`,
		Example: `  earshot compare base.json new.json
  earshot compare --base base-*.json --new new-*.json --fail-on-regression 5%`,
		// pflag gives a flag one value; the shell makes many of base-*.json.
		DisableFlagParsing: true,
		RunE: func(c *cobra.Command, args []string) error {
			err := f.parse(c, args)
			if err != nil {
				return usage(fmt.Errorf("%w (see %s --help)", err, c.CommandPath()))
			}
			if help, _ := c.Flags().GetBool("help"); help {
				return c.Help()
			}
			return f.compare(c.OutOrStdout())
		},
	}
	flags := c.Flags()
	flags.StringArrayVar(&f.base, "base", nil, "summary `files` of the side to compare with")
	flags.StringArrayVar(&f.new, "new", nil, "summary `files` of the side that is compared")
	flags.StringVar(&f.failOnRegression, "fail-on-regression", "", "exit with 99 if a figure is worse by more than this `share`, like 5%, and more than noise")
	return c
}

// parse reads the flags and the files.
func (f *compareFlags) parse(c *cobra.Command, args []string) error {
	if err := c.Flags().Parse(spread(args)); err != nil {
		return err
	}
	files := c.Flags().Args()
	help, _ := c.Flags().GetBool("help")
	switch {
	case help:
	case len(f.base) == 0 && len(f.new) == 0 && len(files) == 2:
		f.base, f.new = files[:1], files[1:]
	case len(f.base) == 0 && len(f.new) == 0:
		return fmt.Errorf("give two summaries, or several with --base and --new: there are %d", len(files))
	case len(files) > 0:
		return fmt.Errorf("%s belongs to neither --base nor --new", files[0])
	case len(f.base) == 0 || len(f.new) == 0:
		return errors.New("--base and --new need a file each")
	}
	return nil
}

// spread repeats --base and --new before each of the files that follow them.
func spread(args []string) (all []string) {
	side := ""
	for i := 0; i < len(args); i++ {
		arg := args[i]
		switch {
		case arg == "--base" || arg == "--new":
			side = arg
			if i+1 == len(args) || strings.HasPrefix(args[i+1], "-") {
				all = append(all, arg) // pflag says what is missing
			}
		case arg == "--fail-on-regression":
			all = append(all, arg)
			if i++; i < len(args) {
				all = append(all, args[i])
			}
		case strings.HasPrefix(arg, "-"):
			side = ""
			all = append(all, arg)
		case side != "":
			all = append(all, side+"="+arg)
		default:
			all = append(all, arg)
		}
	}
	return all
}

// limit is the share of --fail-on-regression.
func (f *compareFlags) limit() (float64, error) {
	number, ok := strings.CutSuffix(f.failOnRegression, "%")
	v, err := strconv.ParseFloat(number, 64)
	if !ok || err != nil || v < 0 || v > 1e6 {
		return 0, fmt.Errorf("--fail-on-regression %q is no share: write it like 5%%", f.failOnRegression)
	}
	return v / 100, nil
}

func (f *compareFlags) compare(stdout io.Writer) error {
	gate := f.failOnRegression != ""
	var limit float64
	var err error
	if gate {
		if limit, err = f.limit(); err != nil {
			return usage(err)
		}
	}
	base, err := loadRuns(f.base)
	now, err2 := loadRuns(f.new)
	if err := errors.Join(err, err2); err != nil {
		return usage(err)
	}
	c := compare.Of(base, now)
	if err := c.WriteText(stdout); err != nil {
		return err
	}
	if !gate {
		if len(c.Invalid) > 0 {
			return &verdictError{report.Invalid}
		}
		return nil
	}
	return gateOn(c, limit, f.failOnRegression, stdout)
}

// gateOn says whether the new side is worse, and returns what the exit code is
// made from.
func gateOn(c *compare.Comparison, limit float64, text string, stdout io.Writer) error {
	sure, untold := c.Regressions(limit)
	var err error
	verdict := report.Pass
	switch {
	case len(c.Invalid) > 0:
		verdict = report.Invalid
		_, err = fmt.Fprintln(stdout, "\n? invalid: no regression can be told or ruled out")
	case len(untold) > 0:
		verdict = report.Invalid
		_, err = fmt.Fprintf(stdout, "\n? invalid: worse by more than %s, and too few runs to tell that from noise\n", text)
		err = errors.Join(err, compare.WriteRegressions(stdout, untold))
	case len(sure) > 0:
		verdict = report.Fail
		_, err = fmt.Fprintf(stdout, "\n✗ worse by more than %s\n", text)
		err = errors.Join(err, compare.WriteRegressions(stdout, sure))
	default:
		_, err = fmt.Fprintf(stdout, "\n✓ nothing is worse by more than %s\n", text)
	}
	if err != nil {
		return err
	}
	if verdict != report.Pass {
		return &verdictError{verdict}
	}
	return nil
}

func loadRuns(files []string) (runs []*compare.Run, err error) {
	for _, file := range files {
		r, e := compare.Load(file)
		if e != nil {
			err = errors.Join(err, e)
			continue
		}
		runs = append(runs, r)
	}
	return runs, err
}
