package measure

import (
	"fmt"
	"math"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/earshot-audio/earshot/loadgen/metric"
)

const (
	// bucketLength is how finely a run is kept at first, before its series is
	// thinned out.
	bucketLength = time.Second
	bucketBins   = Bin(bucketLength / BinLength)
	// ahead is how far into the future buckets are made, so that no packet has to
	// wait for one.
	ahead = 2 * bucketBins
	// MaxPhases bounds the phases and named spans of a run.
	MaxPhases = 64
)

// A bucket is a second of the run, or less where a phase begins or ends within
// it: all of it is in the same phases. Its figures are of the frames that were
// sent in it, whenever they came.
type bucket struct {
	from, until Bin
	phases      uint64 // a bit each, by number
	cells       []*bucketCell
	events      *bucketEvents
}

// bucketEvents is what happened in a bucket besides the receiving.
type bucketEvents struct {
	arrivals, joins, left atomic.Int64
	sendLag               atomic.Int64 // ns, of the latest frame

	drops     atomic.Uint64 // packets dropped on the generator's side meanwhile
	dropsSoon atomic.Uint64 // the same, of those that may have been sent in the bucket
	deprived  atomic.Int64  // ns that the server waited for cores that others took
	stepped   atomic.Bool   // the wall clock was stepped
	stolen    atomic.Int64  // ns that a hypervisor took the cores
	// The share of the packets that may have been late for it, and that may have been lost, in
	// millionths.
	reach, lossReach atomic.Int64
}

// taken is how many of the packets lost in the bucket, of those owed, may be the doing of the
// generator's machine, besides what was dropped: cores were taken.
func (e *bucketEvents) taken(lost, owed uint64) uint64 {
	if time.Duration(e.deprived.Load()) >= deprivedLoss {
		return lost
	}
	return min(lost, share(owed, float64(e.lossReach.Load())/reachScale))
}

// A bucketCell is what the listeners with the same labels received of a bucket.
type bucketCell struct {
	latency      metric.Counts // without doubt
	doubtful     atomic.Pointer[doubtfulCounts]
	passes, owed atomic.Uint64
	late         atomic.Uint64 // of owed, lost and excused by the packet: sent late
	certain      atomic.Uint64 // of owed, lost without an excuse
}

// doubtfulCounts are latencies in doubt, as they may be at worst and at best.
type doubtfulCounts struct{ worst, best metric.Counts }

