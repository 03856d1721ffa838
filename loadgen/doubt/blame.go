package doubt

import (
	"math"
	"time"

	"github.com/earshot-audio/earshot/loadgen/timebase"
)

// lostShare is for which share of the time that something had the generator has to have
// held it up, so that it may be to blame if it came to nothing.
const lostShare = 0.5

// concerns reports whether a doubtful time is one of a room, and touches [from, until).
func (one doubt) concerns(room int, from, until time.Duration) bool {
	return (one.room == 0 || one.room == room) && one.from < until && one.until > from
}

// Within returns of whom what was heard of a room in [from, until) is in doubt, and whether packets
// were dropped then.
//
// Time that was withheld, or for which threads waited, is not among that, but a long theft: what it may
// have done is counted by the frame.
func (d *Register) Within(room int, from, until time.Duration) (doubtful Voices, dropped bool) {
	if !d.any.Load() {
		return 0, false
	}
	d.mu.Lock()
	for _, one := range d.list {
		switch {
		case one.kind == Withheld || one.kind == Starved || !one.concerns(room, from, until):
		case one.kind == Dropped:
			dropped = true
		case one.kind == Late:
			doubtful |= one.voices
		default:
			doubtful = EveryVoice
		}
	}
	d.mu.Unlock()
	if d.Cores.disturb(from, until) {
		doubtful = EveryVoice
	}
	return doubtful, dropped
}

// Stalled is for how much of [from, until) the generator did not run.
func (d *Register) Stalled(from, until time.Duration) time.Duration {
	return stalledIn(d.Times(from, until), until-from)
}

// stalledIn is that of doubtful times within one so long.
func stalledIn(t [kinds]time.Duration, length time.Duration) time.Duration {
	// Time withheld that is long enough is seen as a stall, too.
	return max(0, min(max(t[Stalled], t[Withheld])+t[Contended], length))
}

// Slowed is for how much of [from, until) something that came to pass may have taken longer:
// the generator did not run, or what it dropped had to be sent again.
func (d *Register) Slowed(from, until time.Duration) time.Duration {
	t := d.Times(from, until)
	return max(stalledIn(t, until-from), t[Dropped])
}

// Hindered is for how much of [from, until) the generator's side was in the way of
// connecting at most: it did not run, its threads waited, or it dropped packets.
func (d *Register) Hindered(from, until time.Duration) time.Duration {
	t := d.Times(from, until)
	// What the generator waited in contended time is among both.
	t[Contended] = max(t[Contended], t[Starved])
	return max(stalledIn(t, until-from), t[Dropped])
}

// ToBlame reports whether the generator's side was in the way for so much of a time at
// whose end something had not come to pass that it may be to blame for that. It began so
// late, and then waited for so long.
func (d *Register) ToBlame(from, until, late, waited time.Duration) bool {
	lost := late + waited + d.Hindered(from+late, until)
	return lost > 0 && float64(lost) >= lostShare*float64(until-from)
}

// Spliced reports whether what a server that mixes made of [from, until) in a room may have lost its marks
// by the generator's doing: what comes late, and then at once, or not at all, is mixed as pieces
// of sound, in which it takes a while to find them again.
func (d *Register) Spliced(room int, from, until time.Duration) bool {
	t := d.Times(from, until)
	if t[Dropped] > 0 || t[Stepped] > 0 || t[Stalled] >= LateLoss || d.Cores.Lossy(from, until) {
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

// Times is how much of [from, until) is in doubt, by kind.
func (d *Register) Times(from, until time.Duration) (sums [kinds]time.Duration) {
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
func (d *Register) LossInDoubt(from, until time.Duration) uint64 {
	stalled := d.Times(from, until)[Stalled]
	switch {
	case stalled >= LongStop || d.Cores.Lossy(from, until):
		return math.MaxUint64
	case stalled < LateLoss:
		return 0
	}
	// After those that were due at once a server that counts packets may refuse as many more.
	return 2 * uint64((stalled+timebase.BinLength-1)/timebase.BinLength)
}

// AtBest is how long something took at best that came to nothing at a time: as long as it
// had, unless the generator may be to blame.
func (d *Register) AtBest(from, failed, had time.Duration) time.Duration {
	until := max(failed, from+LeastTimeout)
	if d.ToBlame(from, until, 0, 0) {
		return until - from - d.Hindered(from, until)
	}
	return had
}

// Behind is by how much the server may have been behind in [from, until) at most, since others had its cores.
func (d *Register) Behind(from, until time.Duration) time.Duration {
	_, behind, _ := d.Cores.Competition(from, until)
	return behind
}

// HeldBack is by how much what came to pass in [from, until) may have come later by the doing of the generator or
// its machine: as in [Register.Slowed], or the server waited for cores that others had. Each of several steps may have waited in a server that was behind, but
// together for no longer than its threads did, and the first for what had gathered before.
func (d *Register) HeldBack(from, until time.Duration) time.Duration {
	t := d.Times(from, until)
	waited, behind, _ := d.Cores.Competition(from, until)
	t[Contended] = max(t[Contended], waited, behind) // which counts waits of the same threads
	return max(stalledIn(t, until-from), t[Dropped])
}

// HeldBackToHear is the same of what ends with a packet that somebody receives: around a step of the wall
// clock a packet counts as received when it was read.
func (d *Register) HeldBackToHear(from, until time.Duration) time.Duration {
	return max(d.HeldBack(from, until), d.Times(from, until)[Stepped])
}

// StoppedLong reports whether the generator was in the way for [LongStop] within twice that, in [from, until): a
// server that heard so little of it may have taken its people for gone.
func (d *Register) StoppedLong(from, until time.Duration) bool {
	if d.Stalled(from, until) < LongStop {
		return false
	}
	for ; from < until; from += time.Second {
		if d.Stalled(from, min(from+2*LongStop+time.Second, until)) >= LongStop {
			return true
		}
	}
	return false
}
