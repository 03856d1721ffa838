package loadgen

import (
	"context"
	"sync"
	"time"

	"github.com/earshot-audio/earshot/loadgen/measure"
	"github.com/earshot-audio/earshot/loadgen/metric"
)

// An Abort is a threshold with abort_on_fail that was crossed, and so ended the
// run.
type Abort struct {
	Threshold metric.Threshold
	// Result is what the threshold came to then.
	Result metric.Result
	// At is when it was, since the run began.
	At time.Duration
}

// A gate looks while a run goes on whether a threshold is crossed that ends it.
type abortGate struct {
	start time.Duration // the beginning of the arrivals
	abort context.CancelFunc

	mu      sync.Mutex
	crossed *Abort
}

func (g *abortGate) aborted() *Abort {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.crossed
}

// judge ends the run if one of its thresholds says so. What was received is
// known some seconds late, since a packet may be.
func (r *run) checkAborts() {
	now := r.clock.Now()
	var due []metric.Threshold
	for _, t := range r.Scenario.Thresholds {
		if t.AbortOnFail && now-r.gate.start >= t.Delay && !r.tooEarly(t) {
			due = append(due, t)
		}
	}
	if len(due) == 0 || r.gate.aborted() != nil {
		return
	}
	values := r.liveValues()
	r.tally.Answer(values, due)
	for _, t := range due {
		result := t.Evaluate(values)
		if result.OK == nil || *result.OK {
			continue
		}
		r.gate.mu.Lock()
		r.gate.crossed = &Abort{Threshold: t, Result: result, At: now}
		r.gate.mu.Unlock()
		r.tally.Mark(measure.Mark{At: now, Kind: measure.MarkEvent, Name: "abort: " + t.Source() + ": " + t.Expression})
		r.gate.abort()
		return
	}
}

// early reports whether a threshold would be crossed by those alone who have
// not come yet.
func (r *run) tooEarly(t metric.Threshold) bool {
	d, _ := metric.Lookup(t.Metric)
	return d.Name == "joined" && r.phase.is(measure.Arrivals)
}
