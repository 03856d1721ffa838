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
	doubtful      bool // what came of it, or when, may be the generator's doing
}

// said is what was said in the excerpts of a room, by excerpt. It is for whoever settles.
type said map[*excerpt]map[int64]saidWord

// keepSaid keeps what was said in a word that belongs to an excerpt. It is called before
// the sources forget it.
func (r *Ledger) keepSaid(sources []*Source, w int64) {
	excerpts := r.book.excerpts.Load()
	if excerpts == nil {
		return
	}
	begin, end := timebase.Bin(w*timebase.WordBins).Start(), timebase.Bin((w+1)*timebase.WordBins).Start()
	for _, e := range *excerpts {
		if end <= e.from-runIn || begin >= e.until {
			continue
		}
		doubtful, dropped := r.aggregator.Doubts.Within(r.id, begin-doubt.Aftermath, end+record.BucketLength)
		stolen, _ := r.aggregator.Doubts.Cores.Taken(begin-record.BucketLength, end+record.BucketLength)
		cut := r.aggregator.Doubts.Stops.Before(end)
		one := saidWord{doubtful: doubtful != 0 || dropped || cut || stolen > 0}
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

// A listening keeps what a probe received around the excerpts. The listener's lock guards it.
type listening struct {
	recent []score.Packet // of the last preroll
	taken  map[*excerpt][]score.Packet
}

// listen keeps a packet of a probe that is scored.
func (l *Listener) listen(p Packet) {
	a, one := l.listening, score.Packet{Section: p.Section, Timestamp: p.Timestamp, At: p.At, Payload: slices.Clone(p.Payload)}
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
