package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"strings"

	"github.com/spf13/pflag"

	"github.com/earshot-audio/earshot/cmd/earshot/cli"
	"github.com/earshot-audio/earshot/internal/reach"
	"github.com/earshot-audio/earshot/internal/urltext"
	"github.com/earshot-audio/earshot/loadgen"
	"github.com/earshot-audio/earshot/loadgen/host"
	"github.com/earshot-audio/earshot/loadgen/push"
	"github.com/earshot-audio/earshot/loadgen/report"
	"github.com/earshot-audio/earshot/loadgen/scenario"
	"github.com/earshot-audio/earshot/loadgen/watch"
)

// watchFlags say where a run can be watched and where its figures go meanwhile; an empty
// address means nowhere.
type watchFlags struct {
	prometheus, dashboard string
	remoteWrite, otlp     string
	labels                []string
}

func (f *watchFlags) bind(flags *pflag.FlagSet) {
	flags.StringVar(&f.prometheus, "prometheus", "", "serve the run's metrics to Prometheus on this `address` during the run, at /metrics")
	flags.StringVar(&f.dashboard, "dashboard", "", "serve a page that follows the run on this `address`")
	flags.StringVar(&f.remoteWrite, "remote-write", "", "send the run's metrics to this `URL` by Prometheus remote write, with the bearer token in "+remoteWriteToken+" if it is set")
	flags.StringVar(&f.otlp, "otlp", "", "send the run's metrics to this `URL` by OpenTelemetry's protocol: http(s) or grpc(s)")
	flags.StringArrayVar(&f.labels, "label", nil, "a label on what --remote-write and --otlp send, as `NAME=VALUE` (repeatable)")
}

// remoteWriteToken is the environment variable with the bearer token of --remote-write.
const remoteWriteToken = "EARSHOT_REMOTE_WRITE_TOKEN" //nolint:gosec // the name of a variable

// watchers are the services that show the runs of one command. Nil fields are off.
type watchers struct {
	figures   *watch.Figures
	exporter  *watch.Exporter
	dashboard *watch.Dashboard
	pushers   []pusher
}

// A pusher sends figures to where a flag says.
type pusher struct {
	*push.Pusher
	flag string
}

// open starts the services and prints their addresses. A receiver that can't be reached is
// an error now, and no longer once the run has begun.
func (f watchFlags) open(ctx context.Context, roots *tls.Config, stderr io.Writer) (w watchers, err error) {
	defer func() {
		if err != nil {
			err = errors.Join(err, w.Close())
		}
	}()
	labels, err := f.parseLabels()
	if err != nil {
		return w, cli.Usage(err)
	}
	if w.figures, err = watch.NewFigures(); err != nil {
		return w, err
	}
	if f.prometheus != "" {
		if w.exporter, err = watch.NewExporter(f.prometheus, w.figures); err != nil {
			return w, cli.Usage(fmt.Errorf("--prometheus: %w", err))
		}
		fmt.Fprintln(stderr, "earshot: metrics at", w.exporter.URL())
	}
	if f.dashboard != "" {
		if w.dashboard, err = watch.NewDashboard(f.dashboard); err != nil {
			return w, cli.Usage(fmt.Errorf("--dashboard: %w", err))
		}
		fmt.Fprintln(stderr, "earshot: dashboard at", w.dashboard.URL())
	}
	machine, err := os.Hostname()
	if err != nil {
		machine = "unknown" // a label of its own would say no more
	}
	options := push.Options{Labels: labels, Instance: machine, Version: cli.Version(), Token: os.Getenv(remoteWriteToken), TLS: roots}
	for _, to := range []struct {
		flag, url string
		receiver  func() (push.Sender, error)
	}{
		{"--remote-write", f.remoteWrite, func() (push.Sender, error) { return push.NewRemoteWrite(w.figures, f.remoteWrite, options) }},
		{"--otlp", f.otlp, func() (push.Sender, error) { return push.NewOTLP(ctx, w.figures, f.otlp, options) }},
	} {
		if to.url == "" {
			continue
		}
		sender, err := to.receiver()
		if err != nil {
			return w, cli.Usage(fmt.Errorf("%s: %w", to.flag, err))
		}
		p, err := push.Start(ctx, sender, push.Interval)
		if err != nil {
			return w, fmt.Errorf("%s %s takes no metrics: %w", to.flag, urltext.Safe(to.url), err)
		}
		w.pushers = append(w.pushers, pusher{p, to.flag})
	}
	return w, nil
}

