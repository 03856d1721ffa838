package measure

import (
	"cmp"
	"math"
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

// alike reports whether they are listeners on whose way the scenario has nothing that others do not
// have. A room may hold up its audience's packets, and not those for its stage.
func (l Labels) alike() bool {
	return l.Role == "" && l.Network == "" && l.Node == "" && l.Transport == ""
}

// A cell gathers the figures of all listeners of a run with the same labels.
// It is safe for concurrent use.
type cell struct {
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

// asksAgain reports whether the listeners ask again for packets that they miss: those behind
// a simulated network do.
func (l Labels) asksAgain() bool { return l.Network != "" }

// overUDP is the name of the transport that most listeners have.
const overUDP = "udp"

// transport is how their media gets to them.
func (l Labels) transport() string { return cmp.Or(l.Transport, overUDP) }

func (c *cell) recognised(n uint64)   { c.known.Add(n) }
func (c *cell) unrecognised(n uint64) { c.unknown.Add(n) }

func (c *cell) onsetClip(worst, undropped, best time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.onsets.Record(ms(worst))
	c.onsetsUndropped.Record(ms(undropped))
	c.onsetsBest.Record(ms(best))
}

// enter counts one more listener.
func (c *cell) enter() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.cast++
}

// joined enters that a listener heard its first packet, so long after the
// intended start of its join.
func (c *cell) joined(d time.Duration) {
	c.joins.Record(ms(d))
	c.heard.Add(1)
}

// lostJoin counts a listener who is not in, perhaps by the generator's doing, or who
// is no longer one.
func (c *cell) lostJoin(is bool) {
	if is {
		c.lostJoins.Add(1)
	} else {
		c.lostJoins.Add(-1)
	}
}

// close enters a listener's closed account.
func (c *cell) close(l *Listener) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.received += l.received.packets
	if l.joined && l.steady.total > 0 {
		c.listeners = append(c.listeners, l.heardShare())
	}
	c.duplicates += l.duplicates
	c.outOfOrder += l.outOfOrder
	if l.received.jitters > 0 {
		n := float64(l.received.jitters)
		c.worst.jitters.Record(ms(l.received.jitterSum) / n)
		c.atBest(l.jitterDropped > 0, func(e *experiences, dropped uint64) { e.jitters.Record(ms(l.jitter(dropped)) / n) })
	}
	if l.steady.total > 0 {
		c.worst.gaps.Record(ms(l.received.gap))
		c.enterGap(&l.received)
		c.worst.enterQuality(l.hearing().worst(l.ledger.factors()))
		if l.windowed.any {
			c.worst.lowest.Record(l.windowed.lowest.worst)
		}
		c.fec, c.red = c.fec.plus(l.fec()), c.red.plus(l.red())
		slow, _ := l.p99(0)
		c.worst.latencies.Record(ms(slow))
		c.atBest(l.steady.droppable > 0 || l.latencies.undropped != nil, func(e *experiences, dropped uint64) {
			_, fast := l.p99(dropped)
			e.latencies.Record(ms(fast))
		})
	}
	if worst, best, ok := l.roundTrip(&l.ledger.aggregator.Doubts); ok {
		c.worst.trips.Record(ms(worst))
		c.best.trips.Record(ms(best))
	}
	if l.life.total > 0 {
		lost := l.life.total - l.life.passes
		c.worst.losses.Record(100 * float64(lost) / float64(l.life.total))
	}
	if l.life.droppable == 0 {
		c.best.enterAtBest(l, 0)
		return
	}
	for i := range allotments {
		c.allotted[i].enterAtBest(l, i)
	}
}

// atBest enters what a listener experienced at best: for each allotment if it depends on what was
// dropped.
func (c *cell) atBest(allotted bool, enter func(e *experiences, dropped uint64)) {
	if !allotted {
		enter(&c.best, 0)
		return
	}
	for i, dropped := range allotments {
		enter(&c.allotted[i], dropped)
	}
}

// enterGap enters a listener's longest gap at best. So many packets that were dropped can have been so
// many pieces of it.
func (c *cell) enterGap(r *reception) {
	best := max(0, r.gapBest)
	if r.gapDropped <= best {
		c.best.gaps.Record(ms(best))
		return
	}
	for i, dropped := range allotments {
		left := time.Duration(0)
		if dropped < math.MaxInt64 {
			left = r.gapDropped / time.Duration(dropped+1)
		}
		c.allotted[i].gaps.Record(ms(max(best, left)))
	}
}

// enterAtBest enters what a listener experienced at best, of what drops can have changed, if no
// more packets were dropped than an allotment has.
func (e *experiences) enterAtBest(l *Listener, allotment int) {
	dropped := allotments[allotment]
	if l.steady.total > 0 {
		if l.windowed.any {
			e.lowest.Record(l.windowed.lowest.best[allotment])
		}
		e.enterQuality(l.hearing().best(l.ledger.factors(), dropped))
	}
	if d := l.life; d.total > 0 {
		lost := d.total - d.passes
		lost -= min(lost, d.excused+min(dropped, d.droppable))
		e.losses.Record(100 * float64(lost) / float64(d.total))
	}
}

// scored enters what a probe's audio scores.
func (c *cell) scored(worst, best float64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.worst.scores.Record(worst)
	c.best.scores.Record(best)
}

// enterQuality adds one listener's quality.
func (e *experiences) enterQuality(q quality) {
	e.quality.Record(q.mos())
	e.concealed.Record(100 * q.concealment())
	e.dropouts.Record(q.gapsPerMinute())
	e.frozen.Record(ms(q.frozen))
}

// join enters at the end how long a listener's join took at best.
func (c *cell) join(d time.Duration, inDoubt bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.joinsBest.Record(ms(d))
	if inDoubt {
		c.lateJoins++
	}
}

// joinSteps enters at the end how long the steps of a listener's join took.
func (c *cell) joinSteps(d stepDurations) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.steps.enter(d)
}

func (c *cell) delivered() metric.Rate {
	return metric.Rate{Passes: c.passes.Load(), Total: c.owed.Load()}
}

// add enters what a drained bucket held of the cell, for each of its phases.
func (c *cell) add(phases uint64, closed closedCell) {
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
