package record

import (
	"slices"
	"sync/atomic"
	"time"

	"github.com/earshot-audio/earshot/internal/atomicmax"
	"github.com/earshot-audio/earshot/loadgen/doubt"
	"github.com/earshot-audio/earshot/loadgen/metric"
	"github.com/earshot-audio/earshot/loadgen/timebase"
)

// The phases of a run, in their order. Those that a scenario does not have are
// left out.
const (
	Arrivals   = "arrivals"
	WarmUp     = "warm_up"
	Steady     = "steady" // the measured window
	Departures = "departures"
)

// An Aggregator gathers the figures of all listeners of a run, in all its rooms, in
// memory that does not grow with the run's length. It is safe for concurrent
// use, except that one goroutine at a time calls Drain and Finish. Its methods take what
// happens (this file, booking.go) and answer thresholds (select.go, window.go).
type Aggregator struct {
	record *record
	// Doubts is what is in doubt. What changes the figures of single seconds is booked by the
	// aggregator's own methods.
	Doubts doubt.Register
	drops  atomic.Uint64 // packets that the generator's side dropped
	// lateJoins is how many joins took longer by the generator's doing.
	lateJoins atomic.Uint64

	steadyFrom, steadyUntil atomic.Int64 // bins
	phase                   atomic.Pointer[string]
	audiences               audiences
}

// NewAggregator makes an empty aggregator.
func NewAggregator() *Aggregator {
	t := &Aggregator{record: newRecord()}
	t.steadyFrom.Store(int64(timebase.Never))
	t.steadyUntil.Store(int64(timebase.Never))
	return t
}

// Begin ends the phase that there is and begins another with the first bin that
// starts at or after t. It returns an error if the phase has been already.
func (a *Aggregator) Begin(phase string, at time.Duration) error {
	b := timebase.BinAt(at + timebase.BinLength - 1)
	a.endPhase(b)
	if phase == Steady {
		a.steadyFrom.Store(int64(b))
	}
	if err := a.record.phase(phase, b, timebase.Never); err != nil {
		return err
	}
	a.phase.Store(&phase)
	a.record.mark(Mark{At: at, Kind: MarkPhase, Name: phase})
	return nil
}

// Stop ends the last phase with the last bin that ends by t.
func (a *Aggregator) Stop(at time.Duration) { a.endPhase(timebase.BinAt(at)) }

func (a *Aggregator) endPhase(b timebase.Bin) {
	now := a.phase.Swap(nil)
	if now == nil {
		return
	}
	a.record.end(*now, b)
	if *now == Steady {
		a.steadyUntil.Store(int64(b))
	}
}

// Span names a stretch of the run, which may lie within a phase or over
// several. It returns an error if the name is taken.
func (a *Aggregator) Span(name string, from, until time.Duration) error {
	if err := a.record.phase(name, timebase.BinAt(from+timebase.BinLength-1), timebase.BinAt(until)); err != nil {
		return err
	}
	a.record.mark(Mark{At: from, Kind: MarkSpan, Name: name, For: until - from})
	return nil
}

// Mark enters a mark for the run's series.
func (a *Aggregator) Mark(m Mark) { a.record.mark(m) }

// Load enters what both processes used.
func (a *Aggregator) Load(l Load) {
	a.record.mu.Lock()
	defer a.record.mu.Unlock()
	a.record.enterLoad(l)
}

// Arrival enters that a listener's join was to begin.
func (a *Aggregator) Arrival(at time.Duration) {
	if e := a.record.events(at); e != nil {
		e.arrivals.Add(1)
	}
}

// Sent enters how late the frame of a voice in a room went out that was to go out at a moment.
func (a *Aggregator) Sent(room int, voice doubt.Voices, at, late time.Duration) {
	a.Doubts.Sent(room, voice, at, late)
	a.lag(at, late)
}

// Delayed enters that a frame went out later than sent was given.
func (a *Aggregator) Delayed(room int, voice doubt.Voices, at, before, late time.Duration) {
	a.Doubts.Delayed(room, voice, at, before, late)
	a.lag(at, late)
}

// lag keeps the latest frame of each bucket.
func (a *Aggregator) lag(at, late time.Duration) {
	if e := a.record.events(at); e != nil {
		atomicmax.Raise(&e.sendLag, int64(late))
	}
}

// Departure enters that the scenario made a listener leave.
func (a *Aggregator) Departure(at time.Duration) {
	if e := a.record.events(at); e != nil {
		e.left.Add(1)
	}
}

// FirstPacket enters that a listener heard its first packet at a moment, so long
// after the intended start of its join.
func (a *Aggregator) FirstPacket(c *Cell, at, since time.Duration) {
	c.joined(since)
	if e := a.record.events(at); e != nil && c.Role == Audience {
		e.joins.Add(1)
	}
}

// MeasuredWindow is the bins of the steady phase; [timebase.Never] where it has not begun or ended.
func (a *Aggregator) MeasuredWindow() (from, until timebase.Bin) {
	return timebase.Bin(a.steadyFrom.Load()), timebase.Bin(a.steadyUntil.Load())
}

