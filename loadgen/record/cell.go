package record

import (
	"cmp"
	"sync"
	"sync/atomic"
	"time"

	"github.com/earshot-audio/earshot/loadgen/metric"
)

// Audience is the role of those whose figures are the run's: the listeners. The
// ears of the people on stage have their roles as labels.
const Audience = "listener"

// Labels is what a run's figures group listeners by.
type Labels struct {
	// Role is the role that they were cast for; "" is [Audience].
	Role string
	// Network is the name of their network's profile, or "".
	Network string
	// Node is the number of the cluster's server from which they were cast to hear, or "".
	Node string
	// Transport is how their media gets to them, such as "tcp"; "" is UDP.
	Transport string
	// Probe is for a listener beside the crowd, to be compared with
	// it.
	Probe bool
}

// Alike reports whether they are listeners on whose way the scenario has nothing that others do not
// have. A room may hold up its audience's packets, and not those for its stage.
func (l Labels) Alike() bool {
	return l.Role == "" && l.Network == "" && l.Node == "" && l.Transport == ""
}

// A Cell gathers the figures of all listeners of a run with the same labels.
// It is safe for concurrent use.
type Cell struct {
	Labels
	number int // among the cells, and in every bucket

	passes, owed   atomic.Uint64 // of the accounts settled so far
	excused        atomic.Uint64 // of what is owed: lost, and perhaps by the generator's doing
	known, unknown atomic.Uint64 // packets that were recognised, or not
	foreign        atomic.Uint64 // of unknown: no source of the room ever sent such a payload
	elsewhere      atomic.Uint64 // of foreign: another room has just sent it
	ambiguous      atomic.Uint64 // of unknown: they fit several frames
	mistimed       atomic.Uint64 // of known: their time stamps do not follow those before them
	// The same, where it may be the generator's doing.
	perhapsMistimed atomic.Uint64
	weakMarks       atomic.Uint64 // frames that may have come: their mark is weak
	heard           atomic.Int64  // listeners who heard something
	lostJoins       atomic.Int64  // listeners who are not in, perhaps by the generator's doing
	joins           *metric.Stripes

	mu     sync.Mutex
	cast   uint64 // accounts
	closed        // of the accounts that are closed
	told   told   // see [Aggregator.Export]
	// What the drained buckets held, by the number of their phase.
	phases []phaseSum
}

// closed is the results of listeners at the end of the run: a sample each in the
// trends.
type closed struct {
	received               uint64 // different packets in the measured window
	listeners              []Heard
	duplicates, outOfOrder uint64
	onsets, onsetsBest     metric.Trend // a sample a turn
	onsetsUndropped        metric.Trend // at best, if the generator dropped nothing
	joinsBest              metric.Trend // of those who joined
	lateJoins              uint64       // of them, those that were in doubt
	steps                  stepTrends
	worst, best            experiences
	allotted               allotted // in the place of best, of those who may have lost packets by drops
	fec, red               CopiedRate
}

// experiences are what listeners heard, a sample each.
type experiences struct {
	jitters, gaps, quality metric.Trend
	losses, concealed      metric.Trend // %
	dropouts               metric.Trend // gaps a minute
	latencies, frozen      metric.Trend // ms
	lowest                 metric.Trend // quality of the worst window
	trips                  metric.Trend // ms
	scores                 metric.Trend // of the audio
}

// all are the trends in a fixed order.
func (e *experiences) all() []*metric.Trend {
	return []*metric.Trend{
		&e.jitters, &e.gaps, &e.quality, &e.losses, &e.concealed, &e.dropouts, &e.latencies, &e.frozen, &e.lowest, &e.trips, &e.scores,
	}
}

func (e *experiences) merge(o *experiences) { mergeAll(e.all(), o.all()) }

// mergeAll adds trends to others, each to the one in its place.
func mergeAll(into, of []*metric.Trend) {
	for i, t := range of {
		into[i].Merge(t)
	}
}

