package ledger

import (
	"math"
	"time"

	"github.com/earshot-audio/earshot/loadgen/doubt"
	"github.com/earshot-audio/earshot/loadgen/emodel"
	"github.com/earshot-audio/earshot/loadgen/neteq"
	"github.com/earshot-audio/earshot/loadgen/record"
	"github.com/earshot-audio/earshot/loadgen/timebase"
)

// A hearing is what a listener was owed, and what their jitter buffers made of it, over a
// stretch of the measured window.
type hearing struct {
	owed    uint64 // voices' frames
	bins    uint64 // bins in which something was owed
	excused uint64 // of owed: lost or late, and perhaps by the generator's doing
	// apart is how many of excused are not in the time in which what was played is in doubt.
	apart uint64
	// droppable is how many others of owed were lost that the generator may have dropped.
	droppable uint64
	played    played
	// What of it is in doubt.
	doubted     played
	doubtedOwed uint64
	// exposed is what of the rest was played while or soon after packets were dropped.
	exposed played
}

func (h hearing) plus(o hearing) hearing {
	return hearing{h.owed + o.owed, h.bins + o.bins, h.excused + o.excused, h.apart + o.apart, h.droppable + o.droppable, h.played.plus(o.played), h.doubted.plus(o.doubted), h.doubtedOwed + o.doubtedOwed, h.exposed.plus(o.exposed)}
}

// worst is the quality of what was played.
func (h hearing) worst(c emodel.Factors) quality {
	return h.qualityOf(c, h.played, 0, 0, h.silent(h.played, 0))
}

// best is the quality at best, if the generator dropped no more than so many packets.
func (h hearing) best(c emodel.Factors, dropped uint64) quality {
	worst := h.worst(c)
	dropped = min(dropped, h.droppable)
	if h.doubted == (played{}) && h.excused+dropped == 0 && h.doubtedOwed == 0 {
		return worst
	}
	// What was concealed in doubt may as well have been played, and what was played
	// then may have come sooner.
	sure := h.played.less(h.doubted)
	// A frame may be owed in one epoch and played in the next.
	silence := h.silent(h.played, 0)
	frames, silent := sure.frames, min(silence, h.silent(sure, max(h.doubtedOwed, h.excused)+dropped))
	sure.frames = h.played.frames + uint64(h.doubted.concealed/timebase.BinLength)
	best := h.qualityOf(c, sure, h.apart, dropped, silent)
	best.delay = 0
	if frames > 0 {
		best.delay = min(worst.delay, sure.delay/time.Duration(frames))
	}
	return best
}

// silent is how many of the frames owed were neither played nor concealed, but for so
// many of which it is not known. A section on which nothing came yet, or which the
// server never used, has concealed nothing, and is silent all the same.
func (h hearing) silent(p played, unknown uint64) float64 {
	return max(0, float64(h.owed)-float64(unknown)-float64(p.frames)-float64(p.concealed)/float64(timebase.BinLength))
}

// dropWaits is how many frames more than its own a dropped packet may have a jitter buffer
// conceal: after 100 ms of it, NetEQ waits for half of its target delay before it plays on.
const dropWaits = 5

// longTarget is from which target delay on they are more.
const longTarget = 2 * dropWaits * timebase.BinLength

// qualityOf is the quality of what was played, if so many lost frames had come, besides so
// many that were dropped, and so many had been silent. What was dropped did nothing to what
// was played at other times.
func (h hearing) qualityOf(c emodel.Factors, p played, excused, dropped uint64, silent float64) quality {
	bins := func(d time.Duration) uint64 { return uint64((d + timebase.BinLength - 1) / timebase.BinLength) }
	frames := excused + min(dropped*(1+dropWaits), bins(h.exposed.concealed))
	q := quality{
		codec: c, owed: h.owed, bins: h.bins, runs: p.runs, gaps: p.gaps,
		concealed: max(0, float64(p.concealed)/float64(timebase.BinLength)-float64(frames)),
	}
	if p.frames > 0 {
		q.delay = p.delay / time.Duration(p.frames)
	}
	if p.runs > 0 {
		q.runs += excused + dropped // a frame in the middle makes two stretches of one
	}
	q.gaps -= min(q.gaps, excused+min(dropped, h.exposed.gaps))
	// It makes a gap of five into two stretches that are none.
	thawed := excused*5 + min(dropped*(5+dropWaits), bins(h.exposed.frozen))
	q.frozen = max(0, p.frozen-time.Duration(min(thawed, math.MaxInt32))*timebase.BinLength)
	if silent > 0 {
		q.concealed += silent
		q.runs++
		if silent >= gapBins {
			q.gaps++
			q.frozen += time.Duration(silent * float64(timebase.BinLength))
		}
	}
	q.frozen = min(q.frozen, time.Duration(q.owed)*timebase.BinLength)
	q.concealed = min(q.concealed, float64(q.owed))
	return q
}

const (
	// playedBy is how long after a word of bins it has been played: a jitter buffer's
	// delay is less. Words are settled later still.
	playedBy = 3 * time.Second
	// worstWindow is the length of the windows of which mos_worst has the worst.
	worstWindow = 10 * time.Second
)

