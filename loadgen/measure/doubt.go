package measure

import (
	"math"
	"sync"
	"sync/atomic"
	"time"

	"github.com/earshot-audio/earshot/loadgen/timebase"
)

// A DoubtKind is a reason why a figure may be the generator's or its machine's
// doing, and not the server's.
type DoubtKind int

const (
	// Late is a frame that the generator sent late.
	Late DoubtKind = iota
	// Stalled is a time in which the generator's process did not run.
	Stalled
	// Contended is a time in which others than the server took its machine's cores, so
	// that joins may have taken longer. What the server itself did not do for want of a
	// core is booked by [Aggregator.Deprive].
	Contended
	// Dropped is a time in which the generator's side dropped packets.
	Dropped
	// Stepped is a time in which the wall clock was stepped, on which receive
	// stamps are.
	Stepped
	// Withheld is a time in which the generator did not have its cores for a while, since
	// a hypervisor, a quota or others kept them from it. What that did to packets is booked by
	// [Aggregator.Steal].
	Withheld
	// Starved is a time in which the generator's threads waited for a core, whoever had it,
	// so that what it gives up by its own clock may have come to nothing for that.
	Starved
	doubtKinds
)

const (
	// lateDoubt is how late a frame goes out before its latency is in doubt. A
	// figure is not given to less.
	lateDoubt = 250 * time.Microsecond
	// playDoubt is how late a frame goes out before what a jitter buffer makes of
	// it is in doubt: half a tick of NetEQ's clock.
	playDoubt = 5 * time.Millisecond
	// LateLoss is how late a frame goes out before it is in doubt whose fault its loss
	// is: a server may well drop what is late.
	LateLoss = 100 * time.Millisecond
	// lostShare is for which share of the time that something had the generator has to have
	// held it up, so that it may be to blame if it came to nothing.
	lostShare = 0.5
	// leastTimeout is less than any timeout of a client or a server: what fails sooner has not
	// been too slow.
	leastTimeout = time.Second
	// aftermath is for how long a jitter buffer acts on what it learnt from a
	// doubtful moment.
	aftermath = 5 * time.Second
	// lingers is for how long at most its delay is longer for it: it shortens what it plays by
	// 8 ms at a time.
	lingers = 30 * time.Second
	// maxDoubts bounds the list of doubtful times. Beyond, neighbours become one.
	maxDoubts = 1024
	// bookedWithin is how late a doubt may be booked.
	bookedWithin = time.Second
	// resentWithin is how much later a packet comes that the generator dropped, and that its
	// listener asks for again: it does so for no longer.
	resentWithin = 2 * time.Second
	// joinDoubt is how much of a join's duration has to be the generator's before
	// the duration is in doubt.
	joinDoubt = time.Millisecond
	// leastWait is the least time that a join waits for the generator that is worth an entry.
	leastWait = joinDoubt / 10
)

// A doubtful time.
type doubt struct {
	kind        DoubtKind
	room        *Ledger // nil: all rooms
	voices      voices  // of the room, or every
	from, until time.Duration
	took        time.Duration // of it, what something may have taken longer for it
}

// Doubts sums up what is in doubt in a run, by what gave rise to it.
type Doubts struct {
	// LateFrames is how many frames went out more than 250 µs late, of Frames, and
	// Latest the greatest lateness.
	LateFrames, Frames uint64
	Latest             time.Duration
	// Stalls is how often the generator did not run, and Stalled how long in all.
	Stalls  int
	Stalled time.Duration
	// Contended is how long others took the server's cores.
	Contended time.Duration
	// Drops is how many packets the generator's side dropped.
	Drops uint64
	// Steps is how often the wall clock was stepped.
	Steps int
	// Stolen is for how long a hypervisor took the machine's cores, and Throttled for how
	// long a quota kept the generator's threads from running, both summed over cores.
	Stolen, Throttled time.Duration
	// Competed is for how long threads of the server waited for cores while the generator or others ran
	// on them, all of them together.
	Competed time.Duration
	// Ambiguous is how many packets fit several frames, and so have no latency.
	Ambiguous uint64
	// WeakMarks is how many frames had a mark so weak that they may have been lost.
	WeakMarks uint64
	// LateJoins is how many joins took longer by the generator's doing, and LostJoins
	// how many failed for which it held things up half of their time or more.
	LateJoins, LostJoins uint64
}

