package record

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/earshot-audio/earshot/loadgen/doubt"
	"github.com/earshot-audio/earshot/loadgen/timebase"
)

// A Merger enters the parts of several processes into one aggregator. A second is closed,
// and goes into windows and the series, when all processes have told it. It is for one
// goroutine at a time; the aggregator may be read meanwhile.
//
// Its memory does not grow with the length of the run: it holds the seconds that some have
// told and others have not.
type Merger struct {
	aggregator *Aggregator
	parts      []progress
	buckets    map[timebase.Bin]*closedBucket // told by some
	closed     int
	loads      []Load // of seconds that are open still
	ended      time.Duration
}

// A progress is how far a process has told the run.
type progress struct {
	before timebase.Bin
	doubts doubt.Sum
	lost   bool
	host   string
}

// NewMerger makes a merger for the processes on these machines, by their names.
func NewMerger(into *Aggregator, hosts []string) *Merger {
	m := &Merger{aggregator: into, buckets: map[timebase.Bin]*closedBucket{}}
	for _, host := range hosts {
		m.parts = append(m.parts, progress{host: host})
	}
	return m
}

// maxOpen is how many seconds a process may be ahead of another.
const maxOpen = 120

// Add enters a part of process i.
func (m *Merger) Add(i int, p Part) error {
	if err := p.check(); err != nil {
		return err
	}
	r := m.aggregator.record
	numbers := make([]int, len(p.Cells))
	for n, c := range p.Cells {
		numbers[n] = r.cell(c.Labels).number
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if err := m.adopt(p); err != nil {
		return err
	}
	for n := range p.Cells {
		r.cells[numbers[n]].addPart(&p.Cells[n])
	}
	for _, d := range p.Drops {
		r.drops.Enter(d)
	}
	for _, of := range p.Audiences {
		m.aggregator.audiences.enter(of)
	}
	for _, b := range p.Buckets {
		if err := m.enter(b, numbers); err != nil {
			return err
		}
	}
	for _, w := range p.Words {
		if w.Window < 0 || w.Window >= len(r.qualities) || w.Worst == nil || w.Best == nil {
			return fmt.Errorf("the part has a window %d of %d", w.Window, len(r.qualities))
		}
		r.qualities[w.Window].add(w)
	}
	of := &m.parts[i]
	if p.Before < of.before {
		return errors.New("the part goes back in time")
	}
	of.before, of.doubts, m.ended = p.Before, p.Doubts, max(m.ended, p.Ended)
	m.aggregator.drops.Store(m.Doubted().Drops)
	return m.advance()
}

// Load enters what all processes used, once the second is closed: only then is it known which phase it belongs to. What was
// used after the run had ended belongs to none.
func (m *Merger) Load(l Load) {
	r := m.aggregator.record
	r.mu.Lock()
	defer r.mu.Unlock()
	m.loads = append(m.loads, l)
	m.enterLoads(m.before())
}

// enterLoads enters what was used before a bin. The record's lock is held.
func (m *Merger) enterLoads(before timebase.Bin) {
	for len(m.loads) > 0 && timebase.BinAt(m.loads[0].Until) <= before {
		m.aggregator.record.enterLoad(m.loads[0])
		m.loads = m.loads[1:]
	}
}

// Lose goes on without process i.
func (m *Merger) Lose(i int) {
	r := m.aggregator.record
	r.mu.Lock()
	defer r.mu.Unlock()
	m.parts[i].lost = true
	_ = m.advance() // it can only be less open
}

// Finish closes all there is.
func (m *Merger) Finish() {
	r := m.aggregator.record
	r.mu.Lock()
	defer r.mu.Unlock()
	m.close(timebase.Never)
	m.loads = slices.DeleteFunc(m.loads, func(l Load) bool { return m.ended > 0 && l.Until > m.ended })
	m.enterLoads(timebase.Never)
	r.ended = true
	r.series.finish(m.ended)
	r.settleQualities(timebase.Never)
}

// adopt takes over the run's phases and marks, which are the same for all. The record's
// lock is held.
func (m *Merger) adopt(p Part) error {
	r := m.aggregator.record
	for i, phase := range p.Phases {
		switch {
		case i == len(r.spans):
			r.spans = append(r.spans, span{phase.Name, phase.From, phase.Until})
		case r.spans[i].name != phase.Name || r.spans[i].from != phase.From:
			return fmt.Errorf("the part has phase %s from bin %d on, and others have %s from %d on", phase.Name, phase.From, r.spans[i].name, r.spans[i].from)
		default:
			r.spans[i].until = min(r.spans[i].until, phase.Until)
		}
	}
	for _, mark := range p.Marks {
		if !slices.Contains(r.marks, mark) {
			r.marks = append(r.marks, mark)
		}
	}
	slices.SortStableFunc(r.marks, func(a, b Mark) int { return int(a.At - b.At) })
	return nil
}

// enter enters a bucket into the open one of its time. The record's lock is held.
func (m *Merger) enter(b PartBucket, numbers []int) error {
	open, ok := m.buckets[b.From]
	if !ok {
		open = &closedBucket{from: b.From, until: b.Until, phases: b.Phases}
		m.buckets[b.From] = open
	}
	if open.until != b.Until || open.phases != b.Phases {
		return fmt.Errorf("the part has a second from bin %d to %d, and others to %d", b.From, b.Until, open.until)
	}
	open.events.arrivals += b.Arrivals
	open.events.joins += b.Joins
	open.events.left += b.Left
	open.events.sendLag = max(open.events.sendLag, b.SendLag)
	open.slowest = max(open.slowest, b.Slowest)
	for _, c := range b.Cells {
		open.cells = append(open.cells, closedCell{
			number: numbers[c.Cell], latency: distribution{c.Certain, c.Worst, c.Best, c.Resent}, delivered: c.Delivered, excused: c.Excused, droppable: c.Droppable, ambiguous: c.Ambiguous,
		})
	}
	return nil
}

// advance closes the seconds that all have told. The record's lock is held.
func (m *Merger) advance() error {
	before := m.before()
	m.close(before)
	m.enterLoads(before)
	m.aggregator.record.settleQualities(before)
	if len(m.buckets) > maxOpen*2 {
		return fmt.Errorf("a process is more than %d s behind the others", maxOpen)
	}
	return nil
}

// before is up to where all have told the run.
func (m *Merger) before() timebase.Bin {
	before := timebase.Never
	for _, p := range m.parts {
		if !p.lost {
			before = min(before, p.before)
		}
	}
	return before
}

// close closes the buckets before a bin, in order. The record's lock is held.
func (m *Merger) close(before timebase.Bin) {
	var due []timebase.Bin
	for from, b := range m.buckets {
		if b.until <= before {
			due = append(due, from)
		}
	}
	slices.Sort(due)
	for _, from := range due {
		m.aggregator.record.enter(*m.buckets[from])
		delete(m.buckets, from)
		m.closed++
	}
}

// Closed is how many seconds have been closed.
func (m *Merger) Closed() int { return m.closed }

// Doubted sums up what is in doubt in all processes. What others do to a machine all
// processes on it see, so that it counts once for each machine.
func (m *Merger) Doubted() (sum doubt.Sum) {
	byHost := map[string]doubt.Sum{}
	for _, p := range m.parts {
		d := p.doubts
		sum.LateFrames += d.LateFrames
		sum.Frames += d.Frames
		sum.Latest = max(sum.Latest, d.Latest)
		sum.Stalls += d.Stalls
		sum.Stalled += d.Stalled
		sum.Drops += d.Drops
		sum.Ambiguous += d.Ambiguous
		sum.WeakMarks += d.WeakMarks
		sum.LateJoins += d.LateJoins
		sum.LostJoins += d.LostJoins
		h := byHost[p.host]
		h.Contended, h.Stolen, h.Steps = max(h.Contended, d.Contended), max(h.Stolen, d.Stolen), max(h.Steps, d.Steps)
		h.Throttled = max(h.Throttled, d.Throttled)
		h.Competed = max(h.Competed, d.Competed)
		byHost[p.host] = h
	}
	for _, h := range byHost {
		sum.Contended, sum.Stolen, sum.Throttled, sum.Steps = sum.Contended+h.Contended, sum.Stolen+h.Stolen, sum.Throttled+h.Throttled, sum.Steps+h.Steps
		sum.Competed += h.Competed
	}
	return sum
}

// addPart adds what a part has of the cell.
func (c *Cell) addPart(p *PartCell) {
	c.passes.Add(p.Passes)
	c.owed.Add(p.Owed)
	c.known.Add(p.Known)
	c.unknown.Add(p.Unknown)
	c.foreign.Add(p.Foreign)
	c.elsewhere.Add(p.Elsewhere)
	c.ambiguous.Add(p.Ambiguous)
	c.mistimed.Add(p.Mistimed)
	c.perhapsMistimed.Add(p.PerhapsMistimed)
	c.weakMarks.Add(p.WeakMarks)
	c.heard.Add(p.Heard)
	c.lostJoins.Add(p.LostJoins)
	if p.Joins != nil {
		c.joins.Merge(p.Joins)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.cast += p.Cast
	c.received += p.Received
	c.duplicates += p.Duplicates
	c.outOfOrder += p.OutOfOrder
	c.closed.lateJoins += p.LateJoins
	c.fec, c.red = c.fec.plus(p.FEC), c.red.plus(p.RED)
	c.listeners = append(c.listeners, p.Listeners...)
	all := c.closed.all()
	for _, t := range p.Trends {
		all[t.Of].Merge(t.Trend)
	}
}

// add enters the scores that another process has of a word.
func (q *ScoreWindow) add(w PartWord) {
	s := q.scores(w.Word)
	s.worst.Merge(w.Worst)
	s.best.Merge(w.Best)
	for _, t := range w.Allotted {
		s.allotted[t.Of].Merge(t.Trend)
	}
}
