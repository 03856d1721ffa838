package record

import (
	"math"
	"time"

	"github.com/earshot-audio/earshot/loadgen/doubt"
	"github.com/earshot-audio/earshot/loadgen/metric"
	"github.com/earshot-audio/earshot/loadgen/timebase"
)

// A WindowScore is a listener's opinion score in a window: at worst, and at best for each
// allotment of what the generator dropped.
type WindowScore struct {
	Worst     float64
	Best      [len(Allotments)]float64
	Droppable bool // best is not the same for all
}

// Figure is a listener's figure of such a score. If none of its packets may have been dropped, it is
// not allotted.
func (s WindowScore) Figure(allotted bool) Figure {
	return Figure{known: true, allotted: allotted, worst: s.Worst, best: s.Best}
}

// Lower is the lower one of two, in each case.
func (s WindowScore) Lower(o WindowScore) WindowScore {
	s.Worst, s.Droppable = min(s.Worst, o.Worst), s.Droppable || o.Droppable
	for i := range s.Best {
		s.Best[i] = min(s.Best[i], o.Best[i])
	}
	return s
}

// ScoreWindow gathers listeners' opinion scores in the windows of thresholds.
type ScoreWindow struct {
	*window
	words map[int64]*wordScores
}

// wordScores are those of the windows that end with a word, a sample a listener.
type wordScores struct {
	worst, best metric.Trend
	// allotted are in the place of best, of those who may have lost packets by drops.
	allotted SharedDrops
}

// atBest is the scores at best, if the generator dropped so many packets of the window.
func (s *wordScores) atBest(dropped uint64) *metric.Trend {
	all := s.allotted.Best(dropped, true)
	all.Merge(&s.best)
	return all
}

// Length is how long the windows are.
func (q *ScoreWindow) Length() time.Duration { return q.length }

// Selects reports whether the scores of listeners with these labels are asked for.
func (q *ScoreWindow) Selects(l Labels) bool { return selected(l, q.selector) }

func (q *ScoreWindow) scores(word int64) *wordScores {
	s, ok := q.words[word]
	if !ok {
		s = &wordScores{}
		q.words[word] = s
	}
	return s
}

// Hear enters one listener's. It is called by whoever settles.
func (q *ScoreWindow) Hear(word int64, score WindowScore) {
	s := q.scores(word)
	s.worst.Record(score.Worst)
	if !score.Droppable {
		s.best.Record(score.Best[0])
		return
	}
	for i, best := range score.Best {
		s.allotted[i].Record(best)
	}
}

// dropped is how many packets that listeners lost in a time the generator may have dropped. The
// record's lock is held, and the buckets of that time are closed.
func (q *ScoreWindow) dropped(from, until time.Duration) uint64 {
	lost := q.lost()
	return q.record.drops.Pair(q.record.drops.Losses, func(l doubt.Losses) uint64 {
		if l.From >= until || l.Until <= from {
			return 0
		}
		return lost(l)
	})
}

// placement is that of the window's listeners in a time. The record's lock is held, and the buckets of
// that time are closed.
func (q *ScoreWindow) placement(from, until time.Duration) (sum placement) {
	for _, b := range q.record.placements {
		if b.from >= until || b.until <= from {
			continue
		}
		for i, p := range b.cells {
			if selected(q.record.cells[i].Labels, q.selector) {
				sum = sum.plus(p)
			}
		}
	}
	return sum
}

// settle judges the windows that end before a bin, in order: all buckets before it are closed. The
// record's lock is held.
func (q *ScoreWindow) settle(before timebase.Bin, steadyUntil timebase.Bin) {
	for {
		first := int64(math.MaxInt64)
		for w := range q.words {
			first = min(first, w)
		}
		if first == math.MaxInt64 || timebase.Bin(first+1)*timebase.WordBins > before {
			return
		}
		s := q.words[first]
		delete(q.words, first)
		if out := q.record.outbox; out != nil {
			out.words = append(out.words, heardWord{q, first, s})
			continue
		}
		until := min(timebase.Bin(first+1)*timebase.WordBins, steadyUntil).Start()
		q.values.Count()
		// A window is of whole words.
		from := until - q.length - 2*timebase.WordBins*timebase.BinLength
		best := s.atBest(q.dropped(from, until))
		if q.placement(from, until).doubtful() {
			best = spotless(&s.worst, true)
		}
		for _, t := range q.thresholds {
			q.values.Enter(t, &s.worst, best, false, until-q.length, until)
		}
	}
}

// ScoreWindows are the windows of listeners' opinion scores that thresholds ask for. They do not change
// once there are listeners.
func (a *Aggregator) ScoreWindows() []*ScoreWindow { return a.record.qualities }

// WantsScores reports whether anybody asks for listeners' opinion scores in windows.
func (a *Aggregator) WantsScores() bool { return !a.record.noWindows }