// doubts books what is in doubt. It is safe for concurrent use.
type doubts struct {
	frames, late, latest atomic.Int64
	drops                atomic.Uint64
	lateJoins            atomic.Uint64
	any                  atomic.Bool // a join or a jitter buffer may be in doubt
	severed              severed

	mu     sync.Mutex
	list   []doubt
	waits  []deprivation // of a run of hours neighbours are one
	thefts []theft       // the same
	// competitions are the same, once there was one.
	competitions []competition
	counts       [doubtKinds]int
	// For how long cores were taken in all, and threads kept from running.
	stolen, throttled time.Duration
	competed          time.Duration // for how long the server waited in all for cores that it shared
}

// Doubt books a time in which what is measured is in doubt. It is called within a
// second.
func (a *Aggregator) Doubt(kind DoubtKind, from, until time.Duration) {
	a.book(doubt{kind: kind, from: from, until: until, took: until - from})
	if kind == Stepped {
		a.eachBucket(from, until, func(e *bucketEvents) { e.stepped.Store(true) })
	}
}

// Contend books a time in which others took the cores, and for how long in all threads
// of generator and server waited for them: a join took no more longer than that.
func (a *Aggregator) Contend(from, until, waited time.Duration) {
	a.book(doubt{kind: Contended, from: from, until: until, took: min(waited, until-from)})
}

func (a *Aggregator) book(one doubt) {
	d := &a.doubts
	d.severed.book(one)
	d.mu.Lock()
	d.counts[one.kind]++
	d.enter(one)
	d.mu.Unlock()
	d.any.Store(true)
}

// Starve books for how long in all the generator's threads waited for a core, as was
// known with the end of a time. A wait that was over by then may have begun before it, by
// as much. From half of the time on it may have made a join longer; less adds up over many
// threads, and says something of what took long alone.
func (a *Aggregator) Starve(from, until, waited time.Duration) {
	if waited <= 0 || until <= from {
		return
	}
	much := 2*waited >= until-from
	from = max(0, from-min(waited, bookedWithin))
	if much {
		a.book(doubt{kind: Withheld, from: from, until: until, took: min(waited, until-from)})
	}
	a.book(doubt{kind: Starved, from: from, until: until, took: min(waited, until-from)})
}

// eachBucket does something to the open buckets of a time.
func (a *Aggregator) eachBucket(from, until time.Duration, do func(*bucketEvents)) {
	for b := timebase.BinAt(max(from, 0)); b <= timebase.BinAt(until); {
		s := a.record.at(b)
		if s == nil {
			return
		}
		do(s.events)
		b = max(s.until, b+1)
	}
}

// enter adds a doubtful time, as one with the last of its kind and room where they touch.
// If the list is full, it becomes one with the last of its kind, of all rooms then. d.mu is
// held.
func (d *doubts) enter(next doubt) {
	full := len(d.list) >= maxDoubts
	for i := len(d.list) - 1; i >= 0; i-- {
		last := &d.list[i]
		if last.kind != next.kind || last.room != next.room && !full {
			continue
		}
		apart := next.kind == Contended || next.kind == Withheld || next.kind == Starved // each has a size
		if next.from <= last.until && !apart || full {
			last.voices |= next.voices
			if last.room != next.room {
				last.room, last.voices = nil, everyVoice
			}
			last.from, last.until = min(last.from, next.from), max(last.until, next.until)
			last.took = min(last.took+next.took, last.until-last.from)
			return
		}
		break
	}
	d.list = append(d.list, next)
}