// Cell is the cell of the people with some labels; the first time it is made.
func (a *Aggregator) Cell(labels Labels) *Cell { return a.record.cell(labels) }

// Bucket is that of a bin; nil once the run has ended. Of bins so long ago that their bucket is closed, it is the
// oldest that is open.
func (a *Aggregator) Bucket(b timebase.Bin) *Bucket { return a.record.at(b) }

// JoinedLate counts a join that took longer by the generator's doing.
func (a *Aggregator) JoinedLate() { a.lateJoins.Add(1) }

// Drain takes what is settled in every room, which is the bins before settled,
// out of the record and into the sums and the series. It is called about once a
// second.
func (a *Aggregator) Drain(now time.Duration, settled timebase.Bin) { a.record.drain(now, settled) }

// Finish takes into account what is left, once every room is finished.
func (a *Aggregator) Finish(now time.Duration) { a.record.finish(now) }

// Series is the run over time so far. Its points are some seconds behind, since
// packets may be.
func (a *Aggregator) Series() Series {
	a.record.mu.Lock()
	defer a.record.mu.Unlock()
	return a.record.series.series()
}

// Marks is the moments of the run that have a name, in order.
func (a *Aggregator) Marks() []Mark {
	a.record.mu.Lock()
	defer a.record.mu.Unlock()
	return slices.Clone(a.record.marks)
}

// State is how far a run has come.
type State struct {
	Joined      int    // listeners who have heard something
	Heard, Owed uint64 // packets of the accounts settled so far
}

// State is the aggregator's present state.
func (a *Aggregator) State() (s State) {
	for _, c := range a.choose(metric.Selector{}) {
		s.Joined += int(c.heard.Load())
		d := c.delivered()
		s.Heard += d.Passes
		s.Owed += d.Total
	}
	return s
}

// Totals is what an aggregator comes to once it is finished.
type Totals struct {
	// Values is what was measured, and Best what the figures that are in doubt are
	// at best: see [metric.Threshold.EvaluateBetween].
	Values, Best metric.Values
	// Foreign is how many packets held audio that no source of their room sent.
	// Elsewhere is how many of them another room had just sent.
	Foreign, Elsewhere uint64
	// Mistimed is how many of those that were recognised had time stamps that do not follow those
	// before them.
	Mistimed uint64
	// PerhapsMistimed is how many more had such ones, perhaps by the doing of the generator or its machine.
	PerhapsMistimed uint64
	// Received counts the different media packets of the measured window, over
	// all listeners, and Excused those lost that the generator's side may have lost.
	Received, Excused uint64
	// Crowd and Probes are the two kinds of listeners apart: those by UDP without a
	// network profile, whose figures must agree.
	Crowd, Probes Share
}

// A Share is what one kind of listeners received.
type Share struct {
	Delivered metric.Rate
	Latency   *metric.Trend // in ms
	// Listeners is what each of them who joined received.
	Listeners []Heard
}

// Totals sums up the metrics of all listeners.
func (a *Aggregator) Totals() Totals {
	all := a.sum(metric.Selector{})
	totals := Totals{Values: metric.Values{}, Best: metric.Values{}, Received: all.received, Foreign: all.foreign, Elsewhere: all.elsewhere, Mistimed: all.mistimed, PerhapsMistimed: all.perhapsMistimed}
	measured := a.sum(metric.Selector{Phase: Steady})
	totals.Excused = measured.delivered.Excuse(measured.excused+measured.dropped).Passes - measured.delivered.Passes
	for name := range perListener {
		all.enter(name, name, totals.Values, totals.Best)
	}
	for _, step := range metric.JoinSteps {
		if all.step = step; all.steps.of(step).worst.Count() > 0 {
			all.enter("join_step", "join_step"+metric.Selector{Step: step}.String(), totals.Values, totals.Best)
		}
	}
	for by, copied := range map[string]CopiedRate{"fec": all.fec, "red": all.red} {
		if copied.Worst.Passes == 0 && !copied.Refused || copied.Best.Total == 0 {
			continue // a stream without copies recovers nothing; nor is anything known if all that was missed is in doubt
		}
		name := "recovered" + metric.Selector{By: by}.String()
		totals.Values.Set(name, copied.Worst)
		if copied.Best != copied.Worst {
			totals.Best.Set(name, copied.Best)
		}
	}
	totals.Crowd, totals.Probes = a.share(false), a.share(true)
	return totals
}

// share sums up the crowd or the probes. An impaired network says nothing of
// how well our own endpoint measures, and probes have no other transport than UDP.
func (a *Aggregator) share(probes bool) Share {
	all := &sums{}
	for _, c := range a.choose(metric.Selector{}) {
		if c.Probe == probes && c.Network == "" && c.Transport == "" {
			all.add(a.record, c, "", a.drops.Load())
		}
	}
	return Share{Delivered: all.delivered, Latency: &all.latency, Listeners: all.listeners}
}
