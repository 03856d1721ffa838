package record

import (
	"fmt"
	"math"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/earshot-audio/earshot/loadgen/doubt"
	"github.com/earshot-audio/earshot/loadgen/metric"
	"github.com/earshot-audio/earshot/loadgen/timebase"
)

// Lateness is how old a packet may be and still count as delivered. Words are
// settled when they are older.
const Lateness = 5 * time.Second

const (
	// BucketLength is how finely a run is kept at first, before its series is
	// thinned out.
	BucketLength = time.Second
	bucketBins   = timebase.Bin(BucketLength / timebase.BinLength)
	// ahead is how far into the future buckets are made, so that no packet has to
	// wait for one.
	ahead = 2 * bucketBins
	// MaxPhases bounds the phases and named spans of a run.
	MaxPhases = 64
)

// A record keeps a run by its buckets: the open ones, which packets still go
// into, and the sums of the others. Its memory does not grow with the length
// of the run.
//
// Entering is safe for concurrent use; one goroutine at a time calls drain and
// finish.
type record struct {
	table atomic.Pointer[[]Bucket] // open, in order and without a hole

	mu     sync.Mutex // changes the table and what follows
	cells  []*Cell
	spare  []*BucketCell
	spans  []span // by number: the bits of bucket.phases
	marks  []Mark
	until  timebase.Bin // where the table ends
	ended  bool
	series builder

	// Buckets that no packet should go into any more, and in which nobody has
	// looked for a second.
	retired []Bucket
	windows []*window
	// qualities are those of thresholds on mos; they do not change once there are
	// listeners.
	qualities []*ScoreWindow
	// noWindows means that nobody asks for listeners' quality in windows: to have it of
	// thousands takes as long as all else that their packets take.
	noWindows bool
	loads     []loadSum // by phase
	// fastest is the least latency of the run so far, at best, of packets that were surely not
	// all held up, 0 if there were none, and slowest the greatest, in ms.
	fastest, slowest float64
	drops            doubt.Drops
	resends          resends
	// placements are those of all buckets, in order, if there are qualities.
	placements []bucketPlacements
	// outbox has what is to be told to another process, which enters it into a record of
	// its own; nil if there is none.
	outbox *outbox
}

// A span is when a phase lasts. A phase has one at most.
type span struct {
	name        string
	from, until timebase.Bin
}

func newRecord() *record {
	r := &record{}
	r.table.Store(&[]Bucket{})
	return r
}

// cell is the cell of the labels; the first time it is made.
func (r *record) cell(labels Labels) *Cell {
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
	c := &Cell{Labels: labels, number: len(r.cells), joins: metric.NewStripes()}
	r.cells = append(r.cells, c)
	table := slices.Clone(*r.table.Load())
	for i := range table {
		table[i].cells = append(slices.Clone(table[i].cells), r.newCell())
	}
	r.table.Store(&table)
	return c
}

// newCell is an empty bucket's cell, a used one if there is any. r.mu is held.
func (r *record) newCell() *BucketCell {
	if n := len(r.spare); n > 0 {
		c := r.spare[n-1]
		r.spare = r.spare[:n-1]
		return c
	}
	return new(BucketCell)
}

