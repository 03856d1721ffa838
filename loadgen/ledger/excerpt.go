package ledger

import (
	"slices"
	"time"

	"github.com/earshot-audio/earshot/loadgen/doubt"
	"github.com/earshot-audio/earshot/loadgen/record"
	"github.com/earshot-audio/earshot/loadgen/score"
	"github.com/earshot-audio/earshot/loadgen/timebase"
)

const (
	// MostExcerpts is how many excerpts of the measured window are scored at most, and
	// ExcerptLength how long each is at most.
	MostExcerpts  = 6
	ExcerptLength = 10 * time.Second

	// preroll is for how long before an excerpt a jitter buffer is played, so that it knows the
	// stream: its histogram forgets in a few seconds.
	preroll = 8 * time.Second
	// runIn is for how long before it a source is decoded.
	runIn = time.Second
)

// An excerpt is a stretch of the measured window in which it is scored what probes hear.
type excerpt struct {
	from, until time.Duration
}

// A saidWord is what was said in a word of bins, by source.
type saidWord struct {
	speech, onset []uint64
	doubtful      bool // what came of it may be the generator's doing
	// disturbed means that this, or when it came, may be.
	disturbed bool
}

// said is what was said in the excerpts of a room, by excerpt. It is for whoever settles.
type said map[*excerpt]map[int64]saidWord

// keepSaid keeps what was said in a word that belongs to an excerpt. It is called before
// the sources forget it.
func (r *Ledger) keepSaid(sources []*Source, w int64) {
	begin, end := timebase.Bin(w*timebase.WordBins).Start(), timebase.Bin((w+1)*timebase.WordBins).Start()
	r.keepDelay(w, begin, end)
	excerpts := r.book.excerpts.Load()
	if excerpts == nil {
		return
	}
	for _, e := range *excerpts {
		if end <= e.from-runIn || begin >= e.until {
			continue
		}
		began, ended := begin-doubt.Aftermath, end+record.BucketLength
		_, more := r.aggregator.Doubts.Delay(r.id, began, ended)
		voices, dropped := r.aggregator.Doubts.Within(r.id, began, ended)
		stolen, _ := r.aggregator.Doubts.Cores.Taken(begin-record.BucketLength, ended)
		one := saidWord{doubtful: more || r.aggregator.Doubts.Stops.Before(end)}
		one.disturbed = one.doubtful || voices != 0 || dropped || stolen > 0
		for _, m := range sources {
			owed, onset := m.spoke(w)
			one.speech, one.onset = append(one.speech, owed), append(one.onset, onset)
		}
		if r.said[e] == nil {
			r.said[e] = map[int64]saidWord{}
		}
		r.said[e][w] = one
	}
}

// keepDelay keeps by how much what came in a word of bins may have come later by the generator's doing. Those of before an
// excerpt, too: a jitter buffer learns from them.
func (r *Ledger) keepDelay(w int64, begin, end time.Duration) {
	// A packet may have been under way for so long, and have been late all the way.
	if by, _ := r.aggregator.Doubts.Delay(r.id, begin-record.Lateness, end+record.BucketLength); by > 0 {
		r.delays[w] = by
	}
	old := w - int64((preroll+record.Lateness)/timebase.BinLength/timebase.WordBins) - 2
	at := timebase.Bin(old * timebase.WordBins).Start()
	if excerpts := r.book.excerpts.Load(); excerpts != nil {
		for _, e := range *excerpts {
			if at >= e.from-2*preroll && at < e.until+record.Lateness {
				return
			}
		}
	}
	delete(r.delays, old)
}

// delay is by how much what came at a time may have come later by the generator's doing.
func (r *Ledger) delay(at time.Duration) time.Duration {
	return r.delays[int64(timebase.BinAt(max(0, at))/timebase.WordBins)]
}

// A listening keeps what a probe received around the excerpts. The listener's lock guards it.
type listening struct {
	recent []score.Packet // of the last preroll
	taken  map[*excerpt][]score.Packet
}

// listen keeps a packet of a probe that is scored.
func (l *Listener) listen(p Packet) {
	a, one := l.listening, score.Packet{Section: p.Section, Talker: p.Talker, Sequence: p.Sequence, Timestamp: p.Timestamp, At: p.At, Payload: slices.Clone(p.Payload)}
	excerpts := l.ledger.book.excerpts.Load()
	if excerpts != nil {
		for _, e := range *excerpts {
			if p.At < e.from-preroll || p.At >= e.until+record.Lateness {
				continue
			}
			if a.taken[e] == nil {
				// Of the others only what came in the preroll.
				i := slices.IndexFunc(a.recent, func(o score.Packet) bool { return o.At >= e.from-preroll })
				if i >= 0 {
					a.taken[e] = slices.Clone(a.recent[i:])
				}
			}
			a.taken[e] = append(a.taken[e], one)
		}
	}
	for len(a.recent) > 0 && a.recent[0].At < p.At-preroll {
		a.recent = a.recent[1:]
	}
	a.recent = append(a.recent, one)
}
