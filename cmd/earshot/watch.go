package main

import (
	"errors"
	"fmt"
	"io"

	"github.com/spf13/pflag"

	"github.com/earshot-audio/earshot/internal/urltext"
	"github.com/earshot-audio/earshot/loadgen"
	"github.com/earshot-audio/earshot/loadgen/host"
	"github.com/earshot-audio/earshot/loadgen/report"
	"github.com/earshot-audio/earshot/loadgen/scenario"
	"github.com/earshot-audio/earshot/loadgen/watch"
)

// watchFlags say where a run can be watched; an empty address means nowhere.
type watchFlags struct{ prometheus, dashboard string }

func (f *watchFlags) bind(flags *pflag.FlagSet) {
	flags.StringVar(&f.prometheus, "prometheus", "", "serve the run's metrics to Prometheus on this `address` during the run, at /metrics")
	flags.StringVar(&f.dashboard, "dashboard", "", "serve a page that follows the run on this `address`")
}

// watchers are the services that show the runs of one command. Nil fields are off.
type watchers struct {
	exporter  *watch.Exporter
	dashboard *watch.Dashboard
}

// open starts the services and prints their addresses.
func (f watchFlags) open(stderr io.Writer) (w watchers, err error) {
	if f.prometheus != "" {
		if w.exporter, err = watch.NewExporter(f.prometheus); err != nil {
			return w, usage(fmt.Errorf("--prometheus: %w", err))
		}
		fmt.Fprintln(stderr, "earshot: metrics at", w.exporter.URL())
	}
	if f.dashboard != "" {
		if w.dashboard, err = watch.NewDashboard(f.dashboard); err != nil {
			return w, errors.Join(usage(fmt.Errorf("--dashboard: %w", err)), w.Close())
		}
		fmt.Fprintln(stderr, "earshot: dashboard at", w.dashboard.URL())
	}
	return w, nil
}

// follow returns the function that a run reports its progress to; nil if nothing
// watches.
func (w watchers) follow(cfg *loadgen.Config) func(loadgen.Snapshot) {
	if w.exporter == nil && w.dashboard == nil {
		return nil
	}
	s := cfg.Scenario
	about := &loadgen.Result{
		Scenario: s.Name, Seed: s.Seed, Driver: cfg.Driver.Capabilities().Driver, Target: urltext.Safe(cfg.Driver.Target()),
		Rooms: s.Rooms, Seats: s.Rooms * s.Listeners(), Speakers: s.Rooms * speakers(s), Environment: host.CurrentEnvironment(),
	}
	return func(now loadgen.Snapshot) {
		if w.exporter != nil {
			w.exporter.Show(about, now, s.Thresholds)
		}
		if w.dashboard != nil {
			w.dashboard.Show(about, now, s.Thresholds)
		}
	}
}

// speakers is how many people are cast for the stage of each room.
func speakers(s *scenario.Scenario) (n int) {
	for _, g := range s.Cast {
		if g.Role != scenario.Listener {
			n += g.Count
		}
	}
	return n
}

// finish shows the report.
func (w watchers) finish(r *report.Report) {
	if w.exporter != nil {
		w.exporter.Finish(r.Result)
	}
	if w.dashboard != nil {
		w.dashboard.Finish(r)
	}
}

// Close stops the services.
func (w watchers) Close() (err error) {
	if w.exporter != nil {
		err = w.exporter.Close()
	}
	if w.dashboard != nil {
		err = errors.Join(err, w.dashboard.Close())
	}
	return err
}
