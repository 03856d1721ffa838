package measure

import (
	"sync/atomic"
	"time"

	"github.com/earshot-audio/earshot/loadgen/metric"
)

// A Tally gathers the figures of all listeners of a run, in all its rooms, in
// memory that does not grow with the run's length. It is safe for concurrent
// use.
type Tally struct {
	crowd, probes share

	joins   *metric.Stripes
	onsets  *metric.Stripes
	jitters *metric.Stripes
	gaps    *metric.Stripes
	quality *metric.Stripes

	known, unknown atomic.Uint64 // packets that were recognised, or not
	heard          atomic.Int64  // listeners who heard something

	// Of the closed accounts.
	listeners              atomic.Uint64
	received               atomic.Uint64 // different packets in the measured window
	duplicates, outOfOrder atomic.Uint64
}

// A share is the figures of the crowd's listeners, or of the probes.
type share struct {
	latencies    *metric.Stripes
	passes, owed atomic.Uint64 // of the accounts settled so far
}

// NewTally makes an empty tally.
func NewTally() *Tally {
	return &Tally{
		crowd: share{latencies: metric.NewStripes()}, probes: share{latencies: metric.NewStripes()},
		joins: metric.NewStripes(), onsets: metric.NewStripes(),
		jitters: metric.NewStripes(), gaps: metric.NewStripes(), quality: metric.NewStripes(),
	}
}

func (s *share) latency(d time.Duration)   { s.latencies.Record(ms(d)) }
func (t *Tally) onsetClip(d time.Duration) { t.onsets.Record(ms(d)) }
func (t *Tally) recognised(n uint64)       { t.known.Add(n) }
func (t *Tally) unrecognised(n uint64)     { t.unknown.Add(n) }

func (t *Tally) joined(d time.Duration) {
	t.joins.Record(ms(d))
	t.heard.Add(1)
}

// close enters a listener's closed account.
func (t *Tally) close(l *Listener) {
	t.listeners.Add(1)
	t.received.Add(l.steady.received)
	t.duplicates.Add(l.duplicates)
	t.outOfOrder.Add(l.outOfOrder)
	if l.steady.jitters > 0 {
		t.jitters.Record(l.steady.jitterSum / float64(l.steady.jitters) * 1000)
	}
	if l.steady.total > 0 {
		t.gaps.Record(ms(l.steady.gap))
		t.quality.Record(l.steady.mos())
	}
}

// State is how far a run has come.
type State struct {
	Joined      int    // listeners who have heard something
	Heard, Owed uint64 // packets of the accounts settled so far
}

// State is the tally's present state.
func (t *Tally) State() State {
	d := t.delivered()
	return State{Joined: int(t.heard.Load()), Heard: d.Passes, Owed: d.Total}
}

// rate is the share's delivered.
func (s *share) rate() metric.Rate {
	return metric.Rate{Passes: s.passes.Load(), Total: s.owed.Load()}
}

func (t *Tally) delivered() metric.Rate {
	crowd, probes := t.crowd.rate(), t.probes.rate()
	return metric.Rate{Passes: crowd.Passes + probes.Passes, Total: crowd.Total + probes.Total}
}

// Totals is what a tally comes to once every room is finished.
type Totals struct {
	Values metric.Values
	// Received counts the different media packets of the measured window, over
	// all listeners.
	Received uint64
	// Crowd and Probes are the two kinds of listeners apart.
	Crowd, Probes Share
}

// A Share is what one kind of listeners received.
type Share struct {
	Delivered metric.Rate
	Latency   *metric.Trend // in ms
}

// Totals sums up. A metric of which there was nothing is left out.
func (t *Tally) Totals() Totals {
	v := metric.Values{}
	v.Set("joined", metric.Rate{Passes: uint64(t.heard.Load()), Total: t.listeners.Load()})
	v.Set("join_duration", t.joins.Snapshot())
	crowd := Share{t.crowd.rate(), t.crowd.latencies.Snapshot()}
	probes := Share{t.probes.rate(), t.probes.latencies.Snapshot()}
	latency := &metric.Trend{}
	latency.Merge(crowd.Latency)
	latency.Merge(probes.Latency)
	v.Set("delivered", t.delivered())
	v.Set("onset_clip", t.onsets.Snapshot())
	v.Set("latency", latency)
	v.Set("unrecognised", metric.Rate{Passes: t.unknown.Load(), Total: t.unknown.Load() + t.known.Load()})
	v.Set("jitter", t.jitters.Snapshot())
	v.Set("audio_gap", t.gaps.Snapshot())
	v.Set("mos", t.quality.Snapshot())
	v.Set("duplicates", metric.Counter(t.duplicates.Load()))
	v.Set("out_of_order", metric.Counter(t.outOfOrder.Load()))
	return Totals{Values: v, Received: t.received.Load(), Crowd: crowd, Probes: probes}
}

func ms(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
