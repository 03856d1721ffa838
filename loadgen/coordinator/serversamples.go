package coordinator

import (
	"context"
	"time"

	"github.com/earshot-audio/earshot/loadgen/record"
	"github.com/earshot-audio/earshot/loadgen/timebase"
	"github.com/earshot-audio/earshot/loadgen/usage"
)

// sampleAt has the server measured at the beginning and the end of the steady state.
func (c *coordinator) sampleAt(ctx context.Context) {
	now := c.Clock.Now()
	if !c.began && c.steadyAt > 0 && now >= c.steadyAt && c.span.Stop == 0 {
		c.began = true
		c.sampling.Take(ctx, usage.AtBegin)
		c.span.Steady = c.steadyAt
		c.EnterPhase(record.Steady)
	}
	planned := timebase.Never.Start()
	if c.began {
		planned = c.span.Hold + c.Scenario.Hold.Duration()
	}
	if c.ends.due(now, planned, c.span.Stop) {
		c.ends++
		c.sampling.Take(ctx, usage.AtEnd)
	}
}

// endSamples is how many samples of the end of the steady state have been begun.
type endSamples int

// due reports whether one is: at the end that is planned, since the workers agree on it later, and once more if
// they agree on a later one. stop is the one that they have agreed on, or 0.
func (n endSamples) due(now, planned, stop time.Duration) bool {
	agreed := stop > 0 && now >= stop
	return n == 0 && (now >= planned || agreed) || n == 1 && agreed && stop > planned
}

// enterSample enters a sample that has been taken.
func (c *coordinator) enterSample(t usage.Taken) {
	switch t.By {
	case usage.AtBegin:
		c.before = &t.Sample
	case usage.AtEnd:
		c.after = &t.Sample
	default:
		c.sampling.Entered()
		if c.last != nil {
			c.observe(*c.last, t.Sample)
		}
		c.last = &t.Sample
	}
}

// observe enters what the server and the workers used between two samples.
func (c *coordinator) observe(last, now usage.Sample) {
	if c.span.Arrivals == 0 || now.At < c.span.Arrivals || c.measured > 0 && now.At > c.measured {
		_, c.drops = c.Self()
		return
	}
	l := usage.Load(last, now, 0)
	cpu, memory := 0.0, uint64(0)
	for _, w := range c.workers {
		if w.tally != nil && !w.gone() {
			cpu, memory = cpu+w.tally.NowCPU, memory+w.tally.Memory
		}
	}
	_, lost := c.Self()
	l.GeneratorCPU, l.GeneratorRSS, l.Drops = &cpu, memory, lost-min(lost, c.drops)
	c.drops = max(c.drops, lost)
	c.merger.Load(l)
	c.EnterUse(now)
}
