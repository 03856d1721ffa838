package ledger

import (
	"math/bits"
	"slices"
	"time"

	"github.com/earshot-audio/earshot/loadgen/emodel"
	"github.com/earshot-audio/earshot/loadgen/neteq"
	"github.com/earshot-audio/earshot/loadgen/timebase"
)

// gapBins is from how many concealed frames in a row on it is a gap: 60 ms,
// after which ITU-T G.711 appendix I has faded its concealment to silence.
const gapBins = 3

// A quality is what a listener's jitter buffers made of the measured window, in
// frames of 20 ms.
type quality struct {
	codec     emodel.Factors
	owed      uint64 // voices' frames
	bins      uint64 // bins in which something was owed
	concealed float64
	runs      uint64        // stretches of concealment
	gaps      uint64        // of the runs, those of gapBins and more
	frozen    time.Duration // in gaps
	delay     time.Duration
}

// played is what the jitter buffers of a listener did.
type played struct {
	concealed, frozen, delay time.Duration
	runs, gaps, frames       uint64
	copies, redundant        uint64 // of the frames, those from the copies in others, and of these the exact
}

// playedOf is what one buffer did.
func playedOf(s neteq.Stats) played {
	return played{s.Concealed, s.Frozen, s.Delay, s.Runs, s.Gaps, s.Played, s.Copies, s.Redundant}
}

// sumPlayed sums up the listener's sections so far.
func (l *Listener) sumPlayed() (p played) {
	for i := range l.sections {
		p = p.plus(playedOf(l.sections[i].buffer.Stats()))
	}
	return p
}

func (p played) less(o played) played {
	return played{p.concealed - o.concealed, p.frozen - o.frozen, p.delay - o.delay, p.runs - o.runs, p.gaps - o.gaps, p.frames - o.frames, p.copies - o.copies, p.redundant - o.redundant}
}

func (p played) plus(o played) played {
	return played{p.concealed + o.concealed, p.frozen + o.frozen, p.delay + o.delay, p.runs + o.runs, p.gaps + o.gaps, p.frames + o.frames, p.copies + o.copies, p.redundant + o.redundant}
}

// epoch ends an epoch of about a second before bin end, in which what the jitter buffers did may
// be in doubt, or packets may have been dropped.
func (l *Listener) epoch(end timebase.Bin, doubtful, dropped bool) {
	played, uncertain := l.sumPlayed(), l.ledger.uncertain.of(l.cell.Labels)
	stolen := uncertain.stolen
	doubtful = doubtful || dropped && l.minds()
	from := l.epochFrom
	if frames := time.Duration(l.played.frames); doubtful && frames > 0 {
		// What is played in it was owed sooner.
		from = max(0, from-timebase.BinAt(min(l.played.delay/frames+timebase.BinLength, playedBy))-1)
	}
	l.inDoubt.set(from, end, doubtful)
	if whole := l.epochFrom; doubtful {
		l.allInDoubt.set(whole, end, true)
	} else { // in it may have been played what was owed sooner
		l.allInDoubt.set(max(0, whole-timebase.BinAt(playedBy)), end, false)
	}
	if now := played.less(l.played); doubtful {
		l.excused = l.excused.plus(now)
	} else {
		l.excused.delay += l.linger(now, l.ledger.lingering)
		into := &l.received.gapBest
		if dropped {
			into, l.exposed = &l.received.gapDropped, l.exposed.plus(now)
		}
		*into = max(*into, l.received.gapNow-stolen-uncertain.behind)
		l.stolen += min(takenFrames(stolen), l.owedBetween(l.epochFrom, end))
	}
	l.endJitter(uncertain)
	l.trips.endEpoch(uncertain)
	l.received.gapNow = 0
	l.spillLatencies()
	l.latencies.endEpoch(uncertain)
	l.played, l.epochFrom = played, max(l.epochFrom, end)
}