// wordPlayed is what a listener's buffers did with the frames of a word of bins.
type wordPlayed struct {
	word   int64
	played played
}

// A wordHearing is the hearing of one word of bins, of which so many lie in the measured
// window and the listener's time.
type wordHearing struct {
	word    int64
	covered int
	hearing
}

// windowed is what a listener's windows are made of.
type windowed struct {
	words  [words]wordPlayed  // by the word
	recent []wordHearing      // without a hole, the oldest first
	lowest record.WindowScore // the lowest opinion score of any worstWindow
	any    bool               // there was such a window
}

// Passed implements [neteq.Schedule].
func (s *section) Passed(frame int64, stats neteq.Stats) {
	s.flush(stats)
	s.word = frame / timebase.WordBins
}

// flush enters what the buffer did since the last time into the word that it was in.
func (s *section) flush(stats neteq.Stats) {
	now := playedOf(stats)
	e := &s.listener.windowed.words[s.word%words]
	if e.word < s.word {
		*e = wordPlayed{word: s.word}
	}
	if e.word == s.word {
		e.played = e.played.plus(now.less(s.passed))
	}
	s.passed = now
}

// advance has the buffers play what they must have played by now of the words up to and
// including last, and ends those words. l.mu is held.
func (l *Listener) advance(last int64, now time.Duration) {
	if last < 0 {
		return // what is on the way has yet to come
	}
	for i := range l.sections {
		s := &l.sections[i]
		s.buffer.Advance(min(timebase.Bin((last+1)*timebase.WordBins).Start()+playedBy, now))
		if s.word <= last {
			s.flush(s.buffer.Stats())
			s.word = last + 1
		}
	}
}

// hearWord enters a settled word into the windows that end with it, if anybody asks for
// windows.
func (l *Listener) hearWord(w wordHearing) {
	if !l.ledger.aggregator.WantsScores() {
		return
	}
	a := l.windowed
	if e := a.words[w.word%words]; e.word == w.word {
		w.played = e.played
	}
	start := timebase.Bin(w.word * timebase.WordBins).Start()
	doubts, until := &l.ledger.aggregator.Doubts, start+timebase.WordBins*timebase.BinLength+record.BucketLength
	late, dropped := doubts.Within(l.ledger.id, start-doubt.Aftermath, until)
	if l.lostJoin || l.hears(late, start-doubt.Aftermath, until) || l.playedInDoubt(start-doubt.Aftermath, until) || dropped && l.minds() {
		w.doubted, w.doubtedOwed, w.apart = w.played, w.owed, 0
	} else {
		if dropped {
			w.exposed = w.played
		}
		late, dropped = doubts.Within(l.ledger.id, start-doubt.Lingers, until)
		w.doubted.delay = l.linger(w.played, late != 0 || dropped)
	}
	stolen, _ := doubts.Cores.Taken(start-record.BucketLength, until)
	w.excused = min(w.excused+takenFrames(stolen), w.owed)
	if w.doubtedOwed == 0 {
		w.apart = min(w.apart+takenFrames(stolen), w.owed)
	}
	if n := len(a.recent); n > 0 && a.recent[n-1].word != w.word-1 {
		a.recent = a.recent[:0]
	}
	windows, longest := l.ledger.aggregator.ScoreWindows(), worstWindow
	for _, window := range windows {
		longest = max(longest, window.Length())
	}
	// The oldest are dropped when there are twice as many as the longest window needs.
	keep := int(longest/timebase.BinLength)/timebase.WordBins + 3
	switch {
	case a.recent == nil:
		a.recent = make([]wordHearing, 0, 2*keep)
	case len(a.recent) == cap(a.recent):
		a.recent = append(a.recent[:0], a.recent[len(a.recent)-keep:]...)
	}
	a.recent = append(a.recent, w)
	if score, ok := l.window(worstWindow); ok {
		if a.any {
			score = a.lowest.Lower(score)
		}
		a.any, a.lowest = true, score
	}
	for _, window := range windows {
		if !window.Selects(l.cell.Labels) {
			continue
		}
		if score, ok := l.window(window.Length()); ok {
			window.Hear(w.word, score)
		}
	}
}

// window is the listener's opinion score of the last words that together have at least a length;
// false if there are not so many, or nothing was owed.
func (l *Listener) window(length time.Duration) (score record.WindowScore, ok bool) {
	var sum hearing
	covered := 0
	all := l.windowed.recent
	for i := len(all) - 1; i >= 0 && covered < int(length/timebase.BinLength); i-- {
		sum = sum.plus(all[i].hearing)
		covered += all[i].covered
	}
	if covered < int(length/timebase.BinLength) || sum.owed == 0 {
		return score, false
	}
	c := l.ledger.factors()
	score.Worst, score.Droppable = sum.worst(c).mos(), sum.droppable > 0
	for i, dropped := range record.Allotments {
		if i > 0 && record.Allotments[i-1] >= sum.droppable {
			score.Best[i] = score.Best[i-1]
			continue
		}
		score.Best[i] = sum.best(c, dropped).mos()
	}
	return score, true
}
