package measure

import (
	"math"
	"time"

	"github.com/earshot-audio/earshot/loadgen/timebase"
)

// A theft is that a hypervisor kept cores from the machine within a time: for how long,
// summed over cores, and from which share of what happened then on it had nothing to do
// with it.
type theft struct {
	period
	took  time.Duration
	reach float64
	// gathered is for how long they were taken in the thefts before it, if all of them are pauses.
	gathered time.Duration
}

// pauses reports whether it is so long that the machine may have been paused, and before and after it, too.
func (t theft) pauses() bool { return 2*t.took >= t.until-t.from }

// long reports whether it is so long that a server may have lost packets for it, and that a jitter buffer has
// learnt from it.
func (t theft) long() bool { return t.took >= deprivedLoss }

// reachScale is one in which a share can be added up without a lock.
const reachScale = 1e6

// underWay is for how long a packet may be under way that nothing is in the way of.
const underWay = timebase.BinLength

// Steal books that a hypervisor took the machine's cores for so long in [from, until), in
// which they were idle for a share of the time. While a core is taken nothing runs on it,
// nor are packets stamped that come; then it has to catch up. So it is in doubt whose
// fault the latest packets are, for no longer than that, and for no more of them than came
// until it had. It is called within a second.
func (a *Aggregator) Steal(from, until, took time.Duration, idle float64) {
	if took <= 0 || until <= from {
		return
	}
	// A core that is idle half of the time takes as long again to catch up as it was taken.
	reach := min(1, took.Seconds()/(until-from).Seconds()/max(idle, 1/reachScale))
	d := &a.doubts
	d.mu.Lock()
	one := theft{period{from, until}, took, reach, 0}
	begun := from
	for i := len(d.thefts) - 1; i >= 0 && one.pauses() && d.thefts[i].pauses() && d.thefts[i].until >= begun; i-- {
		one.gathered += d.thefts[i].took
		begun = d.thefts[i].from
	}
	d.thefts = entered(d.thefts, one, func(a, b theft) theft {
		return theft{a.and(b.period), a.took + b.took, a.reach + b.reach, a.gathered}
	})
	d.stolen += took
	d.mu.Unlock()
	a.book(doubt{kind: Withheld, from: from, until: until, took: min(took, until-from)})
	reaches := func(e *bucketEvents, share float64) {
		e.reach.Add(int64(math.Ceil(share * reachScale)))
		if one.long() {
			e.lossReach.Add(int64(math.Ceil(share * reachScale)))
		}
	}
	a.eachBucket(from, until-1, func(e *bucketEvents) {
		e.stolen.Add(int64(took))
		reaches(e, reach)
	})
	// What was under way when it began was sent before.
	before := a.record.at(timebase.BinAt(max(0, from-underWay)))
	if before != nil && before != a.record.at(timebase.BinAt(from)) {
		reaches(before.events, min(reach, underWay.Seconds()/(before.until-before.from).Start().Seconds()))
	}
	// In a pause of several seconds it waited for all of them.
	for b := timebase.BinAt(max(0, begun-underWay)); b < timebase.BinAt(until); b++ {
		if s := a.record.at(b); s != nil {
			raise(&s.events.stolen, int64(one.gathered+took))
			b = s.until - 1
		}
	}
}

// Throttle books that a quota kept the generator's threads from running for so long in
// [from, until), summed over cores: joins may have taken longer. The kernel stamps packets
// all the same, and what was sent late is booked by the frame.
func (a *Aggregator) Throttle(from, until, took time.Duration) {
	if took <= 0 || until <= from {
		return
	}
	a.doubts.mu.Lock()
	a.doubts.throttled += took
	a.doubts.mu.Unlock()
	a.book(doubt{kind: Withheld, from: from, until: until, took: min(took, until-from)})
}

// taken sums up for how long cores were taken in [from, until), and before it in the same pause, and whom that
// reached.
func (d *doubts) taken(from, until time.Duration) (took time.Duration, reach float64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	var gathered time.Duration
	for t := range overlapping(d.thefts, from, until) {
		took, reach, gathered = took+t.took, reach+t.reach, t.gathered // the oldest's, in the end
	}
	return took + gathered, min(reach, 1)
}

// share is how many of n packets that is.
func share(n uint64, of float64) uint64 { return min(n, uint64(math.Ceil(float64(n)*of))) }

// takenFrames is how many frames a jitter buffer may have concealed since packets were
// late for so long: those that were due meanwhile, and one at each end.
func takenFrames(took time.Duration) uint64 {
	if took <= 0 {
		return 0
	}
	return uint64((took+timebase.BinLength-1)/timebase.BinLength) + 1
}
