package record

import (
	"time"

	"github.com/earshot-audio/earshot/loadgen/metric"
	"github.com/earshot-audio/earshot/loadgen/timebase"
)

// maxAmbiguous is the share of packets that may stay without a latency.
const maxAmbiguous = 0.001

// MaxUnseen is the share of what listeners were due that the generator may have dropped before what it received
// no longer says what was sent to them: a server's late packets, or its copies, may come in bursts, which are
// what overflows a buffer.
const MaxUnseen = 0.001

// A placement is how many packets were tied to the frame that they carry, and how many fit several.
type placement struct{ placed, ambiguous uint64 }

func (p placement) plus(o placement) placement {
	return placement{p.placed + o.placed, p.ambiguous + o.ambiguous}
}

// doubtful reports whether so many fit several frames that what was heard is not known.
func (p placement) doubtful() bool {
	return float64(p.ambiguous) > maxAmbiguous*float64(p.placed+p.ambiguous)
}

// latencyWith is a distribution with the packets that fit several frames, if they are many: each may
// be as late as the oldest of them.
func (p placement) latencyWith(t *metric.Trend, each time.Duration) *metric.Trend {
	if !p.doubtful() {
		return t
	}
	all := &metric.Trend{}
	all.Merge(t)
	all.RecordN(metric.InMilliseconds(each), p.ambiguous)
	return all
}

// muchUnseen reports whether the generator dropped more than [MaxUnseen].
func (p placement) muchUnseen(dropped uint64) bool {
	return float64(dropped) > MaxUnseen*float64(p.placed+dropped)
}

// withUnseen is a distribution at worst with what the generator may have dropped, if it is much: each
// may have been as late as a packet can be.
func (p placement) withUnseen(t *metric.Trend, dropped uint64) *metric.Trend {
	if !p.muchUnseen(dropped) {
		return t
	}
	all := &metric.Trend{}
	all.Merge(t)
	all.RecordN(metric.InMilliseconds(Lateness), dropped)
	return all
}

// bucketPlacements is that of the listeners of each cell in one bucket.
type bucketPlacements struct {
	from, until time.Duration
	cells       []placement // by the cell's number; of those that there were
}

func (b closedBucket) placements(cells int) bucketPlacements {
	p := bucketPlacements{b.from.Start(), b.until.Start(), make([]placement, cells)}
	for _, c := range b.cells {
		p.cells[c.number] = p.cells[c.number].plus(c.placement())
	}
	return p
}

func (c *closedCell) placement() placement { return placement{c.latency.packets(), c.ambiguous} }

// ambiguousWithin is how long before a packet came the frame may have been sent that a sound server
// sent with it. It decides into which bucket a packet is entered that fits several frames.
const ambiguousWithin = 10 * timebase.BinLength

// Ambiguous enters a packet that came at a time and fits several frames: into the bucket of that time,
// and into the one before if the frame may have been sent in it.
func (a *Aggregator) Ambiguous(c *Cell, at time.Duration) {
	c.ambiguous.Add(1)
	last := a.record.at(timebase.BinAt(max(at, 0)))
	if last == nil {
		return
	}
	last.cells[c.number].ambiguous.Add(1)
	if first := a.record.at(timebase.BinAt(max(at-ambiguousWithin, 0))); first != nil && first.from != last.from {
		first.cells[c.number].ambiguous.Add(1)
	}
}