// doubtfulBins is a bit for each bin of the ring that an epoch in doubt had. How much the listener
// is owed of them is known when they are settled: what the generator sends late is owed later.
type doubtfulBins [words]uint64

// set enters whether [from, until) is in doubt.
func (d *doubtfulBins) set(from, until timebase.Bin, doubtful bool) {
	for w := int64(from / timebase.WordBins); w <= int64((until-1)/timebase.WordBins) && from < until; w++ {
		if d[w%words] &^= within(w, from, until); doubtful {
			d[w%words] |= within(w, from, until)
		}
	}
}

// minds reports whether a packet that is dropped may do more to the listener's jitter buffers
// than is counted by the packet: one that is sent again is late, and with a long delay NetEQ
// waits for long before it plays on; and a copy of another's frame is dropped with it.
func (l *Listener) minds() bool {
	return l.copied || l.cell.AsksAgain() || slices.ContainsFunc(l.sections, func(s section) bool { return s.buffer.Target() > longTarget })
}

// linger returns for how much longer than at best the buffers kept frames that they played in a
// time that is not in doubt, but may follow one that is.
func (l *Listener) linger(now played, lingering bool) time.Duration {
	if now.frames == 0 {
		return 0
	}
	if !lingering {
		if mean := now.delay / time.Duration(now.frames); l.calm == 0 || mean < l.calm {
			l.calm = mean
		}
		return 0
	}
	return max(0, now.delay-time.Duration(now.frames)*l.calm)
}

// owedBetween is how many frames of [from, until) the listener is owed in the measured
// window, as far as the ledger remembers.
func (l *Listener) owedBetween(from, until timebase.Bin) (n uint64) {
	if !l.counting {
		return 0
	}
	begin, end := l.ledger.aggregator.MeasuredWindow()
	from, until = max(from, l.from, begin), min(until, l.until, end)
	if from >= until {
		return 0
	}
	for i, m := range l.ledger.list() {
		if i == l.own {
			continue
		}
		for w := int64(from / timebase.WordBins); w <= int64((until-1)/timebase.WordBins); w++ {
			owed, onset := m.spoke(w)
			n += uint64(bits.OnesCount64(owed &^ onset & within(w, from, until)))
		}
	}
	return min(n, uint64(until-from)*uint64(l.capacity))
}

// hearing is what the listener was owed in the measured window, and what their sections made of it.
func (l *Listener) hearing() hearing {
	return hearing{l.steady.total, l.spoken, l.steady.excused + l.stolen, l.steady.apart + l.stolen, l.steady.droppable, l.played, l.excused, l.excusedOwed, l.exposed}
}

// concealment is the share of what was owed that was concealed.
func (q quality) concealment() float64 { return q.concealed / float64(q.owed) }

// gapsPerMinute is how many gaps there are in a minute of speech.
func (q quality) gapsPerMinute() float64 {
	return float64(q.gaps) / (time.Duration(q.bins) * timebase.BinLength).Minutes()
}

// burstRatio is how much longer the stretches are than chance would make them:
// ITU-T G.107, clause 7.5.
func (q quality) burstRatio() float64 {
	if q.runs == 0 || q.owed == 0 {
		return 1
	}
	mean := q.concealed / float64(q.runs)
	byChance := 1 / (1 - min(q.concealment(), 0.999))
	return max(1, mean/byChance)
}

// mos estimates a listener's mean opinion score, from 1 to 4.5, of what the jitter
// buffers made of the frames that the listener was owed.
func (q quality) mos() float64 {
	if q.concealed >= float64(q.owed) {
		return 1 // the model has some quality left in silence
	}
	return q.codec.Opinion(100*q.concealment(), q.burstRatio(), q.delay)
}

// takenFrames is how many frames a jitter buffer may have concealed since packets were
// late for so long: those that were due meanwhile, and one at each end.
func takenFrames(took time.Duration) uint64 {
	if took <= 0 {
		return 0
	}
	return uint64((took+timebase.BinLength-1)/timebase.BinLength) + 1
}