// sent books how late a frame of a source went out.
func (d *doubts) sent(of *Source, at, late time.Duration) {
	d.frames.Add(1)
	if late > lateDoubt {
		d.late.Add(1)
		d.lateBy(of, at, late)
	}
}

// delayed books that a frame of a source, which was late before, went out later than that.
func (d *doubts) delayed(of *Source, at, before, late time.Duration) {
	if before <= lateDoubt {
		d.late.Add(1)
	}
	d.lateBy(of, at, late)
}

// lateBy books the time by which a frame of a source went out late.
func (d *doubts) lateBy(of *Source, at, late time.Duration) {
	for {
		latest := d.latest.Load()
		if int64(late) <= latest || d.latest.CompareAndSwap(latest, int64(late)) {
			break
		}
	}
	if late > playDoubt {
		concerned := of.voice()
		if late >= aftermath {
			concerned = everyVoice // for so long nothing is heard of it, so it is not known who would have
		}
		d.mu.Lock()
		d.enter(doubt{Late, of.ledger, concerned, at, at + late, late})
		d.mu.Unlock()
		d.any.Store(true)
	}
}

// concerns reports whether a doubtful time is one of a room, and touches [from, until).
func (one doubt) concerns(room *Ledger, from, until time.Duration) bool {
	return (one.room == nil || one.room == room) && one.from < until && one.until > from
}

