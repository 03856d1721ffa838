package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"golang.org/x/term"

	"github.com/earshot-audio/earshot/loadgen"
	"github.com/earshot-audio/earshot/loadgen/driver"
	"github.com/earshot-audio/earshot/loadgen/host"
	"github.com/earshot-audio/earshot/loadgen/report"
	"github.com/earshot-audio/earshot/loadgen/scenario"
)

// runFlags are the flags of earshot run.
type runFlags struct {
	targetFlags
	ca               string
	listeners        int
	hold             time.Duration
	seed             int64
	thresholds       []string
	repeat           int
	out              outputs
	watch            watchFlags
	quiet            bool
}

func runCommand() *cobra.Command {
	var f runFlags
	c := &cobra.Command{
		Use:   "run SCENARIO",
		Short: "Play a scenario and say pass, fail or invalid",
		Long: `Play a scenario: real WebRTC clients fill its rooms, and a report says what each
listener received and whether the thresholds hold.

Without --target, a server of its own is started in a child process and stopped
at the end. Exit codes: 0 pass, 1 could not run, 2 bad usage or scenario,
98 invalid (a threshold had no data, or the figures can't be trusted),
99 thresholds crossed, 130 interrupted.`,
		Example: `  earshot run scenarios/smoke.yaml
  earshot run scenarios/smoke.yaml --target http://127.0.0.1:7080
  earshot run scenarios/smoke.yaml --driver whep --whip-url http://127.0.0.1:8889/{room}/whip --whep-url http://127.0.0.1:8889/{room}/whep`,
		Args: arguments(cobra.ExactArgs(1)),
		RunE: func(c *cobra.Command, args []string) error {
			changed := c.Flags().Changed
			return play(c.Context(), args[0], f, changed, c.OutOrStdout(), c.ErrOrStderr())
		},
	}
	flags := c.Flags()
	f.targets(c)
	flags.IntVar(&f.listeners, "listeners", 0, "cast `N` listeners a room instead of the scenario's")
	f.changes(flags)
	flags.StringArrayVar(&f.thresholds, "threshold", nil, "add a threshold, as `'metric: expression'` (repeatable)")
	flags.IntVar(&f.repeat, "repeat", 1, "play `N` times; run i's files get -i before their extension")
	f.out.flags(flags)
	f.watch.flags(flags)
	flags.BoolVarP(&f.quiet, "quiet", "q", false, "print the verdict alone")
	return c
}

// trusted adds the flag that says whose certificates a target may have.
func (f *runFlags) trusted(flags *pflag.FlagSet) {
	flags.StringVar(&f.ca, "ca", "", "`file` of certificate authorities (PEM) to trust beside the system's")
}

// changes adds the flags that override the scenario whatever it is played for.
func (f *runFlags) changes(flags *pflag.FlagSet) {
	flags.DurationVar(&f.hold, "hold", 0, "hold the steady state for this `time` instead of the scenario's")
	flags.Int64Var(&f.seed, "seed", 0, "play with this `seed` instead of the scenario's")
}

// play plays a scenario file.
func play(ctx context.Context, path string, f runFlags, changed func(string) bool, stdout, stderr io.Writer) error {
	s, err := f.scenario(path, changed)
	if err != nil {
		return usage(err)
	}
	for _, w := range s.Warnings {
		fmt.Fprintln(stderr, "earshot: warning:", w)
	}
	if err := f.preflight(s, stderr); err != nil {
		return err
	}
	if err := f.out.check(f.repeat); err != nil {
		return usage(err)
	}
	trust, err := f.trust()
	if err != nil {
		return usage(err)
	}
	watching, err := f.watch.open(stderr)
	if err != nil {
		return err
	}
	err = f.repeated(stdout, func(out outputs) error {
		return f.once(ctx, s, trust, out, watching, stdout, stderr)
	})
	return errors.Join(err, watching.Close())
}

