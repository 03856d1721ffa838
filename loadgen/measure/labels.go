package measure

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/earshot-audio/earshot/loadgen/metric"
)

// Audience is the role of those whose figures are the run's: the listeners. The
// ears of the people on stage are told apart by their roles.
const Audience = "listener"

// Labels is what tells listeners apart in a run's figures.
type Labels struct {
	// Role is the role that they were cast for; "" is [Audience].
	Role string
	// Network is the name of their network's profile, or "".
	Network string
	// Probe is for a listener that stands beside the crowd, to be compared with
	// it.
	Probe bool
}

// A cell gathers the figures of all listeners of a run with the same labels.
// It is safe for concurrent use.
type cell struct {
	Labels
	number int // among the cells, and in every slot

	passes, owed   atomic.Uint64 // of the accounts settled so far
	known, unknown atomic.Uint64 // packets that were recognised, or not
	heard          atomic.Int64  // listeners who heard something
	joins          *metric.Stripes

	mu     sync.Mutex
	cast   uint64 // accounts
	closed        // of the accounts that are closed
	// What the drained slots held, by the number of their phase.
	phases []phaseSum
}

// closed is what listeners come to at the end of the run: a sample each in the
// trends.
type closed struct {
	received               uint64 // different packets in the measured window
	duplicates, outOfOrder uint64
	onsets                 metric.Trend // a sample a turn
	jitters, gaps, quality metric.Trend
	losses, concealed      metric.Trend // %
	dropouts               metric.Trend // gaps a minute
}

// A phaseSum is the figures of one phase.
type phaseSum struct {
	latency   metric.Trend // in ms
	delivered metric.Rate
}

func (c *cell) recognised(n uint64)   { c.known.Add(n) }
func (c *cell) unrecognised(n uint64) { c.unknown.Add(n) }

func (c *cell) onsetClip(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.onsets.Record(ms(d))
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

// close enters a listener's closed account.
func (c *cell) close(l *Listener) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.received += l.steady.received
	c.duplicates += l.duplicates
	c.outOfOrder += l.outOfOrder
	if l.steady.jitters > 0 {
		c.jitters.Record(l.steady.jitterSum / float64(l.steady.jitters) * 1000)
	}
	if l.steady.total > 0 {
		c.gaps.Record(ms(l.steady.gap))
		q := l.quality()
		c.quality.Record(q.mos())
		c.concealed.Record(100 * q.concealment())
		c.dropouts.Record(q.gapsPerMinute())
	}
	if l.life.total > 0 {
		c.losses.Record(100 * float64(l.life.total-l.life.passes) / float64(l.life.total))
	}
}

func (c *cell) delivered() metric.Rate {
	return metric.Rate{Passes: c.passes.Load(), Total: c.owed.Load()}
}

// add enters what a drained slot held of the cell, for each of its phases.
func (c *cell) add(phases uint64, latency *metric.Frozen, delivered metric.Rate) {
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
		p.latency.Take(latency)
		p.delivered.Passes += delivered.Passes
		p.delivered.Total += delivered.Total
	}
}
