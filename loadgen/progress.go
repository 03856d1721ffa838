package loadgen

import (
	"context"
	"sync"
	"time"

	"github.com/earshot-audio/earshot/loadgen/measure"
)

// Progress is where a run stands.
type Progress struct {
	// Phase is opening, arrivals, steady, settling or leaving.
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
func (r *run) enter(name string) {
	r.phase.mu.Lock()
	r.phase.name, r.phase.since = name, time.Now()
	r.phase.mu.Unlock()
	r.tell()
}

// tell calls Progress.
func (r *run) tell() {
	if r.Progress == nil {
		return
	}
	name, since := r.phase.get()
	state := r.tally.State()
	r.telling.Lock()
	defer r.telling.Unlock()
	r.Progress(Progress{
		Phase: name, Elapsed: time.Since(r.began), InPhase: time.Since(since),
		Hold: r.Scenario.Hold.Duration(), Cast: r.cast(), Joined: state.Joined,
		Heard: state.Heard, Owed: state.Owed,
	})
}

// cast is how many listeners the scenario has in all.
func (r *run) cast() (n int) {
	for _, h := range r.halls {
		if h != nil {
			n += len(h.seats)
		}
	}
	return n
}

// watch settles the accounts and tells of the run's progress, about once a
// second, until ctx is done.
func (r *run) watch(ctx context.Context) {
	for pause(ctx, time.Second) {
		if step := r.clock.Sync(); step.Abs() > measure.BinLength/20 {
			r.health.stepped(step)
		}
		now := r.clock.Now()
		for _, h := range r.halls {
			h.ledger.Settle(now)
		}
		if r.phase.is("steady") {
			if s := r.sample(ctx); s.server != nil {
				r.peak.Store(max(r.peak.Load(), s.server.Memory))
			}
		}
		r.tell()
	}
}
