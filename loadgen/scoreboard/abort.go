package scoreboard

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/earshot-audio/earshot/loadgen/metric"
	"github.com/earshot-audio/earshot/loadgen/record"
)

// An Abort is a threshold with abort_on_fail that was crossed and ended the run.
type Abort struct {
	Threshold metric.Threshold
	// Result is the threshold's result at that time.
	Result metric.Result
	// At counts from the beginning of the run.
	At time.Duration
}

// An abortGate ends a run as soon as a threshold with abort_on_fail is crossed.
type abortGate struct {
	start time.Duration // of the arrivals

	mu      sync.Mutex
	abort   context.CancelFunc // nil before there is something to end
	early   bool               // it was to be ended before
	crossed *Abort
}

// arm sets what ends the run.
func (g *abortGate) arm(abort context.CancelFunc) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.abort = abort
	if g.early {
		abort()
	}
}

// end ends the run.
func (g *abortGate) end() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.early = g.abort == nil; !g.early {
		g.abort()
	}
}

func (g *abortGate) aborted() *Abort {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.crossed
}

// Arm sets what ends the run early: a threshold that is crossed, or EndEarly.
func (r *Scoreboard) Arm(end context.CancelFunc) { r.gate.arm(end) }

// EndEarly ends the run early, as soon as it is armed.
func (r *Scoreboard) EndEarly() { r.gate.end() }

// BeginArrivals says when the arrivals begin, from which thresholds count their delay. It is called before
// CheckAborts is.
func (r *Scoreboard) BeginArrivals(at time.Duration) { r.gate.start = at }

// Aborted is the threshold that has ended the run, or nil.
func (r *Scoreboard) Aborted() *Abort { return r.gate.aborted() }

// CheckAborts ends the run if a threshold says so. Received packets are known a few
// seconds late, because packets may be late themselves.
func (r *Scoreboard) CheckAborts() {
	now := r.Clock.Now()
	var due []metric.Threshold
	for _, t := range r.Scenario.Thresholds {
		if t.AbortOnFail && now-r.gate.start >= t.Delay && !r.tooEarly(t) {
			due = append(due, t)
		}
	}
	if len(due) == 0 || r.gate.aborted() != nil || !r.measuring() {
		return
	}
	values, best := r.liveValues()
	r.Aggregator.Answer(values, best, due)
	for _, t := range due {
		result := t.EvaluateBetween(values, best)
		if result.OK == nil || *result.OK {
			continue
		}
		r.gate.mu.Lock()
		r.gate.crossed = &Abort{Threshold: t, Result: result, At: now}
		r.gate.mu.Unlock()
		r.Aggregator.Mark(record.Mark{At: now, Kind: record.MarkEvent, Name: "abort: " + t.Source() + ": " + t.Expression})
		r.gate.end()
		return
	}
}

// measuring reports whether there is something to end: the arrivals have begun, and the measuring has not ended. Of several
// workers the figures of its last seconds are merged later, and then thresholds are judged on all of it.
func (r *Scoreboard) measuring() bool {
	phase, _ := r.phase.get()
	return slices.Contains([]string{record.Arrivals, record.WarmUp, record.Steady, record.Departures}, phase)
}

// tooEarly reports whether a threshold would be crossed only because not all listeners
// have arrived yet.
func (r *Scoreboard) tooEarly(t metric.Threshold) bool {
	d, _ := metric.Lookup(t.Metric)
	return d.Name == "joined" && r.phase.is(record.Arrivals)
}
