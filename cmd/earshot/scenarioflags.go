package main

import (
	"fmt"
	"io"
	"time"

	"github.com/spf13/pflag"

	"github.com/earshot-audio/earshot/loadgen/scenario"
)

// scenarioFlags override parts of a scenario.
type scenarioFlags struct {
	stdin io.Reader // where a scenario named - comes from

	listeners  int
	hold       time.Duration
	seed       int64
	thresholds []string
}

// bind adds the flags that every command has which plays a scenario.
func (f *scenarioFlags) bind(flags *pflag.FlagSet) {
	flags.DurationVar(&f.hold, "hold", 0, "hold the steady state for this `time` instead of the scenario's")
	flags.Int64Var(&f.seed, "seed", 0, "play with this `seed` instead of the scenario's")
}

func (f *scenarioFlags) bindListeners(flags *pflag.FlagSet) {
	flags.IntVar(&f.listeners, "listeners", 0, "cast `N` listeners a room instead of the scenario's")
}

func (f *scenarioFlags) bindThresholds(flags *pflag.FlagSet) {
	flags.StringArrayVar(&f.thresholds, "threshold", nil, "add a threshold, as `'metric: expression'` (repeatable)")
}

// load reads a scenario and applies the flags that were given.
func (f scenarioFlags) load(name string, changed func(string) bool) (*scenario.Scenario, error) {
	s, err := loadScenario(name, f.stdin)
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
