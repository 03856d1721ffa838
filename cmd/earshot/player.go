package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime/debug"

	"github.com/earshot-audio/earshot/cmd/earshot/cli"
	"github.com/earshot-audio/earshot/cmd/earshot/target"
	"github.com/earshot-audio/earshot/internal/serverprocess"
	"github.com/earshot-audio/earshot/loadgen"
	"github.com/earshot-audio/earshot/loadgen/driver"
	"github.com/earshot-audio/earshot/loadgen/progress"
	"github.com/earshot-audio/earshot/loadgen/scenario"
)

// A player plays scenarios against targets and measures them.
type player struct {
	roots *tls.Config
	watch watchers
	quiet bool // no progress
	// stderr takes the progress.
	stderr io.Writer
	// workers play, if it is not this process: then ca is for them.
	workers *workersFlags
	ca      string
	again   bool // they are wanted again afterwards
}

// play plays a scenario against a target. Without a result, the error says why; with
// one, it is about something beside the measurement.
func (p player) play(ctx context.Context, f target.Flags, s *scenario.Scenario) (*loadgen.Result, error) {
	defer relaxGC()()
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	cfg := loadgen.Config{Scenario: s}
	server, err := f.Connect(ctx, &cfg, p.roots, cancel)
	if err != nil {
		return nil, err
	}
	width := terminalWidth(p.stderr)
	if dumb() {
		width = 0
	}
	shown := progress.New(p.stderr, width)
	if !p.quiet {
		cfg.Progress = shown.Show
	}
	cfg.Watch = p.watch.follow(&cfg)
	var result *loadgen.Result
	if p.workers != nil {
		result, err = p.workers.play(ctx, cfg, f, p.ca, p.again, p.stderr)
	} else {
		result, err = loadgen.Run(ctx, cfg)
	}
	shown.Done()
	stopped := server.Close()
	cause := context.Cause(ctx)
	switch {
	case errors.Is(cause, serverprocess.ErrDied):
		if result != nil {
			result.EndedByServer()
		}
		return result, cause
	case errors.Is(err, driver.ErrUnsupported):
		return nil, cli.Usage(err)
	case err != nil && ctx.Err() != nil:
		return nil, cli.Interrupted(fmt.Errorf("interrupted before anything was measured: %w", err))
	case err != nil:
		return nil, errors.Join(err, stopped)
	}
	return result, stopped
}

// gcPercent is the GOGC of a generator: how much its heap may grow, in percent of
// what is live, before garbage is collected.
const gcPercent = 400

// relaxGC makes garbage collections four times as rare as usual, and returns what
// undoes it. While thousands of clients join, the generator would otherwise collect
// every second and take CPU that the server beside it needs; its memory is not
// measured. A GOGC in the environment takes precedence.
func relaxGC() (undo func()) {
	if os.Getenv("GOGC") != "" {
		return func() {}
	}
	before := debug.SetGCPercent(gcPercent)
	return func() { debug.SetGCPercent(before) }
}
