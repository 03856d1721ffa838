package record

import (
	"sync/atomic"
	"time"

	"github.com/earshot-audio/earshot/loadgen/doubt"
	"github.com/earshot-audio/earshot/loadgen/metric"
	"github.com/earshot-audio/earshot/loadgen/timebase"
)

// A Bucket is a second of the run, or less where a phase begins or ends within
// it: all of it is in the same phases. Its figures are of the frames that were
// sent in it, whenever they came.
type Bucket struct {
	from, until timebase.Bin
	phases      uint64 // a bit each, by number
	cells       []*BucketCell
	events      *bucketEvents
}

// Until is the bin with which the next one begins.
func (b *Bucket) Until() timebase.Bin { return b.until }

// Cell is the bucket's cell of the listeners with the labels of a cell.
func (b *Bucket) Cell(of *Cell) *BucketCell { return b.cells[of.number] }

// Taken is how many of the packets lost in the bucket, of those owed, may be the doing of the
// generator's machine, besides what was dropped: cores were taken.
func (b *Bucket) Taken(lost, owed uint64) uint64 { return b.events.taken(lost, owed) }

// DropsSoon is how many packets the generator's side dropped that may have been sent in the bucket.
func (b *Bucket) DropsSoon() uint64 { return b.events.dropsSoon.Load() }

// bucketEvents is what happened in a bucket besides the receiving.
type bucketEvents struct {
	arrivals, joins, left atomic.Int64
	sendLag               atomic.Int64 // ns, of the latest frame

	drops     atomic.Uint64 // packets dropped on the generator's side meanwhile
	dropsSoon atomic.Uint64 // the same, of those that may have been sent in the bucket
	deprived  atomic.Int64  // ns that the server waited for cores that others took
	behind    atomic.Int64  // ns by which it may have been behind at most, since it shared them
	calm      atomic.Bool   // it was not all the time
	overrun   atomic.Bool   // it was for so long that its buffers may have been full
	stepped   atomic.Bool   // the wall clock was stepped
	stolen    atomic.Int64  // ns that a hypervisor took the cores
	// The share of the packets that may have been late for it, and that may have been lost, in
	// millionths.
	reach, lossReach atomic.Int64
}

// reachScale is one in which a share can be added up without a lock.
const reachScale = 1e6

// taken is how many of the packets lost in the bucket, of those owed, may be the doing of the
// generator's machine, besides what was dropped: cores were taken.
func (e *bucketEvents) taken(lost, owed uint64) uint64 {
	if time.Duration(e.deprived.Load()) >= doubt.DeprivedLoss || e.overrun.Load() {
		return lost
	}
	return min(lost, doubt.Share(owed, float64(e.lossReach.Load())/reachScale))
}

// A BucketCell is what the listeners with the same labels received of a bucket.
type BucketCell struct {
	latency      metric.Counts // without doubt
	doubtful     atomic.Pointer[doubtfulCounts]
	passes, owed atomic.Uint64
	late         atomic.Uint64 // of owed, lost and excused by the packet: sent late
	certain      atomic.Uint64 // of owed, lost without an excuse
	ambiguous    atomic.Uint64 // packets that fit several frames
	// Packets whose time stamps do not follow those before them, and those of which it may be the
	// generator's doing.
	mistimed, perhapsMistimed atomic.Uint64
}

// stamps returns how many of the bucket's packets had time stamps that do not follow, and of how many
// more it may be the doing of the generator or of its machine, and empties both.
//
// A server that waited for a core stamps late, if it stamps anew by when packets come. What a listener
// hears gets later by no more than that, and then earlier again, by half a frame or more each time. So
// many of the packets that it hears in the bucket's bins are excused.
func (c *BucketCell) stamps(e *bucketEvents, packets uint64, bins timebase.Bin) (mistimed, perhaps uint64) {
	mistimed, perhaps = c.mistimed.Swap(0), c.perhapsMistimed.Swap(0)
	waited := time.Duration(e.deprived.Load() + e.stolen.Load() + e.behind.Load())
	excused := min(mistimed, doubt.Share(packets, float64(2*waited)/float64(timebase.BinLength/2)/float64(bins)))
	return mistimed - excused, perhaps + excused
}

