package loadgen

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/earshot-audio/earshot/loadgen/host"
	"github.com/earshot-audio/earshot/loadgen/link"
	"github.com/earshot-audio/earshot/loadgen/scoreboard"
	"github.com/earshot-audio/earshot/loadgen/share"
	"github.com/earshot-audio/earshot/loadgen/timebase"
)

// A Part is what a worker plays of a run.
type Part struct {
	// Number is the worker's, from 0, and Of how many there are.
	Number, Of int
	// Zero is when the run's clock shows 0, on the worker's own clock.
	Zero time.Time
	// Tickets are how it gets into the rooms, by their numbers.
	Tickets []string
	// Kin are the other processes of the run on the worker's machine.
	Kin []int
}

// onMachine is how many of the workers are on this one's machine, as far as it is known: all
// that the coordinator has started there. Kin are they, without this one, and the coordinator.
func (p Part) onMachine() int { return max(1, len(p.Kin)) }

// CheckWorkers returns an error for a number of workers that can't be.
func CheckWorkers(n int) error {
	if n < 1 || n > MaxWorkers {
		return fmt.Errorf("%d workers are not from 1 to %d", n, MaxWorkers)
	}
	return nil
}

// MaxWorkers bounds the workers of a run.
const MaxWorkers = 1000

// RunWorker plays a worker's part of a scenario and tells the coordinator what it measured.
// It returns an error if the part could not be played to its end, for example because the
// coordinator is gone; then its people have left all the same.
func RunWorker(ctx context.Context, cfg Config, part Part, to link.Link) error {
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	ctx, lost := context.WithCancelCause(ctx)
	defer lost(nil)
	r, err := newRun(cfg, timebase.NewClockSince(part.Zero), share.Share{Number: part.Number, Of: part.Of})
	if err != nil {
		return err
	}
	r.Sampler.Kin = part.Kin
	r.Aggregator.Export()
	p := newPeers(r, to)
	p.lost, p.stop = lost, func(string) { r.EndEarly() }
	r.peers = p

	defer context.AfterFunc(ctx, p.end)()
	talking, quiet := context.WithCancel(context.WithoutCancel(ctx))
	var work sync.WaitGroup
	defer work.Wait()
	defer quiet()
	err = errors.Join(scoreboard.Supports(cfg.Driver, cfg.Scenario), check(host.CurrentLimits(), cfg.Scenario, part.Of, part.onMachine(), sharesSockets(cfg.Driver)))
	if err == nil {
		err = r.cast.Enter(ctx, p, part.Tickets)
	}
	if err == nil {
		err = to.Obey(r.cast.Obey)
	}
	if err == nil {
		work.Go(func() { p.talk(talking) })
		_, err = r.measure(ctx)
	}
	if cause := context.Cause(ctx); cause != nil && err != nil {
		err = cause
	}
	patience := scoreboard.LeaveTimeout
	if err != nil {
		patience = scoreboard.HurriedLeave
	}
	r.cleanUp(patience)
	p.leave(err)
	return err
}

// leave tells the coordinator that nothing follows.
func (p *peers) leave(failed error) {
	p.sending.Lock()
	defer p.sending.Unlock()
	p.sendReport(false, func(report *link.Report) {
		report.Done = true
		if failed != nil {
			report.Failed = failed.Error()
		}
		report.Problems = p.run.Problems.List()
	})
}
