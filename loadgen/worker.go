package loadgen

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/earshot-audio/earshot/loadgen/host"
	"github.com/earshot-audio/earshot/loadgen/timebase"
)

// A Part is what a worker plays of a run.
type Part struct {
	Share
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
func RunWorker(ctx context.Context, cfg Config, part Part, link Link) error {
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	ctx, lost := context.WithCancelCause(ctx)
	defer lost(nil)
	r, err := newRun(cfg, timebase.NewClockSince(part.Zero), part.Share)
	if err != nil {
		return err
	}
	r.tickets = part.Tickets
	r.sampler.kin = part.Kin
	r.aggregator.Export()
	p := newPeers(r, link)
	p.lost, p.stop = lost, func(string) { r.gate.end() }
	r.peers = p

	defer context.AfterFunc(ctx, p.end)()
	talking, quiet := context.WithCancel(context.WithoutCancel(ctx))
	var work sync.WaitGroup
	defer work.Wait()
	defer quiet()
	err = errors.Join(supports(cfg.Driver, cfg.Scenario), check(host.CurrentLimits(), cfg.Scenario, part.Share, part.onMachine(), sharesSockets(cfg.Driver)))
	if err == nil {
		err = r.enterRooms(ctx)
	}
	if err == nil {
		err = link.Obey(r.obey)
	}
	if err == nil {
		work.Go(func() { p.talk(talking) })
		_, err = r.measure(ctx)
	}
	if cause := context.Cause(ctx); cause != nil && err != nil {
		err = cause
	}
	patience := leaveTimeout
	if err != nil {
		patience = hurriedLeave
	}
	r.cleanUp(patience)
	p.leave(err)
	return err
}

// enterRooms gets into the rooms before anything is told of them.
func (r *run) enterRooms(ctx context.Context) error {
	r.rooms = make(rooms, r.Scenario.Rooms)
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(concurrency)
	for i := range r.rooms {
		group.Go(func() (err error) {
			r.rooms[i], err = r.openRoom(ctx, i)
			return err
		})
	}
	return group.Wait()
}

// leave tells the coordinator that nothing follows.
func (p *peers) leave(failed error) {
	p.sending.Lock()
	defer p.sending.Unlock()
	p.sendReport(false, func(report *Report) {
		report.Done = true
		if failed != nil {
			report.Failed = failed.Error()
		}
		report.Problems = p.run.problems.list()
	})
}

// processed is before when all has been looked at that the worker's listeners received.
func (r *run) processed() time.Duration {
	processed := timebase.Never.Start()
	for _, h := range r.rooms {
		if h != nil {
			processed = min(processed, h.ledger.Processed())
		}
	}
	return processed
}

// known reports whether it is known what all workers had sent by a moment.
func (r *run) known(t time.Duration) bool {
	for _, h := range r.rooms {
		if h != nil && h.ledger.Horizon().Start() <= t {
			return false
		}
	}
	return true
}