// heard enters a packet's latency, of which so much may be the generator's doing.
func (c *bucketCell) heard(latency, late time.Duration) {
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

// A record keeps a run by its buckets: the open ones, which packets still go
// into, and the sums of the others. Its memory does not grow with the length
// of the run.
//
// Entering is safe for concurrent use; one goroutine at a time calls drain and
// finish.
type record struct {
	table atomic.Pointer[[]bucket] // open, in order and without a hole

	mu     sync.Mutex // changes the table and what follows
	cells  []*cell
	spare  []*bucketCell
	spans  []span // by number: the bits of bucket.phases
	marks  []Mark
	until  Bin // where the table ends
	ended  bool
	series builder

	// Buckets that no packet should go into any more, and in which nobody has
	// looked for a second.
	retired []bucket
	windows []*window
	// qualities are those of thresholds on mos; they do not change once there are
	// listeners.
	qualities []*qualityWindow
	// noWindows means that nobody asks for listeners' quality in windows: to have it of
	// thousands takes as long as all else that their packets take.
	noWindows bool
	loads     []loadSum // by phase
	// fastest is the least latency of the run so far, at best, and slowest the greatest, in ms.
	fastest, slowest float64
	drops            drops
	// outbox has what is to be told to another process, which enters it into a record of
	// its own; nil if there is none.
	outbox *outbox
}

// A span is when a phase lasts. A phase has one at most.
type span struct {
	name        string
	from, until Bin
}

func newRecord() *record {
	r := &record{fastest: ms(Lateness)}
	r.table.Store(&[]bucket{})
	return r
}

// cell is the cell of the labels; the first time it is made.
func (r *record) cell(labels Labels) *cell {
	if labels.Role == "" {
		labels.Role = Audience
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, c := range r.cells {
		if c.Labels == labels {
			return c
		}
	}
	c := &cell{Labels: labels, number: len(r.cells), joins: metric.NewStripes()}
	r.cells = append(r.cells, c)
	table := slices.Clone(*r.table.Load())
	for i := range table {
		table[i].cells = append(slices.Clone(table[i].cells), r.newCell())
	}
	r.table.Store(&table)
	return c
}

// newCell is an empty bucket's cell, a used one if there is any. r.mu is held.
func (r *record) newCell() *bucketCell {
	if n := len(r.spare); n > 0 {
		c := r.spare[n-1]
		r.spare = r.spare[:n-1]
		return c
	}
	return new(bucketCell)
}

// at is the bucket of a bin: of the frames so late that their bucket is closed, the
// oldest that is open. It is nil once the record has ended.
func (r *record) at(b Bin) *bucket {
	if s := find(*r.table.Load(), b); s != nil {
		return s
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.ended {
		return nil
	}
	r.extend(b + 1)
	return find(*r.table.Load(), b)
}

func find(table []bucket, b Bin) *bucket {
	if len(table) == 0 || b >= table[len(table)-1].until {
		return nil
	}
	for i := len(table) - 1; i > 0; i-- {
		if s := &table[i]; b >= s.from {
			return s
		}
	}
	return &table[0]
}

// extend makes buckets up to a bin. r.mu is held.
func (r *record) extend(to Bin) {
	if r.until >= to {
		return
	}
	table := slices.Clone(*r.table.Load())
	for r.until < to {
		end := (r.until/bucketBins + 1) * bucketBins
		for _, p := range r.spans {
			for _, edge := range []Bin{p.from, p.until} {
				if edge > r.until && edge < end {
					end = edge
				}
			}
		}
		s := bucket{from: r.until, until: end, phases: r.phasesAt(r.until), events: new(bucketEvents)}
		for range r.cells {
			s.cells = append(s.cells, r.newCell())
		}
		table = append(table, s)
		r.until = end
	}
	r.table.Store(&table)
}

func (r *record) phasesAt(b Bin) (bits uint64) {
	for i, p := range r.spans {
		if b >= p.from && b < p.until {
			bits |= 1 << i
		}
	}
	return bits
}

// events is what happens at a moment; nil once the record has ended.
func (r *record) events(at time.Duration) *bucketEvents {
	if s := r.at(BinAt(max(at, 0))); s != nil {
		return s.events
	}
	return nil
}

// phase begins a phase with bin b, and ends it with the bin before until.
func (r *record) phase(name string, b, until Bin) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	i := slices.IndexFunc(r.spans, func(p span) bool { return p.name == name })
	switch {
	case i >= 0:
		return fmt.Errorf("phase %s has been already", name)
	case len(r.spans) == MaxPhases:
		return fmt.Errorf("a run has %d phases and spans at most", MaxPhases)
	}
	r.spans = append(r.spans, span{name, b, until})
	r.cut(b)
	r.cut(until)
	return nil
}

// end ends a phase with the bin before b, unless it has ended before.
func (r *record) end(name string, b Bin) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for i := range r.spans {
		if p := &r.spans[i]; p.name == name && b < p.until {
			p.until = max(b, p.from)
			r.cut(p.until)
		}
	}
}

// cut makes a bucket begin with bin b, and sets the open buckets' phases
// anew. r.mu is held.
func (r *record) cut(b Bin) {
	var table []bucket
	for _, s := range *r.table.Load() {
		if b > s.from && b < s.until {
			// What came of the second half already stays in the first; it is a
			// packet at most, since a phase begins when Begin is called.
			later := bucket{from: b, until: s.until, events: new(bucketEvents)}
			for range r.cells {
				later.cells = append(later.cells, r.newCell())
			}
			s.until = b
			s.phases = r.phasesAt(s.from)
			table = append(table, s)
			s = later
		}
		s.phases = r.phasesAt(s.from)
		table = append(table, s)
	}
	r.table.Store(&table)
}

// mark enters a mark for the series.
func (r *record) mark(m Mark) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.marks = append(r.marks, m)
	slices.SortStableFunc(r.marks, func(a, b Mark) int { return int(a.At - b.At) })
}

// drain closes the buckets that are settled, which are those before bin settled,
// and makes new ones up to now. What it closes is taken into account with the
// next drain, so that nobody is still at it.
func (r *record) drain(now time.Duration, settled Bin) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.extend(BinAt(now) + ahead)
	for _, s := range r.retired {
		r.take(s)
	}
	r.settleQualities(settled)
	if r.outbox != nil {
		r.outbox.before = min(settled, r.closedUntil())
	}
	table := *r.table.Load()
	n := 0
	for n < len(table) && table[n].until <= settled {
		n++
	}
	r.retired = slices.Clone(table[:n])
	table = slices.Clone(table[n:])
	r.table.Store(&table)
}

// finish takes all there is into account, and ends the record.
func (r *record) finish(now time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.extend(BinAt(now) + 1)
	r.ended = true
	table := *r.table.Load()
	r.table.Store(&[]bucket{})
	for _, s := range r.retired {
		r.take(s)
	}
	for _, s := range table {
		if s.from.Start() < now {
			r.take(s)
		}
	}
	r.retired = nil
	r.settleQualities(never)
	if r.outbox != nil {
		r.outbox.before, r.outbox.ended = never, now
		return
	}
	r.series.finish(now)
}

// closedUntil is where the first bucket begins that has not been taken into account. r.mu
// is held, and nothing is retired.
func (r *record) closedUntil() Bin {
	if table := *r.table.Load(); len(table) > 0 {
		return table[0].from
	}
	return r.until
}

// settleQualities judges the windows that are settled. r.mu is held.
func (r *record) settleQualities(settled Bin) {
	until := never
	if n := r.number(Steady); n >= 0 {
		until = r.spans[n].until
	}
	for _, q := range r.qualities {
		q.settle(settled, until)
	}
}

