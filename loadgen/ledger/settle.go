package ledger

import (
	"math/bits"
	"time"

	"github.com/earshot-audio/earshot/loadgen/doubt"
	"github.com/earshot-audio/earshot/loadgen/record"
	"github.com/earshot-audio/earshot/loadgen/timebase"
)

// A stretch is 64 bins of one source, a bit each, as one listener is to account
// for them.
type stretch struct {
	source int
	speech uint64 // owed, and past the first 100 ms of the turn
	onset  uint64 // in the first 100 ms
	heard  uint64
	weak   uint64 // perhaps heard
}

// settle compares what came with what was owed in the listener's words up to
// and including last, and returns the first word that is not settled. While
// packets wait for their place it holds back, as long as the ring allows: now
// is the present.
// Doubtful is for those who hear whom what the jitter buffers did since a time is in doubt, and
// dropped whether packets were dropped.
func (l *Listener) settle(sources []*Source, last int64, now timebase.Bin, scratch []stretch, doubtful doubt.Voices, since time.Duration, dropped bool) (int64, []stretch) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.processHeld()
	l.countLostJoin(now.Start())
	// What was in the way of the join is booked a little later.
	booked := now.Start() - doubt.BookedWithin
	in := !l.keptOut(booked)
	inDoubt := l.hears(doubtful, since, now.Start()) || l.playedInDoubt(l.epochFrom.Start()-doubt.Aftermath, now.Start())
	l.epoch(now, l.lostJoin || inDoubt && in, dropped && in)
	newest := now // of what has been looked at
	if l.held != nil {
		newest = min(now, timebase.Bin(l.ledger.horizon.Load()))
	}
	oldest := int64(newest/timebase.WordBins) - waitingWords
	if !l.counting {
		if l.joined {
			return min(last+1, oldest), scratch // it may count these yet
		}
		return last + 1, scratch
	}
	for i := range l.sections {
		if len(l.sections[i].pending) > 0 && !l.closing {
			last = min(last, oldest)
		}
	}
	l.remember(timebase.Bin((last + 1) * timebase.WordBins))
	l.advance(last, now.Start())
	before := l.life
	for ; l.settled <= last; l.settled++ {
		scratch = l.take(sources, l.settled, scratch[:0])
		l.settleWord(l.settled, booked, scratch)
	}
	l.cell.Settled(l.life.passes-before.passes, l.life.total-before.total)
	return l.settled, scratch
}

// take collects what was said in word w, and empties the listener's ring there.
func (l *Listener) take(sources []*Source, w int64, into []stretch) []stretch {
	var heard doubt.Voices
	defer func() { l.past.set(w, heard) }()
	for i, m := range sources {
		s := stretch{source: i}
		if i < len(l.heard) {
			if s.heard = l.heard[i][w%words]; s.heard != 0 {
				heard |= doubt.VoiceOf(i)
			}
			l.heard[i][w%words] = 0
		}
		s.weak = l.weakOf(i, w)
		owed, onset := m.spoke(w)
		if owed == 0 || i == l.own {
			continue
		}
		s.speech, s.onset = owed&^onset, owed&onset
		into = append(into, s)
	}
	return into
}

func (l *Listener) settleWord(w int64, booked time.Duration, said []stretch) {
	counted := within(w, l.from, l.until)
	from, until := l.ledger.aggregator.MeasuredWindow()
	steady := counted & within(w, from, until)

	heldUp, keptOut := l.heldUp(l.deadline), l.keptOut(booked)
	before := l.steady
	var passes, total int
	for first, end := timebase.Bin(w*timebase.WordBins), timebase.Bin((w+1)*timebase.WordBins); first < end; {
		open, until := l.ledger.aggregator.Bucket(first), end
		if open != nil {
			until = min(end, open.Until())
		}
		p, o := l.compare(said, counted&within(w, first, until))
		passes, total = passes+p, total+o
		if open != nil && o > 0 {
			c := open.Cell(l.cell)
			c.Settled(uint64(p), uint64(o))
			excused, droppable := l.settleLoss(loss{
				said: said, mask: counted & within(w, first, until), word: timebase.Bin(w * timebase.WordBins), from: first, until: until,
				packets: uint64(o - p), owed: uint64(o), heldUp: heldUp, keptOut: keptOut,
			}, open, c)
			p, o = l.compare(said, counted&within(w, first, until)&^l.allInDoubt[w%words])
			apart := min(excused, uint64(o-p))
			l.life.excuse(excused, apart, droppable)
			if steady != 0 {
				l.steady.excuse(excused, apart, droppable)
			}
		}
		first = until
	}
	l.life.enter(passes, total)
	if steady != counted {
		passes, total = l.compare(said, steady)
	}
	l.steady.enter(passes, total)
	_, doubted := l.compare(said, steady&l.inDoubt[w%words])
	l.excusedOwed += uint64(doubted)

	for _, s := range said {
		for rest := s.onset; rest != 0; rest &= rest - 1 {
			b := bits.TrailingZeros64(rest)
			l.settleOnset(s, timebase.Bin(w*timebase.WordBins)+timebase.Bin(b), steady, spoken(said, 1<<uint(b)) <= l.capacity, keptOut)
		}
	}
	var owed uint64
	for _, s := range said {
		owed |= s.speech & steady
	}
	spoken := uint64(bits.OnesCount64(owed))
	l.spoken += spoken
	if steady != 0 {
		l.hearWord(wordHearing{
			word: w, covered: bits.OnesCount64(steady),
			hearing: hearing{
				owed: uint64(total), bins: spoken, excused: min(l.steady.excused-before.excused, uint64(total)),
				apart:     min(l.steady.apart-before.apart, uint64(total)),
				droppable: min(l.steady.droppable-before.droppable, uint64(total)),
			},
		})
	}
}