// preflight says what of this machine is too small for the scenario.
func (f runFlags) preflight(s *scenario.Scenario, stderr io.Writer) error {
	warnings, err := loadgen.Preflight(host.CurrentLimits(), s, f.ownServer())
	for _, w := range warnings {
		fmt.Fprintln(stderr, "earshot: warning:", w)
	}
	return err
}

// once plays the scenario one time.
func (f runFlags) once(ctx context.Context, s *scenario.Scenario, trust *tls.Config, out outputs, watching watchers, stdout, stderr io.Writer) error {
	result, err := f.measure(ctx, s, trust, watching, stderr)
	switch {
	case result == nil:
		return err
	case errors.Is(err, errServerDied):
		// What was measured until then is worth reading, and is no verdict.
		_ = f.tell(result, s, out, watching, stdout)
		return err
	}
	return errors.Join(f.tell(result, s, out, watching, stdout), err)
}

// measure plays the scenario against its target, or a server of its own, and
// returns what was measured; with an error, that there is no result or that
// something went wrong beside it.
func (f runFlags) measure(ctx context.Context, s *scenario.Scenario, trust *tls.Config, watching watchers, stderr io.Writer) (*loadgen.Result, error) {
	defer spareCollector()()
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	cfg := loadgen.Config{Scenario: s}
	server, err := f.connect(ctx, &cfg, trust, cancel)
	if err != nil {
		return nil, err
	}
	progress := report.NewProgress(stderr, isTerminal(stderr))
	if !f.quiet {
		cfg.Progress = progress.Show
	}
	cfg.Watch = watching.follow(&cfg)
	result, err := loadgen.Run(ctx, cfg)
	progress.Done()
	stopped := server.Close()
	died := context.Cause(ctx)
	switch {
	case errors.Is(died, errServerDied):
		return result, died
	case errors.Is(err, driver.ErrUnsupported):
		return nil, usage(err)
	case err != nil && ctx.Err() != nil:
		return nil, interrupted(fmt.Errorf("interrupted before anything was measured: %w", err))
	case err != nil:
		return nil, errors.Join(err, stopped)
	}
	return result, stopped
}

// tell reports a result, and returns what the exit code is made from.
func (f runFlags) tell(result *loadgen.Result, s *scenario.Scenario, out outputs, watching watchers, stdout io.Writer) error {
	r := report.Judge(result, s.Thresholds)
	watching.finish(r)
	var err error
	if f.quiet {
		err = r.WriteVerdict(stdout)
	} else {
		err = r.WriteText(stdout)
	}
	err = errors.Join(err, out.write(r))
	switch {
	case err != nil:
		return err
	case result.Interrupted:
		return interrupted(errors.New("the run was interrupted; the report is about what ran"))
	case r.Verdict != report.Pass:
		return &verdictError{r.Verdict}
	}
	return nil
}

// scenario reads the file and applies what the flags override.
func (f runFlags) scenario(path string, changed func(string) bool) (*scenario.Scenario, error) {
	s, err := scenario.Load(path)
	if err != nil {
		return nil, err
	}
	if changed("listeners") {
		if s, err = s.WithListeners(f.listeners); err != nil {
			return nil, fmt.Errorf("--listeners: %w", err)
		}
	}
	if changed("hold") {
		if s, err = s.WithHold(f.hold); err != nil {
			return nil, fmt.Errorf("--hold: %w", err)
		}
	}
	if changed("seed") {
		s = s.WithSeed(f.seed)
	}
	for _, t := range f.thresholds {
		if s, err = s.AddThresholdText(t); err != nil {
			return nil, fmt.Errorf("--threshold: %w", err)
		}
	}
	return s, nil
}

// trust is the authorities that the target's certificate may be from; nil for
// the system's.
func (f runFlags) trust() (*tls.Config, error) {
	if f.ca == "" {
		return nil, nil
	}
	pem, err := os.ReadFile(f.ca)
	if err != nil {
		return nil, fmt.Errorf("--ca: %w", err)
	}
	pool, err := x509.SystemCertPool()
	if err != nil {
		pool = x509.NewCertPool()
	}
	if !pool.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("--ca: %s holds no PEM certificate", f.ca)
	}
	return &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}, nil
}

func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}