// take closes a bucket and enters it. r.mu is held.
func (r *record) take(s bucket) {
	taken := closedBucket{from: s.from, until: s.until, phases: s.phases, cells: make([]closedCell, len(s.cells)), events: closedEvents{
		arrivals: int(s.events.arrivals.Load()), joins: int(s.events.joins.Load()), left: int(s.events.left.Load()),
		sendLag: time.Duration(s.events.sendLag.Load()),
	}}
	for i, sc := range s.cells {
		taken.cells[i] = sc.close(s.events, r.cells[i].asksAgain(), &r.fastest)
		taken.cells[i].number = i
		r.slowest = max(r.slowest, taken.cells[i].latency.slowest())
		r.spare = append(r.spare, sc)
	}
	taken.slowest = min(time.Duration(math.Ceil(r.slowest*float64(time.Millisecond))), Lateness)
	if r.outbox != nil {
		r.outbox.buckets = append(r.outbox.buckets, taken)
		return
	}
	r.enter(taken)
}

// enter enters a closed bucket into the sums, the series and the windows. r.mu is held.
func (r *record) enter(taken closedBucket) {
	losses := taken.losses(len(r.cells))
	r.drops.lost(losses)
	audience := uint64(0)
	for _, c := range taken.cells {
		r.cells[c.number].add(taken.phases, c)
		if r.cells[c.number].Role == Audience {
			r.series.bucket(taken.from.Start(), c)
			audience += c.droppable
		}
	}
	r.series.dropped(taken.from.Start(), r.drops.pair([]bucketLosses{losses}, func(bucketLosses) uint64 { return audience }))
	r.series.events(taken.from.Start(), taken.events)
	r.series.closed(taken.until.Start())
	for _, w := range r.windows {
		w.bucket(taken)
	}
}

// A closedBucket is a bucket whose figures do not change any more. Where several processes
// have played it, there are several cells of a number.
type closedBucket struct {
	from, until Bin
	phases      uint64
	cells       []closedCell
	events      closedEvents
	// slowest is how long a packet was on its way at most, so far in the run.
	slowest time.Duration
}

// losses is what may have been dropped of the bucket.
func (b closedBucket) losses(cells int) bucketLosses {
	l := bucketLosses{b.from.Start(), b.until.Start() + b.slowest, b.phases, make([]uint64, cells)}
	for _, c := range b.cells {
		l.cells[c.number] += c.droppable
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
}

// A distribution is what was measured of a trend in parts: what is certain, and
// what is in doubt as it is at worst and at best.
type distribution struct{ certain, worst, best *metric.Frozen }

// close freezes what a bucket holds, and empties it. Again is whether its listeners ask again
// for what they miss.
func (c *bucketCell) close(e *bucketEvents, again bool, fastest *float64) closedCell {
	closed := closedCell{
		latency:   distribution{certain: c.latency.Freeze()},
		delivered: metric.Rate{Passes: c.passes.Swap(0), Total: c.owed.Swap(0)},
	}
	lost := closed.delivered.Total - closed.delivered.Passes
	lost -= min(lost, c.certain.Swap(0))
	closed.excused = min(lost, e.taken(lost, closed.delivered.Total)+c.late.Swap(0))
	closed.droppable = lost - closed.excused
	d := &closed.latency
	if doubtful := c.doubtful.Load(); doubtful != nil {
		d.worst, d.best = doubtful.worst.Freeze(), doubtful.best.Freeze()
	}
	fast := &metric.Trend{}
	d.bestInto(fast)
	if fast.Count() > 0 {
		*fastest = min(*fastest, max(0, fast.Summary().Min))
	}
	deprived, stolen := time.Duration(e.deprived.Load()), time.Duration(e.stolen.Load())
	dropped := uint64(0)
	if again {
		dropped = e.drops.Load()
	}
	switch {
	case e.stepped.Load():
		// Nothing is known of any of them: a step back makes latencies small.
		all := &metric.Trend{}
		d.worstInto(all)
		*d = distribution{worst: metric.Constant(ms(Lateness), all.Count()), best: metric.Constant(0, all.Count())}
	case deprived > 0 || stolen > 0 || dropped > 0:
		// At best none of them would have waited, and was as fast as the fastest of
		// the run.
		all := &metric.Trend{}
		d.worstInto(all)
		best := fast.Sooner(ms(deprived), *fastest, fast.Count())
		best = best.Sooner(ms(stolen), *fastest, share(best.Count(), float64(e.reach.Load())/reachScale))
		best = best.Sooner(ms(resentWithin), *fastest, min(best.Count(), dropped))
		*d = distribution{worst: all.Frozen(), best: best.Frozen()}
	}
	return closed
}

// worstInto adds the worst case to a trend, and bestInto the best.
func (d distribution) worstInto(t *metric.Trend) { t.Take(d.certain); t.Take(d.worst) }
func (d distribution) bestInto(t *metric.Trend)  { t.Take(d.certain); t.Take(d.best) }

// slowest is the greatest value, at worst; 0 if there is none.
func (d distribution) slowest() float64 { return max(d.certain.Max(), d.worst.Max()) }

// doubted reports whether there is any doubt.
func (d distribution) doubted() bool { return d.best.Count() > 0 }