// doubtfulCounts are latencies in doubt, as they may be at worst and at best.
type doubtfulCounts struct{ worst, best metric.Counts }

// Settled counts packets that came, and those that were owed.
func (c *BucketCell) Settled(passes, owed uint64) {
	c.passes.Add(passes)
	c.owed.Add(owed)
}

// LostSurely counts packets of those owed that were lost without an excuse.
func (c *BucketCell) LostSurely(n uint64) { c.certain.Add(n) }

// LostLate counts packets of those owed that were lost and are excused by the packet: they were sent late.
func (c *BucketCell) LostLate(n uint64) { c.late.Add(n) }

// Mistimed counts a packet whose time stamp does not follow those before it, perhaps by the generator's doing.
func (c *BucketCell) Mistimed(perhaps bool) {
	if perhaps {
		c.perhapsMistimed.Add(1)
	} else {
		c.mistimed.Add(1)
	}
}

// Heard enters a packet's latency, of which so much may be the generator's doing.
func (c *BucketCell) Heard(latency, late time.Duration) {
	if late == 0 {
		c.latency.Record(latency)
		return
	}
	d := c.doubtful.Load()
	if d == nil {
		d = new(doubtfulCounts)
		if !c.doubtful.CompareAndSwap(nil, d) {
			d = c.doubtful.Load()
		}
	}
	d.worst.Record(latency)
	d.best.Record(max(0, latency-late))
}

// leastLatency is what a latency of nothing counts as where 0 is that none is known, in ms.
const leastLatency = 0.001

// A closedBucket is a bucket whose figures do not change any more. Where several processes
// have played it, there are several cells of a number.
type closedBucket struct {
	from, until timebase.Bin
	phases      uint64
	cells       []closedCell
	events      closedEvents
	// slowest is how long a packet was on its way at most, so far in the run.
	slowest time.Duration
}

// losses is what may have been dropped of the bucket, of what nothing else excuses.
func (b closedBucket) losses(cells int) doubt.Losses {
	return b.perhapsDropped(cells, func(c closedCell) uint64 { return c.droppable })
}

// unseen is what may have been dropped of all that was lost of the bucket.
func (b closedBucket) unseen(cells int) doubt.Losses {
	return b.perhapsDropped(cells, func(c closedCell) uint64 { return c.delivered.Total - c.delivered.Passes })
}

// resent is how many packets of the bucket may have been late since they were dropped.
func (b closedBucket) resent(cells int) doubt.Losses {
	return b.perhapsDropped(cells, func(c closedCell) uint64 { return c.latency.resent.Count() })
}

// perhapsDropped is what may have been dropped, of so many packets of each cell.
func (b closedBucket) perhapsDropped(cells int, of func(closedCell) uint64) doubt.Losses {
	l := doubt.Losses{From: b.from.Start(), Until: b.until.Start() + b.slowest, Phases: b.phases, Cells: make([]uint64, cells)}
	for _, c := range b.cells {
		l.Cells[c.number] += of(c)
	}
	return l
}

// closedEvents is what happened in a closed bucket besides the receiving.
type closedEvents struct {
	arrivals, joins, left int
	sendLag               time.Duration // of the latest frame
}

type closedCell struct {
	number    int // of the cell
	latency   distribution
	delivered metric.Rate
	excused   uint64 // of what was lost
	droppable uint64 // of the rest, what may have been lost by drops, if there were so many
	ambiguous uint64 // packets that fit several frames
}

// A distribution is what was measured of a trend in parts: what is certain, and
// what is in doubt as it is at worst and at best.
type distribution struct {
	certain, worst, best *metric.Frozen
	// resent is best once more, if as many packets as may have been were dropped by the
	// generator and sent again. Best is if none was. It is nil where none can have been.
	resent *metric.Frozen
}

// A resentLatency is the latency of those who ask again for what they miss, of times in which
// the generator may have dropped some of it: at best if it dropped nothing, and if each kind of
// listeners lost all that it dropped in each of these times.
//
// Of n packets dropped, all together had no better than if nothing had been dropped, but for n.
type resentLatency struct{ undropped, dropped metric.Trend }

