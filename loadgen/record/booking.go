package record

import (
	"math"
	"time"

	"github.com/earshot-audio/earshot/internal/atomicmax"
	"github.com/earshot-audio/earshot/loadgen/doubt"
	"github.com/earshot-audio/earshot/loadgen/timebase"
)

// Drop books packets that the generator's side dropped, as was noticed in a time. It is called
// within a second.
func (a *Aggregator) Drop(n uint64, from, until time.Duration) {
	if n == 0 {
		return
	}
	a.drops.Add(n)
	a.Doubt(doubt.Dropped, from, until)
	a.record.mu.Lock()
	a.record.drops.Enter(doubt.Drop{From: from, Until: until, N: n})
	if out := a.record.outbox; out != nil {
		out.drops = append(out.drops, doubt.Drop{From: from, Until: until, N: n})
	}
	a.record.mu.Unlock()
	// It is not known which of the packets of that time they were,
	a.eachBucket(from, until, func(e *bucketEvents) { e.drops.Add(n) })
	// nor for how long a packet had been on its way.
	a.eachBucket(from-Lateness, until, func(e *bucketEvents) { e.dropsSoon.Add(n) })
}

// DropsIn is how many packets the generator's side dropped in a time whose buckets are open.
func (a *Aggregator) DropsIn(from, until time.Duration) (n uint64) {
	a.eachBucket(from, until, func(e *bucketEvents) { n += e.drops.Load() })
	return n
}

// lossesOf chooses what the listeners of some cells lost of a bucket, which may be of before a cell.
func lossesOf(cells []*Cell) func(doubt.Losses) uint64 {
	return func(l doubt.Losses) (n uint64) {
		for _, c := range cells {
			if c.number < len(l.Cells) {
				n += l.Cells[c.number]
			}
		}
		return n
	}
}

// Doubt books a time in which what is measured is in doubt. It is called within a
// second.
func (a *Aggregator) Doubt(kind doubt.Kind, from, until time.Duration) {
	a.Doubts.Book(kind, from, until)
	if kind == doubt.Stepped {
		a.eachBucket(from, until, func(e *bucketEvents) { e.stepped.Store(true) })
	}
}

// Compete books what [doubt.Register.Compete] does, in the seconds that it is of, too.
func (a *Aggregator) Compete(from, until, waited, behind time.Duration, always bool) {
	one := a.Doubts.Compete(from, until, waited, behind, always)
	a.eachBucket(one.From(), until-1, func(e *bucketEvents) {
		if !one.Always {
			e.calm.Store(true)
		}
		if one.Lossy() {
			e.overrun.Store(true)
		}
		atomicmax.Raise(&e.behind, int64(behind))
	})
}

// Deprive books what [doubt.Cores.Deprive] does, in the seconds that it is of, too.
func (a *Aggregator) Deprive(from, until, wait time.Duration) {
	a.Doubts.Cores.Deprive(from, until, wait)
	a.eachBucket(from, until, func(e *bucketEvents) {
		// What a thread has waited is known when it runs again, so that two
		// neighbours may both have a part of it.
		e.deprived.Add(int64(wait))
	})
}

// underWay is for how long a packet may be under way that nothing is in the way of.
const underWay = timebase.BinLength

// Steal books what [doubt.Register.Steal] does, in the seconds that it reached, too.
func (a *Aggregator) Steal(from, until, took time.Duration, idle float64) {
	if took <= 0 || until <= from {
		return
	}
	one := a.Doubts.Steal(from, until, took, idle)
	reaches := func(e *bucketEvents, share float64) {
		e.reach.Add(int64(math.Ceil(share * reachScale)))
		if one.Long() {
			e.lossReach.Add(int64(math.Ceil(share * reachScale)))
		}
	}
	a.eachBucket(from, until-1, func(e *bucketEvents) {
		e.stolen.Add(int64(took))
		reaches(e, one.Reach)
	})
	// What was under way when it began was sent before.
	before := a.record.at(timebase.BinAt(max(0, from-underWay)))
	if before != nil && before != a.record.at(timebase.BinAt(from)) {
		reaches(before.events, min(one.Reach, underWay.Seconds()/(before.until-before.from).Start().Seconds()))
	}
	// In a pause of several seconds it waited for all of them.
	for b := timebase.BinAt(max(0, one.Begun-underWay)); b < timebase.BinAt(until); b++ {
		if s := a.record.at(b); s != nil {
			atomicmax.Raise(&s.events.stolen, int64(one.Gathered+took))
			b = s.until - 1
		}
	}
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

// Doubted sums up what is in doubt so far.
func (a *Aggregator) Doubted() doubt.Sum {
	sum := a.Doubts.Sum()
	sum.Drops, sum.LateJoins = a.drops.Load(), a.lateJoins.Load()
	a.record.mu.Lock()
	defer a.record.mu.Unlock()
	for _, c := range a.record.cells {
		sum.Ambiguous += c.ambiguous.Load()
		sum.WeakMarks += c.weakMarks.Load()
		sum.LostJoins += uint64(max(0, c.lostJoins.Load()))
	}
	return sum
}
