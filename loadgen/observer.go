package loadgen

import (
	"context"
	"sync"
	"time"

	"github.com/earshot-audio/earshot/loadgen/doubt"
	"github.com/earshot-audio/earshot/loadgen/process"
	"github.com/earshot-audio/earshot/loadgen/record"
	"github.com/earshot-audio/earshot/loadgen/usage"
)

// An observer looks about once a second at what both processes and their machine
// do, and books what puts figures in doubt. It is for one goroutine.
type observer struct {
	run  *run
	last usage.Sample
	// lost is how many packets the generator's side has dropped, as far as it was known at a time.
	lost         uint64
	lostAt       time.Duration
	interference *usage.Interference
	competition  *usage.Competition // nil for a server elsewhere
}

// watch settles the accounts, keeps the series and tells of the run's progress,
// about once a second, until ctx is done.
func (r *run) watch(ctx context.Context) {
	o := &observer{run: r, last: r.Sampler.Sample(ctx), lost: r.cast.Lost()}
	o.lostAt = o.last.At
	o.interference = r.interference(o.last)
	defer r.watchStalls().Close()
	if r.Sampler.Local {
		o.competition = usage.NewCompetition(r.Clock, r.Aggregator)
		o.competition.Follow(o.last.Server)
		var done sync.WaitGroup
		done.Go(func() { o.competition.Watch(ctx) })
		defer done.Wait()
	}
	every := time.Second
	if r.peers != nil {
		every -= record.RetireAfter
	}
	for r.cast.SleepUntil(ctx, r.Clock.Now()+every) {
		o.observe(ctx)
		settled := r.cast.Settle()
		if r.peers != nil {
			if !r.cast.SleepUntil(ctx, r.Clock.Now()+record.RetireAfter) {
				break
			}
			r.Aggregator.Drain(r.Clock.Now(), settled) // the coordinator waits for it
			r.peers.measured(o.last)
			continue // the coordinator judges and reports
		}
		r.CheckAborts()
		r.Report()
	}
	// What was dropped last is in doubt, too.
	o.observe(context.WithoutCancel(ctx))
}

// interference books what happens to the generator after a sample.
func (r *run) interference(first usage.Sample) *usage.Interference {
	return usage.NewInterference(r.Aggregator, usage.Machine{Cores: r.cores, Local: r.Sampler.Local}, first)
}

// watchStalls books when the generator's process does not run, until it is closed.
func (r *run) watchStalls() *process.Watchdog {
	stalls := &process.Watchdog{Report: func(from, until time.Time) {
		r.Aggregator.Doubt(doubt.Stalled, r.Clock.Since(from), r.Clock.Since(until))
	}}
	stalls.Start()
	return stalls
}

// watchOpening books what the generator does to those who take the stage before there are listeners, until ctx is done.
func (r *run) watchOpening(ctx context.Context) {
	defer r.watchStalls().Close()
	o := r.interference(r.Sampler.Sample(ctx))
	for r.cast.SleepUntil(ctx, r.Clock.Now()+time.Second) {
		o.BookOpening(r.Sampler.Sample(ctx))
	}
	o.BookOpening(r.Sampler.Sample(context.WithoutCancel(ctx)))
}

// observe books what happened since the last time.
func (o *observer) observe(ctx context.Context) {
	r, before := o.run, o.last
	now := r.Sampler.Sample(ctx)
	if step := r.Clock.Sync(); step > 0 {
		r.cast.Health.RecordClockStep(step)
		r.Aggregator.Doubt(doubt.Stepped, max(0, before.At-time.Second), now.At)
	}
	drops := o.drops(now.At)
	o.interference.Book(now)
	if o.competition != nil {
		o.competition.Follow(now.Server)
	}
	r.EnterUse(now)
	r.lastLoad = usage.Load(before, now, drops)
	r.Aggregator.Load(r.lastLoad)
	o.last = now
}

// drops books what the generator's side dropped by now, since it was known the last time, and
// returns it.
func (o *observer) drops(now time.Duration) uint64 {
	r := o.run
	complete := r.cast.Health.DropsKnown() // before the drops are read
	drops, from := o.enter(r.cast.Lost(), complete, now)
	r.dropped.Store(o.lost)
	r.Aggregator.Drop(drops, from, now)
	return drops
}

// enter enters how many packets have been dropped by now, all of them or as many as are known yet.
// It returns how many those are that were not known before, and since when they may have been.
func (o *observer) enter(lost uint64, complete bool, now time.Duration) (drops uint64, from time.Duration) {
	from = max(0, o.lostAt-time.Second) // a drop is known with the next packet
	if lost > o.lost {                  // it is less for a moment while a client's socket is replaced
		drops, o.lost = lost-o.lost, lost
	}
	if complete {
		o.lostAt = now
	}
	return drops, from
}
