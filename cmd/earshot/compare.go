package main

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/earshot-audio/earshot/cmd/earshot/cli"
	"github.com/earshot-audio/earshot/internal/decimal"
	"github.com/earshot-audio/earshot/loadgen/compare"
	"github.com/earshot-audio/earshot/loadgen/report"
)

// compareFlags are the flags of earshot compare.
type compareFlags struct {
	base, new        []string
	failOnRegression string
	allow            []string
}

func compareCommand() *cobra.Command {
	var f compareFlags
	c := &cobra.Command{
		Use:   "compare BASE.json NEW.json | compare --base FILE... --new FILE...",
		Short: "Say whether the runs of a new version are worse than those of a base",
		Long: `Compare the summaries of runs of two sides. Figures that have a threshold are
judged, by the interval of the ratio of new to base; all others are only shown.
Make the runs with earshot run --repeat 5 --summary base.json, at least 3 a side.
Best play them in turn (base, new, base, new …): then neighbours are compared.

With --fail-on-regression, exit codes: 0 no judged figure is worse by more than
the limit; 99 one is, and that is more than noise (the chance of a false alarm is
under 5 %, over all figures together); 98 invalid, or the runs can't decide: then
the report says how many more would. Runs of different machines, versions of
earshot or scenarios are 98, too, unless --allow names the difference.`,
		Example: `  earshot compare base.json new.json
  earshot compare --base base-*.json --new new-*.json --fail-on-regression 5% --allow version`,
		// pflag gives a flag one value; the shell makes many of base-*.json.
		DisableFlagParsing: true,
		RunE: func(c *cobra.Command, args []string) error {
			err := f.parse(c, args)
			if err != nil {
				return cli.Usage(fmt.Errorf("%w (see %s --help)", err, c.CommandPath()))
			}
			if help, _ := c.Flags().GetBool("help"); help {
				return c.Help()
			}
			return f.compare(c.OutOrStdout())
		},
	}
	flags := c.Flags()
	flags.StringArrayVar(&f.base, "base", nil, "summary `files` of the base")
	flags.StringArrayVar(&f.new, "new", nil, "summary `files` of the new side")
	flags.StringVar(&f.failOnRegression, "fail-on-regression", "", "exit with 99 if a judged figure is worse by more than this `share`, like 5%")
	flags.StringSliceVar(&f.allow, "allow", nil, "compare runs that differ in this: `"+strings.Join(compare.Differences(), ", ")+"` (repeatable)")
	return c
}

// parse reads the flags and the arguments.
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
		return fmt.Errorf("give two summaries, or several with --base and --new: %d given", len(files))
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
		case arg == "--fail-on-regression" || arg == "--allow":
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
	if !ok || !decimal.Is(number) || err != nil || v < 0 || v > 1e6 {
		return 0, fmt.Errorf("--fail-on-regression %q is not a share: write it like 5%%", f.failOnRegression)
	}
	return v / 100, nil
}

func (f *compareFlags) compare(stdout io.Writer) error {
	o := compare.Options{Allow: f.allow}
	for _, name := range f.allow {
		if !slices.Contains(compare.Differences(), name) {
			return cli.Usage(fmt.Errorf("--allow %q is none of %s", name, strings.Join(compare.Differences(), ", ")))
		}
	}
	gate := f.failOnRegression != ""
	if gate {
		limit, err := f.limit()
		if err != nil {
			return cli.Usage(err)
		}
		o.Limit = limit
	}
	base, err := loadRuns(f.base)
	now, err2 := loadRuns(f.new)
	if err := errors.Join(err, err2); err != nil {
		return cli.Usage(err)
	}
	c := compare.Of(base, now, o)
	if err := c.WriteText(stdout); err != nil {
		return err
	}
	if gate {
		if err := c.WriteOutcome(stdout); err != nil {
			return err
		}
	}
	switch outcome := c.Outcome(); {
	case len(c.Invalid) > 0 || gate && outcome == compare.Unclear:
		return verdict(report.Invalid)
	case gate && outcome == compare.Worse:
		return verdict(report.Fail)
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
