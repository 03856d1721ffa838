package ledger

import (
	"time"

	"github.com/earshot-audio/earshot/loadgen/timebase"
)

// onsetDoubt is how late a frame of a turn's start goes out before it is in doubt whose fault
// it is that it and those after it were missed. A server may judge who is loud by time, and
// of what comes at once it sees little.
const onsetDoubt = timebase.BinLength

// An onset follows the first 100 ms of one source's turn as one listener heard it.
type onset struct {
	next   timebase.Bin // the bin that goes on with the turn
	missed int          // frames missed before the first that was heard
	// Of them, those before the first that the generator may have had missed: by anything,
	// and by anything but a drop.
	sure, undropped onsetMissed
	done            bool
}

// onsetMissed counts the frames missed of a turn's start until one is in doubt.
type onsetMissed struct {
	frames int
	doubt  bool
}

func (m *onsetMissed) miss(inDoubt bool) {
	if m.doubt = m.doubt || inDoubt; !m.doubt {
		m.frames++
	}
}

func (m onsetMissed) clip() time.Duration { return time.Duration(m.frames) * timebase.BinLength }

// settleOnset follows a turn's start into bin b. A turn is measured if all of
// its first 100 ms lie in the measured window and a section was free for it. Nothing excuses
// a listener's missing it whom the server kept out.
func (l *Listener) settleOnset(s stretch, b timebase.Bin, steady uint64, free, keptOut bool) {
	for len(l.onsets) <= s.source {
		l.onsets = append(l.onsets, onset{})
	}
	o := &l.onsets[s.source]
	bit := uint64(1) << uint(b%timebase.WordBins)
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
		inDoubt := !keptOut && l.missedInDoubt(s, b, bit)
		o.undropped.miss(inDoubt)
		o.sure.miss(inDoubt || !keptOut && l.perhapsDropped(b))
		if o.missed < onsetBins {
			return
		}
	}
	o.done = true
	l.cell.OnsetClip(time.Duration(o.missed)*timebase.BinLength, o.undropped.clip(), o.sure.clip())
}

// missedInDoubt reports whether the generator may be to blame that the first frame of a turn,
// or one soon after it, was missed, for another reason than that it was dropped.
func (l *Listener) missedInDoubt(s stretch, b timebase.Bin, bit uint64) bool {
	a := l.ledger.aggregator
	if s.weak&bit != 0 || l.ledger.list()[s.source].late(b) > onsetDoubt || l.lostJoin ||
		l.lostByStop(loss{said: []stretch{s}, mask: bit, from: b, until: b + 1, packets: 1}) > 0 {
		return true
	}
	open := a.Bucket(b)
	return open != nil && open.Taken(1, 1) > 0
}

// perhapsDropped reports whether the generator may have dropped a frame of a bin: it is not known
// for how long that was on its way.
func (l *Listener) perhapsDropped(b timebase.Bin) bool {
	open := l.ledger.aggregator.Bucket(b)
	return open != nil && open.DropsSoon() > 0
}
