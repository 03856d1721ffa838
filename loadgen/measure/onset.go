package measure

import "time"

// onsetDoubt is how late a frame of a turn's start goes out before it is in doubt whose fault
// it is that it and those after it were missed. A server may judge who is loud by time, and
// of what comes at once it sees little.
const onsetDoubt = BinLength

// An onset follows the first 100 ms of one source's turn as one listener heard it.
type onset struct {
	next   Bin // the bin that goes on with the turn
	missed int // frames missed before the first that was heard
	sure   int // of them, those before the first that the generator may have had missed
	doubt  bool
	done   bool
}

// settleOnset follows a turn's start into bin b. A turn is measured if all of
// its first 100 ms lie in the measured window and a section was free for it. Nothing excuses
// a listener's missing it whom the server kept out.
func (l *Listener) settleOnset(s stretch, b Bin, steady uint64, free, keptOut bool) {
	for len(l.onsets) <= s.source {
		l.onsets = append(l.onsets, onset{})
	}
	o := &l.onsets[s.source]
	bit := uint64(1) << uint(b%wordBins)
	if b != o.next || b == 0 {
		*o = onset{} // a new turn
	}
	o.next = b + 1
	if o.done {
		return
	}
	if steady&bit == 0 || !free {
		o.done = true
		return
	}
	if s.heard&bit == 0 {
		o.missed++
		if o.doubt = o.doubt || !keptOut && l.missedInDoubt(s, b, bit); !o.doubt {
			o.sure++
		}
		if o.missed < onsetBins {
			return
		}
	}
	o.done = true
	l.cell.onsetClip(time.Duration(o.missed)*BinLength, time.Duration(o.sure)*BinLength)
}

// missedInDoubt reports whether the generator may be to blame that the first frame of a turn,
// or one soon after it, was missed.
func (l *Listener) missedInDoubt(s stretch, b Bin, bit uint64) bool {
	a := l.ledger.aggregator
	if s.weak&bit != 0 || l.ledger.list()[s.source].late(b) > onsetDoubt || l.lostJoin ||
		l.lostByStop(loss{said: []stretch{s}, mask: bit, from: b, until: b + 1, packets: 1}) > 0 {
		return true
	}
	open := a.record.at(b)
	return open != nil && open.events.taken(1, 1)+open.events.drops.Load() > 0
}