// A loss is what a listener lost of a part of a word of bins.
type loss struct {
	said            []stretch
	mask            uint64
	word            timebase.Bin // where the word begins
	from, until     timebase.Bin
	packets, owed   uint64
	heldUp, keptOut bool // see there
}

// settleLoss books a loss in the cell of its bucket, and returns how many packets of it are
// excused, and how many of the others may have been dropped by the generator.
func (l *Listener) settleLoss(a loss, b *record.Bucket, c *record.BucketCell) (excused, droppable uint64) {
	switch {
	case a.packets == 0:
		return 0, 0
	case a.keptOut:
		c.LostSurely(a.packets)
		return 0, 0
	case a.heldUp && (!l.joined || a.from < timebase.BinAt(l.firstAt)), l.unmarkedInDoubt(a.from, a.until):
		excused = a.packets
	default:
		excused = min(a.packets, l.lostByStop(a)+l.lostLate(a.said, a.mask, a.word)+perhapsHeard(a.said, a.mask))
	}
	c.LostLate(excused)
	// Any of the packets dropped may have been this listener's.
	excused = min(a.packets, excused+b.Taken(a.packets, a.owed))
	return excused, min(a.packets-excused, b.DropsSoon())
}

// compare is what the listener got, and was owed, of the bins in mask.
func (l *Listener) compare(said []stretch, mask uint64) (passes, total int) {
	if len(said) <= l.capacity {
		// Nobody has to yield a section, so the bins need not be looked at one by
		// one.
		for _, s := range said {
			passes += bits.OnesCount64(s.heard & s.speech & mask)
			total += bits.OnesCount64(s.speech & mask)
		}
		return passes, total
	}
	for ; mask != 0; mask &= mask - 1 {
		p, t := settleBin(said, mask&-mask, l.capacity)
		passes, total = passes+p, total+t
	}
	return passes, total
}

// lostLate is how many of the frames lost in mask went out so late that their loss
// may be the generator's doing.
func (l *Listener) lostLate(said []stretch, mask uint64, first timebase.Bin) (n uint64) {
	if !l.ledger.aggregator.Doubts.Any() {
		return 0
	}
	sources := l.ledger.list()
	for _, s := range said {
		for lost := s.speech &^ s.heard & mask; lost != 0; lost &= lost - 1 {
			if sources[s.source].late(first+timebase.Bin(bits.TrailingZeros64(lost))) > doubt.LateLoss {
				n++
			}
		}
	}
	return n
}

// perhapsHeard is how many of the frames lost in mask may have come.
func perhapsHeard(said []stretch, mask uint64) (n uint64) {
	for _, s := range said {
		n += uint64(bits.OnesCount64(s.speech & s.weak &^ s.heard & mask))
	}
	return n
}

// settleBin is what a listener with room for capacity voices got, and was
// owed, of one bin. A source in the first 100 ms of its turn may have taken a
// section from the others, so it lowers what they are owed.
func settleBin(said []stretch, bit uint64, capacity int) (passes, total int) {
	for _, s := range said {
		if s.speech&bit != 0 {
			total++
			if s.heard&bit != 0 {
				passes++
			}
		}
		if s.onset&bit != 0 {
			capacity--
		}
	}
	total = min(total, max(capacity, 0))
	return min(passes, total), total
}

// spoken is how many sources spoke in a bin.
func spoken(said []stretch, bit uint64) (n int) {
	for _, s := range said {
		if (s.speech|s.onset)&bit != 0 {
			n++
		}
	}
	return n
}

// within is the bits of word w that lie in [from, until).
func within(w int64, from, until timebase.Bin) uint64 {
	first := timebase.Bin(w * timebase.WordBins)
	a, b := min(max(from-first, 0), timebase.WordBins), min(max(until-first, 0), timebase.WordBins)
	if a >= b {
		return 0
	}
	return ^uint64(0) << uint(a) & (^uint64(0) >> uint(timebase.WordBins-b))
}

func (d *debt) excuse(excused, apart, droppable uint64) {
	d.excused += excused
	d.apart += apart
	d.droppable += droppable
}

func (d *debt) enter(passes, total int) {
	d.passes += uint64(passes)
	d.total += uint64(total)
}
