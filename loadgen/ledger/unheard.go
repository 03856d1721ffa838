package ledger

import (
	"math/bits"
	"slices"
	"time"

	"github.com/earshot-audio/earshot/loadgen/doubt"
	"github.com/earshot-audio/earshot/loadgen/timebase"
)

// cutOff reports whether the listener's session, or those of the mics that it is to hear,
// may have ended by a time since the generator was stopped for too long. A server that says
// no has not waited for that, and one that a listener did not reach was not there.
func (l *Listener) cutOff(by time.Duration) bool {
	return l.connected && l.ledger.aggregator.Doubts.Stops.Before(by)
}

// lostByStop is how many frames of a loss the listener may have missed since its session, or that
// of the mic, had ended by a stop of the generator.
func (l *Listener) lostByStop(a loss) (n uint64) {
	if !l.cutOff(a.until.Start()) {
		return 0
	}
	stops := &l.ledger.aggregator.Doubts.Stops
	if !l.outlived.By(stops, a.from.Start()) {
		return a.packets
	}
	sources := l.ledger.list()
	for _, s := range a.said {
		if !sources[s.source].outlived.By(stops, a.from.Start()) {
			n += uint64(bits.OnesCount64(s.speech &^ s.heard & a.mask))
		}
	}
	return min(n, a.packets)
}

// playedInDoubt reports whether what jitter buffers did in a time may be the doing of a stop that
// ended sessions: the listener's, or that of any mic that has sent since.
func (l *Listener) playedInDoubt(from, until time.Duration) bool {
	stops := &l.ledger.aggregator.Doubts.Stops
	if !stops.Before(until) {
		return false
	}
	if !l.outlived.By(stops, from) {
		return true
	}
	over := timebase.BinAt(stops.Over())
	return slices.ContainsFunc(l.ledger.list(), func(m *Source) bool {
		return timebase.Bin(m.last.Load()) >= over && !m.outlived.By(stops, from)
	})
}

// voicesBefore is for how long before a doubtful moment a voice has to have been heard last so that
// the moment can do nothing to who listens.
const voicesBefore = time.Second

// voice is the source's. What is marked is heard through mixers, too, where nobody can say who is not
// among it.
func (m *Source) voice() doubt.Voices {
	if m.ledger.marked {
		return doubt.EveryVoice
	}
	return doubt.VoiceOf(m.index)
}

// heardWords is whom a listener heard in the last words of bins that are no longer in its ring.
type heardWords struct {
	words  [8]doubt.Voices
	before int64 // the word after them
}

func (h *heardWords) set(word int64, of doubt.Voices) {
	h.words[word%int64(len(h.words))], h.before = of, word+1
}

// hears reports whether the listener heard any of the voices in a time, or may have: a frame that goes
// out late does nothing to those who do not hear its source around that time. A server with more
// sources than slots passes on the others as if it had come in time.
func (l *Listener) hears(of doubt.Voices, from, until time.Duration) bool {
	if of == 0 || of == doubt.EveryVoice {
		return of != 0
	}
	first, last := int64(timebase.BinAt(max(0, from-voicesBefore))/timebase.WordBins), int64(timebase.BinAt(max(0, until))/timebase.WordBins)
	past := &l.past
	if first < past.before-int64(len(past.words)) {
		return true // it is not known any more
	}
	for w := first; w < min(past.before, last+1); w++ {
		if past.words[w%int64(len(past.words))]&of != 0 {
			return true
		}
	}
	for source := range l.heard {
		if doubt.VoiceOf(source)&of == 0 {
			continue
		}
		for w := max(first, past.before); w <= min(last, past.before+words-1); w++ {
			if l.heard[source][w%words] != 0 {
				return true
			}
		}
	}
	return false
}