func (r *resentLatency) merge(o *resentLatency) {
	r.undropped.Merge(&o.undropped)
	r.dropped.Merge(&o.dropped)
}

// best is the latency at best if the generator dropped no more than n of the packets.
func (r *resentLatency) best(n uint64) *metric.Trend {
	return metric.Lowest([]*metric.Trend{&r.undropped, &r.dropped}, []uint64{n, 0})
}

// close freezes what a bucket holds, and empties it.
func (c *BucketCell) close(e *bucketEvents) closedCell {
	closed := closedCell{
		ambiguous: c.ambiguous.Swap(0),
		latency:   distribution{certain: c.latency.Freeze()},
		delivered: metric.Rate{Passes: c.passes.Swap(0), Total: c.owed.Swap(0)},
	}
	lost := closed.delivered.Total - closed.delivered.Passes
	lost -= min(lost, c.certain.Swap(0))
	closed.excused = min(lost, e.taken(lost, closed.delivered.Total)+c.late.Swap(0))
	closed.droppable = lost - closed.excused
	if doubtful := c.doubtful.Load(); doubtful != nil {
		closed.latency.worst, closed.latency.best = doubtful.worst.Freeze(), doubtful.best.Freeze()
	}
	return closed
}

// excuse takes what happened in the bucket into account. The listeners may have got so many
// packets late since the generator dropped them and they were sent again. Fastest is the least
// latency, in ms, of the run's buckets of which it is sure that some packets were not held up; 0
// before there are any.
func (d *distribution) excuse(e *bucketEvents, resent uint64, fastest *float64) {
	fast := &metric.Trend{}
	d.bestInto(fast, nil)
	behind := time.Duration(e.behind.Load())
	deprived, stolen := time.Duration(e.deprived.Load())+behind, time.Duration(e.stolen.Load())
	// If all packets of a bucket may have waited, the fastest of them may have as well.
	allWaited := deprived > behind || behind > 0 && !e.calm.Load() || e.stepped.Load() || e.reach.Load() >= reachScale || resent >= fast.Count()
	if n := max(0, fast.Summary().Min); !allWaited && (*fastest == 0 || n < *fastest) {
		*fastest = max(n, leastLatency)
	}
	if fast.Count() == 0 {
		return
	}
	switch {
	case e.stepped.Load():
		// Nothing is known of any of them: a step back makes latencies small.
		all := &metric.Trend{}
		d.worstInto(all)
		*d = distribution{worst: metric.Constant(metric.InMilliseconds(Lateness), all.Count()), best: metric.Constant(0, all.Count())}
	case deprived > 0 || stolen > 0 || resent > 0:
		// At best none of them would have waited, and was as fast as the fastest of
		// the run, if that is known.
		all := &metric.Trend{}
		d.worstInto(all)
		best := fast.Sooner(metric.InMilliseconds(deprived), *fastest, fast.Count())
		best = best.Sooner(metric.InMilliseconds(stolen), *fastest, doubt.Share(best.Count(), float64(e.reach.Load())/reachScale))
		*d = distribution{worst: all.Frozen(), best: best.Frozen()}
		if resent > 0 {
			d.resent = best.Sooner(metric.InMilliseconds(doubt.ResentWithin), *fastest, min(best.Count(), resent)).Frozen()
		}
	}
}

// worstInto adds the worst case to a trend.
func (d distribution) worstInto(t *metric.Trend) { t.Take(d.certain); t.Take(d.worst) }

// bestInto adds the best case to a trend, or to again if it rests on what was dropped.
func (d distribution) bestInto(t *metric.Trend, again *resentLatency) {
	if d.resent.Count() > 0 {
		t = &again.undropped
		again.dropped.Take(d.resent)
	}
	t.Take(d.certain)
	t.Take(d.best)
}

// slowest is the greatest value, at worst; 0 if there is none.
func (d distribution) slowest() float64 { return max(d.certain.Max(), d.worst.Max()) }

// packets is how many packets it is of.
func (d distribution) packets() uint64 { return d.certain.Count() + d.worst.Count() }

// doubted reports whether there is any doubt.
func (d distribution) doubted() bool { return d.best.Count() > 0 }
