package loadgen

import (
	"github.com/earshot-audio/earshot/loadgen/metric"
	"github.com/earshot-audio/earshot/loadgen/tally"
	"github.com/earshot-audio/earshot/loadgen/usage"
)

// tally returns what the process has counted so far. Lag is since the last call.
func (r *run) tally(steady *usage.Sample, now usage.Sample) *tally.Tally {
	t := r.cast.Tally(steady, now)
	if r.lastLoad.GeneratorCPU != nil {
		t.NowCPU = *r.lastLoad.GeneratorCPU
	}
	return t
}

// castIn is how many listeners there are to be in the rooms that are open.
func (r *run) castIn() int {
	if len(r.cast.Rooms.Opened()) == 0 {
		return 0
	}
	return r.Scenario.Rooms * r.Scenario.Listeners()
}

// selfTally is the lag and the losses of this process.
func (r *run) selfTally() (*metric.Trend, uint64) { return r.cast.Health.Lag(), r.cast.Lost() }

// result builds the result of a run that one process has played.
func (r *run) result(final *tally.Final, interrupted bool, span Span, before, after usage.Sample) *Result {
	t := r.tally(&before, after)
	t.Final = final
	result := r.Combine(r.Aggregator.Doubted(), []*tally.Tally{t}, nil, interrupted, span, before, after)
	result.Generator = t.Generator()
	return result
}