// at is the bucket of a bin: of the frames so late that their bucket is closed, the
// oldest that is open. It is nil once the record has ended.
func (r *record) at(b timebase.Bin) *Bucket {
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

func find(table []Bucket, b timebase.Bin) *Bucket {
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
func (r *record) extend(to timebase.Bin) {
	if r.until >= to {
		return
	}
	table := slices.Clone(*r.table.Load())
	for r.until < to {
		end := (r.until/bucketBins + 1) * bucketBins
		for _, p := range r.spans {
			for _, edge := range []timebase.Bin{p.from, p.until} {
				if edge > r.until && edge < end {
					end = edge
				}
			}
		}
		s := Bucket{from: r.until, until: end, phases: r.phasesAt(r.until), events: new(bucketEvents)}
		for range r.cells {
			s.cells = append(s.cells, r.newCell())
		}
		table = append(table, s)
		r.until = end
	}
	r.table.Store(&table)
}

func (r *record) phasesAt(b timebase.Bin) (bits uint64) {
	for i, p := range r.spans {
		if b >= p.from && b < p.until {
			bits |= 1 << i
		}
	}
	return bits
}

// events is what happens at a moment; nil once the record has ended.
func (r *record) events(at time.Duration) *bucketEvents {
	if s := r.at(timebase.BinAt(max(at, 0))); s != nil {
		return s.events
	}
	return nil
}

// phase begins a phase with bin b, and ends it with the bin before until.
func (r *record) phase(name string, b, until timebase.Bin) error {
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
func (r *record) end(name string, b timebase.Bin) {
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
func (r *record) cut(b timebase.Bin) {
	var table []Bucket
	for _, s := range *r.table.Load() {
		if b > s.from && b < s.until {
			// What came of the second half already stays in the first; it is a
			// packet at most, since a phase begins when Begin is called.
			later := Bucket{from: b, until: s.until, events: new(bucketEvents)}
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

// RetireAfter is how long after a drain another one may take into account what the first has closed.
const RetireAfter = 400 * time.Millisecond

// drain closes the buckets that are settled, which are those before bin settled,
// and makes new ones up to now. What it closes is taken into account with the
// next drain, so that nobody is still at it.
func (r *record) drain(now time.Duration, settled timebase.Bin) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.extend(timebase.BinAt(now) + ahead)
	for _, s := range r.retired {
		r.take(s)
	}
	closed := min(settled, r.closedUntil())
	r.settleQualities(closed)
	if r.outbox != nil {
		r.outbox.before = closed
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
	r.extend(timebase.BinAt(now) + 1)
	r.ended = true
	table := *r.table.Load()
	r.table.Store(&[]Bucket{})
	for _, s := range r.retired {
		r.take(s)
	}
	for _, s := range table {
		if s.from.Start() < now {
			r.take(s)
		}
	}
	r.retired = nil
	r.settleQualities(timebase.Never)
	if r.outbox != nil {
		r.outbox.before, r.outbox.ended = timebase.Never, now
		return
	}
	r.series.finish(now)
}

// closedUntil is where the first bucket begins that has not been taken into account. r.mu
// is held, and nothing is retired.
func (r *record) closedUntil() timebase.Bin {
	if table := *r.table.Load(); len(table) > 0 {
		return table[0].from
	}
	return r.until
}

// settleQualities judges the windows that are settled. r.mu is held.
func (r *record) settleQualities(settled timebase.Bin) {
	until := timebase.Never
	if n := r.number(Steady); n >= 0 {
		until = r.spans[n].until
	}
	for _, q := range r.qualities {
		q.settle(settled, until)
	}
}

// take closes a bucket and enters it. r.mu is held.
func (r *record) take(s Bucket) {
	taken := closedBucket{from: s.from, until: s.until, phases: s.phases, cells: make([]closedCell, len(s.cells)), events: closedEvents{
		arrivals: int(s.events.arrivals.Load()), joins: int(s.events.joins.Load()), left: int(s.events.left.Load()),
		sendLag: time.Duration(s.events.sendLag.Load()),
	}}
	for i, sc := range s.cells {
		taken.cells[i] = sc.close(s.events)
		taken.cells[i].number = i
		mistimed, perhaps := sc.stamps(s.events, taken.cells[i].latency.packets(), s.until-s.from)
		r.cells[i].mistimed.Add(mistimed)
		r.cells[i].perhapsMistimed.Add(perhaps)
		r.slowest = max(r.slowest, taken.cells[i].latency.slowest())
		r.spare = append(r.spare, sc)
	}
	dropped := r.drops.Within(taken.from.Start(), taken.until.Start()+r.atMost())
	for i := range taken.cells {
		resent := dropped
		if !r.cells[i].AsksAgain() {
			resent = 0
		}
		taken.cells[i].latency.excuse(s.events, resent, &r.fastest)
		r.slowest = max(r.slowest, taken.cells[i].latency.slowest())
	}
	taken.slowest = r.atMost()
	if r.outbox != nil {
		r.outbox.buckets = append(r.outbox.buckets, taken)
		return
	}
	r.enter(taken)
}

// atMost is for how long a packet has been on its way at most, so far in the run. r.mu is held.
func (r *record) atMost() time.Duration {
	return min(time.Duration(math.Ceil(r.slowest*float64(time.Millisecond))), Lateness)
}

// enter enters a closed bucket into the sums, the series and the windows. r.mu is held.
func (r *record) enter(taken closedBucket) {
	losses := taken.losses(len(r.cells))
	r.drops.Losses = r.drops.Keep(r.drops.Losses, losses)
	r.drops.Unseen = r.drops.Keep(r.drops.Unseen, taken.unseen(len(r.cells)))
	resent := taken.resent(len(r.cells))
	r.drops.Resent = r.drops.Keep(r.drops.Resent, resent)
	if len(r.qualities) > 0 {
		r.placements = append(r.placements, taken.placements(len(r.cells)))
	}
	audience := lossesOf(ofPeople(r.cells, func(l Labels) bool { return l.Role == Audience }))
	again := &resentLatency{}
	for _, c := range taken.cells {
		r.cells[c.number].add(taken.phases, c)
		if r.cells[c.number].Role == Audience {
			r.series.bucket(taken.from.Start(), c, again)
		}
	}
	r.series.dropped(taken.from.Start(), r.drops.Pair([]doubt.Losses{losses}, audience))
	r.series.resent(taken.from.Start(), again.best(r.drops.Pair([]doubt.Losses{resent}, audience)))
	r.series.events(taken.from.Start(), taken.events)
	r.series.closed(taken.until.Start())
	for _, w := range r.windows {
		w.bucket(taken)
	}
}

// ofPeople is those of some cells that are of the people with some labels.
func ofPeople(cells []*Cell, of func(Labels) bool) (chosen []*Cell) {
	for _, c := range cells {
		if of(c.Labels) {
			chosen = append(chosen, c)
		}
	}
	return chosen
}