// within returns of whom what was heard of a room in [from, until) is in doubt, and whether packets
// were dropped then.
//
// Time that was withheld, or for which threads waited, is not among that, but a long theft: what it may
// have done is counted by the frame.
func (d *doubts) within(room *Ledger, from, until time.Duration) (doubtful voices, dropped bool) {
	if !d.any.Load() {
		return 0, false
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, one := range d.list {
		switch {
		case one.kind == Withheld || one.kind == Starved || !one.concerns(room, from, until):
		case one.kind == Dropped:
			dropped = true
		case one.kind == Late:
			doubtful |= one.voices
		default:
			doubtful = everyVoice
		}
	}
	if _, behind, _ := d.compete(from, until); behind >= timebase.BinLength { // a jitter buffer holds a frame at least
		doubtful = everyVoice
	}
	for t := range overlapping(d.thefts, from, until) {
		if t.long() { // what a shorter one may have done is counted by the frame
			doubtful = everyVoice
		}
	}
	return doubtful, dropped
}

// stalled is for how much of [from, until) the generator did not run.
func (d *doubts) stalled(from, until time.Duration) time.Duration {
	return stalledIn(d.times(from, until), until-from)
}

// stalledIn is that of doubtful times within one so long.
func stalledIn(t [doubtKinds]time.Duration, length time.Duration) time.Duration {
	// Time withheld that is long enough is seen as a stall, too.
	return max(0, min(max(t[Stalled], t[Withheld])+t[Contended], length))
}

// slowed is for how much of [from, until) something that came to pass may have taken longer:
// the generator did not run, or what it dropped had to be sent again.
func (d *doubts) slowed(from, until time.Duration) time.Duration {
	t := d.times(from, until)
	return max(stalledIn(t, until-from), t[Dropped])
}

// hindered is for how much of [from, until) the generator's side was in the way of
// connecting at most: it did not run, its threads waited, or it dropped packets.
func (d *doubts) hindered(from, until time.Duration) time.Duration {
	t := d.times(from, until)
	// What the generator waited in contended time is among both.
	t[Contended] = max(t[Contended], t[Starved])
	return max(stalledIn(t, until-from), t[Dropped])
}

// toBlame reports whether the generator's side was in the way for so much of a time at
// whose end something had not come to pass that it may be to blame for that. It began so
// late, and then waited for so long.
func (d *doubts) toBlame(from, until, late, waited time.Duration) bool {
	lost := late + waited + d.hindered(from+late, until)
	return lost > 0 && float64(lost) >= lostShare*float64(until-from)
}

// spliced reports whether what a server that mixes made of [from, until) in a room may have lost its marks
// by the generator's doing: what comes late, and then at once, or not at all, is mixed as pieces
// of sound, in which it takes a while to find them again.
func (d *doubts) spliced(room *Ledger, from, until time.Duration) bool {
	t := d.times(from, until)
	if t[Dropped] > 0 || t[Stepped] > 0 || t[Stalled] >= LateLoss || d.lossy(from, until) {
		return true
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, one := range d.list {
		if one.kind == Late && one.took >= LateLoss && one.concerns(room, from, until) {
			return true
		}
	}
	return false
}

// times is how much of [from, until) is in doubt, by kind.
func (d *doubts) times(from, until time.Duration) (sums [doubtKinds]time.Duration) {
	if !d.any.Load() {
		return sums
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, one := range d.list {
		if overlap := min(until, one.until) - max(from, one.from); overlap > 0 {
			sums[one.kind] += min(overlap, one.took)
		}
	}
	return sums
}

// LossInDoubt is how many of the packets of one mic that were lost on the way to the server in
// [from, until) may be the doing of the generator or its machine, at most: it did not run, and
// sent at once what had been due, or others or a hypervisor took the server's cores. What it dropped
// and what it sent late is for the caller to know.
func (a *Aggregator) LossInDoubt(from, until time.Duration) uint64 {
	stalled := a.doubts.times(from, until)[Stalled]
	switch {
	case stalled >= LongStop || a.doubts.lossy(from, until):
		return math.MaxUint64
	case stalled < LateLoss:
		return 0
	}
	// After those that were due at once a server that counts packets may refuse as many more.
	return 2 * uint64((stalled+timebase.BinLength-1)/timebase.BinLength)
}

// Stalled is for how much of [from, until) the generator's process did not run, or
// others took the server's cores.
func (a *Aggregator) Stalled(from, until time.Duration) time.Duration {
	return a.doubts.stalled(from, until)
}

// Slowed is by how much what happened in [from, until) may have taken longer by the doing of
// the generator or its machine, which did not run, or dropped packets, or did not have the
// server's cores.
func (a *Aggregator) Slowed(from, until time.Duration) time.Duration {
	return a.doubts.slowed(from, until)
}

// AtBest is how long something took at best that came to nothing at a time: as long as it
// had, unless the generator may be to blame.
func (a *Aggregator) AtBest(from, failed, had time.Duration) time.Duration {
	until := max(failed, from+leastTimeout)
	if d := &a.doubts; d.toBlame(from, until, 0, 0) {
		return until - from - d.hindered(from, until)
	}
	return had
}

// Doubts sums up what is in doubt so far.
func (a *Aggregator) Doubts() Doubts {
	d := &a.doubts
	sum := Doubts{
		LateFrames: uint64(d.late.Load()), Frames: uint64(d.frames.Load()), Latest: time.Duration(d.latest.Load()),
		Drops: d.drops.Load(), LateJoins: d.lateJoins.Load(),
	}
	a.record.mu.Lock()
	for _, c := range a.record.cells {
		sum.Ambiguous += c.ambiguous.Load()
		sum.WeakMarks += c.weakMarks.Load()
		sum.LostJoins += uint64(max(0, c.lostJoins.Load()))
	}
	a.record.mu.Unlock()
	d.mu.Lock()
	defer d.mu.Unlock()
	sum.Stalls, sum.Steps = d.counts[Stalled], d.counts[Stepped]
	sum.Stolen, sum.Throttled = d.stolen, d.throttled
	sum.Competed = d.competed
	for _, one := range d.list {
		switch one.kind {
		case Stalled:
			sum.Stalled += one.until - one.from
		case Contended:
			sum.Contended += one.until - one.from
		}
	}
	return sum
}
