package loadgen

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/earshot-audio/earshot/loadgen/measure"
	"github.com/earshot-audio/earshot/loadgen/metric"
)

// Progress is the state of a run.
type Progress struct {
	// Phase is opening, arrivals, warm_up, steady, departures, settling or
	// leaving.
	Phase string
	// Elapsed is the time since the run began, and InPhase the time since the phase
	// began.
	Elapsed, InPhase time.Duration
	// Hold is how long the steady phase lasts.
	Hold time.Duration
	// Cast is how many listeners the cast has, and Joined how many of them have received
	// audio.
	Cast, Joined int
	// Heard and Owed count the packets of the accounts settled so far.
	Heard, Owed uint64
}

// A phase is the present phase of a run, with its beginning. It is safe for concurrent
// use.
type phase struct {
	mu    sync.Mutex
	name  string
	since time.Time
}

func (p *phase) get() (string, time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.name, p.since
}

func (p *phase) is(name string) bool {
	now, _ := p.get()
	return now == name
}

// enterPhase begins a phase and reports it.
func (r *run) enterPhase(name string) {
	r.phase.mu.Lock()
	r.phase.name, r.phase.since = name, time.Now()
	r.phase.mu.Unlock()
	r.report()
}

// A Snapshot is the state of a run with its figures so far.
type Snapshot struct {
	Progress
	// Series and Marks are the run over time so far. They are a few seconds behind,
	// since packets may be late.
	Series measure.Series
	Marks  []measure.Mark
	// Values holds the metrics that are known before the end.
	Values metric.Values
}

// report calls Progress and Watch.
func (r *run) report() {
	if r.Progress == nil && r.Watch == nil {
		return
	}
	name, since := r.phase.get()
	state := r.tally.State()
	now := Progress{
		Phase: name, Elapsed: time.Since(r.began), InPhase: time.Since(since),
		Hold: r.steadyTime(), Cast: r.rooms.listeners(), Joined: state.Joined,
		Heard: state.Heard, Owed: state.Owed,
	}
	r.reporting.Lock()
	defer r.reporting.Unlock()
	if r.Progress != nil {
		r.Progress(now)
	}
	if r.Watch != nil {
		values := r.liveValues()
		r.tally.Answer(values, slices.DeleteFunc(slices.Clone(r.Scenario.Thresholds), func(t metric.Threshold) bool {
			d, _ := metric.Lookup(t.Metric)
			return !d.Parts.Live
		}))
		r.Watch(Snapshot{Progress: now, Series: r.tally.Series(), Marks: r.tally.Marks(), Values: values})
	}
}

// liveValues returns the metrics as far as they are known now.
func (r *run) liveValues() metric.Values {
	values := r.tally.Present()
	values.Set("generator_lag", r.health.lag())
	values.Set("generator_drops", metric.Counter(r.lost()))
	return values
}

// steadyTime returns how long the steady state lasts.
func (r *run) steadyTime() time.Duration { return (r.Scenario.Hold - r.Scenario.WarmUp).Duration() }

// watch settles the accounts, extends the series and reports progress about once a
// second, until ctx is done.
func (r *run) watch(ctx context.Context) {
	last := r.sampler.sample(ctx)
	lost := r.lost()
	for pause(ctx, time.Second) {
		if step := r.clock.Sync(); step.Abs() > measure.BinLength/20 {
			r.health.recordClockStep(step)
		}
		r.settle()
		now, dropped := r.sampler.sample(ctx), r.lost()
		if now.server != nil && r.phase.is(measure.Steady) {
			r.peak.Store(max(r.peak.Load(), now.server.Memory))
		}
		r.tally.Load(load(last, now, dropped-lost))
		last, lost = now, dropped
		r.checkAborts()
		r.report()
	}
}

// settle settles the accounts of all rooms.
func (r *run) settle() {
	now := r.clock.Now()
	settled := measure.BinAt(now)
	for _, h := range r.rooms {
		settled = min(settled, h.ledger.Settle(now))
	}
	r.tally.Drain(now, settled)
}

// lost returns how many packets the generator's side has dropped.
func (r *run) lost() uint64 {
	dropped, _ := r.drops()
	return dropped + r.health.machineDrops()
}

// drops returns how many packets the generator's sockets dropped, and for how many
// packets the receive time was lost.
func (r *run) drops() (dropped, unstamped uint64) {
	dropped, unstamped = r.rooms.losses()
	return dropped + r.clients.crowd.Dropped(), unstamped
}
