package scoreboard

import (
	"slices"
	"sync"
	"time"

	"github.com/earshot-audio/earshot/loadgen/metric"
	"github.com/earshot-audio/earshot/loadgen/record"
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
	// Mics is how many mics are to open or were, and Published how many did.
	Mics, Published int
	// Heard and Owed count the packets of the accounts settled so far.
	Heard, Owed uint64
}

// In is how many of how many are in: of the listeners, or of the mics where nobody is cast
// to listen.
func (p Progress) In() (is, of int, how string) {
	if p.Cast == 0 && p.Mics > 0 {
		return p.Published, p.Mics, "published"
	}
	return p.Joined, p.Cast, "joined"
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

// EnterPhase begins a phase and reports it.
func (r *Scoreboard) EnterPhase(name string) {
	r.phase.mu.Lock()
	r.phase.name, r.phase.since = name, time.Now()
	r.phase.mu.Unlock()
	r.Report()
}

// A Snapshot is the state of a run with its figures so far.
type Snapshot struct {
	Progress
	// Series and Marks are the run over time so far. They are a few seconds behind,
	// since packets may be late.
	Series record.Series
	Marks  []record.Mark
	// Values has the metrics that can be known before the end, and Best what those
	// in doubt are at best: see [metric.Threshold.EvaluateBetween].
	Values, Best metric.Values
	// Groups are the groups of people and of time, as far as they are known.
	Groups []record.Group
}

// Report calls Progress and Watch.
func (r *Scoreboard) Report() {
	if r.Progress == nil && r.Watch == nil {
		return
	}
	name, since := r.phase.get()
	state := r.Aggregator.State()
	mics, published := r.Mics()
	now := Progress{
		Phase: name, Elapsed: time.Since(r.began), InPhase: time.Since(since),
		Hold: r.steadyTime(), Cast: r.Seats(), Joined: state.Joined, Mics: max(mics, r.Scenario.Rooms*r.Scenario.WithMics()), Published: published,
		Heard: state.Heard, Owed: state.Owed,
	}
	r.reporting.Lock()
	defer r.reporting.Unlock()
	if r.Progress != nil {
		r.Progress(now)
	}
	if r.Watch != nil {
		values, best := r.liveValues()
		r.Aggregator.Answer(values, best, slices.DeleteFunc(slices.Clone(r.Scenario.Thresholds), func(t metric.Threshold) bool {
			d, _ := metric.Lookup(t.Metric)
			return !d.Parts.Live
		}))
		r.Watch(Snapshot{Progress: now, Series: r.Aggregator.Series(), Marks: r.Aggregator.Marks(), Values: values, Best: best, Groups: r.Aggregator.PresentGroups()})
	}
}

// liveValues returns the metrics as far as they are known now.
func (r *Scoreboard) liveValues() (values, best metric.Values) {
	values, best = r.Aggregator.Present()
	lag, lost := r.Self()
	values.Set("generator_lag", lag)
	values.Set("generator_drops", metric.Counter(lost))
	return values, best
}

// steadyTime returns how long the steady state lasts.
func (r *Scoreboard) steadyTime() time.Duration {
	return (r.Scenario.Hold - r.Scenario.WarmUp).Duration()
}
