package record

import (
	"slices"
	"time"

	"github.com/earshot-audio/earshot/loadgen/doubt"
	"github.com/earshot-audio/earshot/loadgen/metric"
	"github.com/earshot-audio/earshot/loadgen/timebase"
)

// An outbox holds what a record has closed and not yet told.
type outbox struct {
	buckets []closedBucket
	words   []heardWord
	drops   []doubt.Drop
	marks   int // told so far
	ended   time.Duration
	// before is up to where everything has been closed.
	before timebase.Bin
}

// A heardWord is the scores of the windows that end with a word.
type heardWord struct {
	of     *ScoreWindow
	number int64
	scores *wordScores
}

// told is what has been told of a cell's counts.
type told struct {
	passes, owed, known, unknown, foreign, elsewhere, ambiguous, mistimed, weakMarks, cast uint64
	perhapsMistimed                                                                        uint64
	heard, lostJoins                                                                       int64
}

// Export has the aggregator keep what it measures for [Aggregator.TakeParts], instead of
// summing it up itself. It is called before anything is measured.
func (a *Aggregator) Export() { a.record.outbox = &outbox{} }

// maxListeners is how many listeners a part names one by one, and maxAudiences how many rooms,
// so that a message of it has a bounded size.
const (
	maxListeners = 2000
	maxAudiences = 200
)

// TakeParts returns what has been measured since the last call: most often one part,
// several at the end of a large run. It is called by one goroutine at a time, which
// calls Drain and Finish, too.
func (a *Aggregator) TakeParts() []Part {
	r := a.record
	doubts := a.Doubted()
	r.mu.Lock()
	defer r.mu.Unlock()
	out := r.outbox
	p := Part{Version: PartVersion, Before: out.before, Ended: out.ended, Marks: slices.Clone(r.marks[out.marks:]), Drops: out.drops, Doubts: doubts}
	out.marks = len(r.marks)
	for _, s := range r.spans {
		p.Phases = append(p.Phases, PartPhase{s.name, s.from, s.until})
	}
	for _, b := range out.buckets {
		p.Buckets = append(p.Buckets, partBucket(b))
	}
	for _, w := range out.words {
		word := PartWord{slices.Index(r.qualities, w.of), w.number, &w.scores.worst, &w.scores.best, nil}
		for i := range w.scores.allotted {
			if t := &w.scores.allotted[i]; t.Count() > 0 {
				word.Allotted = append(word.Allotted, PartTrend{i, t})
			}
		}
		p.Words = append(p.Words, word)
	}
	out.buckets, out.words, out.drops = nil, nil, nil
	var rest [][]Heard
	for _, c := range r.cells {
		cell := c.takePart()
		n := min(len(cell.Listeners), maxListeners)
		rest = append(rest, cell.Listeners[n:])
		cell.Listeners = cell.Listeners[:n]
		p.Cells = append(p.Cells, cell)
	}
	parts := []Part{p}
	audiences := a.audiences.take()
	for more := true; more; {
		rooms := min(len(audiences), maxAudiences)
		more = rooms > 0
		next := Part{Version: PartVersion, Before: p.Before, Ended: p.Ended, Phases: p.Phases, Doubts: p.Doubts, Audiences: audiences[:rooms]}
		audiences = audiences[rooms:]
		for i, all := range rest {
			n := min(len(all), maxListeners)
			more = more || n > 0
			next.Cells = append(next.Cells, PartCell{Labels: p.Cells[i].Labels, Listeners: all[:n]})
			rest[i] = all[n:]
		}
		if more {
			parts = append(parts, next)
		}
	}
	return parts
}

// partBucket is the form of a closed bucket for the wire.
func partBucket(b closedBucket) PartBucket {
	p := PartBucket{From: b.from, Until: b.until, Phases: b.phases, Arrivals: b.events.arrivals, Joins: b.events.joins, Left: b.events.left, SendLag: b.events.sendLag, Slowest: b.slowest}
	for _, c := range b.cells {
		if c.latency.packets()+c.delivered.Total+c.ambiguous == 0 {
			continue
		}
		p.Cells = append(p.Cells, PartBucketCell{
			Cell: c.number, Certain: some(c.latency.certain), Worst: some(c.latency.worst), Best: some(c.latency.best), Resent: some(c.latency.resent),
			Delivered: c.delivered, Excused: c.excused, Droppable: c.droppable, Ambiguous: c.ambiguous,
		})
	}
	return p
}

// some is a distribution, or nil if it is empty.
func some(f *metric.Frozen) *metric.Frozen {
	if f.Count() == 0 {
		return nil
	}
	return f
}

// takePart returns what has been entered since the last time. The record's lock is held.
func (c *Cell) takePart() PartCell {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := told{
		passes: c.passes.Load(), owed: c.owed.Load(), known: c.known.Load(), unknown: c.unknown.Load(), foreign: c.foreign.Load(), elsewhere: c.elsewhere.Load(),
		ambiguous: c.ambiguous.Load(), mistimed: c.mistimed.Load(), perhapsMistimed: c.perhapsMistimed.Load(), weakMarks: c.weakMarks.Load(), cast: c.cast, heard: c.heard.Load(), lostJoins: c.lostJoins.Load(),
	}
	was := c.told
	c.told = now
	p := PartCell{
		Labels: c.Labels, Passes: now.passes - was.passes, Owed: now.owed - was.owed, Known: now.known - was.known,
		Unknown: now.unknown - was.unknown, Foreign: now.foreign - was.foreign, Elsewhere: now.elsewhere - was.elsewhere, Ambiguous: now.ambiguous - was.ambiguous,
		Mistimed: now.mistimed - was.mistimed, PerhapsMistimed: now.perhapsMistimed - was.perhapsMistimed, WeakMarks: now.weakMarks - was.weakMarks, Cast: now.cast - was.cast, Heard: now.heard - was.heard, LostJoins: now.lostJoins - was.lostJoins,
		Received: c.received, Duplicates: c.duplicates, OutOfOrder: c.outOfOrder, LateJoins: c.closed.lateJoins,
		FEC: c.fec, RED: c.red, Listeners: c.listeners,
	}
	if joins := c.joins.Take(); joins.Count() > 0 {
		p.Joins = joins
	}
	for i, t := range c.closed.all() {
		if t.Count()+t.Invalid() > 0 {
			copied := &metric.Trend{}
			copied.Merge(t)
			p.Trends = append(p.Trends, PartTrend{i, copied})
		}
	}
	c.closed = closed{}
	return p
}
