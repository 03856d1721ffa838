package loadgen

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/earshot-audio/earshot/loadgen/measure"
	"github.com/earshot-audio/earshot/loadgen/metric"
)

// Progress is where a run stands.
type Progress struct {
	// Phase is opening, arrivals, warm_up, steady, departures, settling or
	// leaving.
	Phase string
	// Elapsed is the time since the run began, and InPhase since the phase did.
	Elapsed, InPhase time.Duration
	// Hold is how long the steady phase will take.
	Hold time.Duration
	// Cast is how many listeners are to come, Joined how many have heard
	// something.
	Cast, Joined int
	// Heard and Owed are the packets of the accounts settled so far.
	Heard, Owed uint64
}

// A phase is the run's present phase, and since when.
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

// enter begins a phase and tells of it.
func (r *run) enterPhase(name string) {
	r.phase.mu.Lock()
	r.phase.name, r.phase.since = name, time.Now()
	r.phase.mu.Unlock()
	r.report()
}

// A Snapshot is a run as it stands, for those who watch it.
type Snapshot struct {
	Progress
	// Series and Marks are the run over time so far. Its points are some seconds
	// behind, since a packet may be.
	Series measure.Series
	Marks  []measure.Mark
	// Values has the metrics that can be known before the end.
	Values metric.Values
}

// tell calls Progress and Watch.
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

// present is the metrics as far as they can be known now.
func (r *run) liveValues() metric.Values {
	values := r.tally.Present()
	values.Set("generator_lag", r.health.lag())
	values.Set("generator_drops", metric.Counter(r.lost()))
	return values
}

// held is how long the steady state is to last.
func (r *run) steadyTime() time.Duration { return (r.Scenario.Hold - r.Scenario.WarmUp).Duration() }

// watch settles the accounts, keeps the series and tells of the run's progress,
// about once a second, until ctx is done.
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

// settle settles every room's accounts.
func (r *run) settle() {
	now := r.clock.Now()
	settled := measure.BinAt(now)
	for _, h := range r.rooms {
		settled = min(settled, h.ledger.Settle(now))
	}
	r.tally.Drain(now, settled)
}

// lost is how many packets have been dropped on the generator's side.
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