// parseLabels reads the labels of what is sent.
func (f watchFlags) parseLabels() (map[string]string, error) {
	if len(f.labels) > 0 && f.remoteWrite == "" && f.otlp == "" {
		return nil, errors.New("--label goes with --remote-write or --otlp")
	}
	all := map[string]string{}
	for _, text := range f.labels {
		name, value, err := push.ParseLabel(text)
		if err != nil {
			return nil, fmt.Errorf("--label: %w", err)
		}
		if _, twice := all[name]; twice {
			return nil, fmt.Errorf("--label: %s is given twice", name)
		}
		all[name] = value
	}
	return all, nil
}

// follow returns the function that a run reports its progress to; nil if nothing
// watches.
func (w watchers) follow(cfg *loadgen.Config) func(loadgen.Snapshot) {
	if w.exporter == nil && w.dashboard == nil && len(w.pushers) == 0 {
		return nil
	}
	s := cfg.Scenario
	about := &loadgen.Result{
		Scenario: s.Name, Seed: s.Seed, Driver: cfg.Driver.Capabilities().Driver, Target: urltext.Safe(cfg.Driver.Target()),
		Rooms: s.Rooms, Seats: s.Rooms * s.Listeners(), Speakers: s.Rooms * speakers(s), Environment: host.CurrentEnvironment(),
	}
	return func(now loadgen.Snapshot) {
		w.figures.Show(about, now, s.Thresholds)
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
	if w.figures != nil {
		w.figures.Finish(r)
	}
	if w.dashboard != nil {
		w.dashboard.Finish(r)
	}
}

// flush sends the figures of a run that has ended. Where they can't be sent is said by
// warnings: the run is what it is.
func (w watchers) flush() {
	for _, p := range w.pushers {
		_ = p.Push(context.Background()) // it is counted
	}
}

// warnings says which pushes failed.
func (w watchers) warnings() (all []string) {
	for _, p := range w.pushers {
		if text := p.Warning(); text != "" {
			all = append(all, p.flag+": "+text)
		}
	}
	return all
}

// Close stops the services.
func (w watchers) Close() (err error) {
	if w.exporter != nil {
		err = w.exporter.Close()
	}
	if w.dashboard != nil {
		err = errors.Join(err, w.dashboard.Close())
	}
	for _, p := range w.pushers {
		_ = p.Close() // everything has been sent
	}
	return err
}

// exposed says what others than this machine can read of a run.
func (f watchFlags) exposed() (warnings []string) {
	for _, s := range []struct{ flag, address string }{{"--prometheus", f.prometheus}, {"--dashboard", f.dashboard}} {
		if s.address != "" && reach.Outside(s.address) {
			warnings = append(warnings, fmt.Sprintf("%s %s can be reached from the network: whoever does reads the run's figures and its target, without a password", s.flag, s.address))
		}
	}
	token := os.Getenv(remoteWriteToken)
	if u, err := url.Parse(f.remoteWrite); err == nil && u.User != nil {
		token = u.User.String()
	}
	warnings = append(warnings, cli.PlainToken(token, []string{f.remoteWrite})...)
	headers := os.Getenv("OTEL_EXPORTER_OTLP_HEADERS") + os.Getenv("OTEL_EXPORTER_OTLP_METRICS_HEADERS")
	return append(warnings, cli.PlainToken(headers, []string{strings.Replace(f.otlp, "grpc://", "http://", 1)})...)
}