// A phaseSum is the figures of one phase.
type phaseSum struct {
	latency, fastest metric.Trend  // in ms, at worst and at best
	again            resentLatency // what rests on drops, in the place of fastest
	doubted          bool          // there is another than latency
	delivered        metric.Rate
	excused          uint64
}

// AsksAgain reports whether the listeners ask again for packets that they miss: those behind
// a simulated network do.
func (l Labels) AsksAgain() bool { return l.Network != "" }

// overUDP is the name of the transport that most listeners have.
const overUDP = "udp"

// transport is how their media gets to them.
func (l Labels) transport() string { return cmp.Or(l.Transport, overUDP) }

// Recognised counts packets that were recognised.
func (c *Cell) Recognised(n uint64) { c.known.Add(n) }

// Unrecognised counts packets that were not.
func (c *Cell) Unrecognised(n uint64) { c.unknown.Add(n) }

// Foreign counts packets, of those not recognised, that no source of the room ever sent.
func (c *Cell) Foreign(n uint64) { c.foreign.Add(n) }

// Elsewhere counts one of them that another room has just sent.
func (c *Cell) Elsewhere() { c.elsewhere.Add(1) }

// WeakMark counts a frame that may have come: its mark is weak.
func (c *Cell) WeakMark() { c.weakMarks.Add(1) }

// Settled counts packets that came, and those that were owed, of accounts that are settled.
func (c *Cell) Settled(passes, owed uint64) {
	c.passes.Add(passes)
	c.owed.Add(owed)
}

// OnsetClip enters how much of the start of a turn a listener missed: at worst, at best if the generator
// dropped nothing, and at best.
func (c *Cell) OnsetClip(worst, undropped, best time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.onsets.Record(metric.InMilliseconds(worst))
	c.onsetsUndropped.Record(metric.InMilliseconds(undropped))
	c.onsetsBest.Record(metric.InMilliseconds(best))
}

// Enter counts one more listener.
func (c *Cell) Enter() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.cast++
}

// joined enters that a listener heard its first packet, so long after the
// intended start of its join.
func (c *Cell) joined(d time.Duration) {
	c.joins.Record(metric.InMilliseconds(d))
	c.heard.Add(1)
}

// LostJoin counts a listener who is not in, perhaps by the generator's doing, or who
// is no longer one.
func (c *Cell) LostJoin(is bool) {
	if is {
		c.lostJoins.Add(1)
	} else {
		c.lostJoins.Add(-1)
	}
}

// Scored enters what a probe's audio scores.
func (c *Cell) Scored(worst, best float64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.worst.scores.Record(worst)
	c.best.scores.Record(best)
}

// JoinFailed enters for how long a listener had tried to join who never came in.
func (c *Cell) JoinFailed(waited time.Duration) { c.joins.Record(metric.InMilliseconds(waited)) }

// Join enters at the end how long a listener's join took at best.
func (c *Cell) Join(d time.Duration, inDoubt bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.joinsBest.Record(metric.InMilliseconds(d))
	if inDoubt {
		c.lateJoins++
	}
}

// JoinSteps enters at the end how long the steps of a listener's join took.
func (c *Cell) JoinSteps(d StepDurations) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.steps.enter(d)
}

func (c *Cell) delivered() metric.Rate {
	return metric.Rate{Passes: c.passes.Load(), Total: c.owed.Load()}
}

// add enters what a drained bucket held of the cell, for each of its phases.
func (c *Cell) add(phases uint64, closed closedCell) {
	c.excused.Add(closed.excused)
	c.mu.Lock()
	defer c.mu.Unlock()
	for number := 0; phases != 0; number, phases = number+1, phases>>1 {
		if phases&1 == 0 {
			continue
		}
		for len(c.phases) <= number {
			c.phases = append(c.phases, phaseSum{})
		}
		p := &c.phases[number]
		closed.latency.worstInto(&p.latency)
		closed.latency.bestInto(&p.fastest, &p.again)
		p.doubted = p.doubted || closed.latency.doubted()
		p.delivered.Passes += closed.delivered.Passes
		p.delivered.Total += closed.delivered.Total
		p.excused += closed.excused
	}
}
