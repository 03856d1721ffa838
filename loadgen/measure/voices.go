package measure

import (
	"time"

	"github.com/earshot-audio/earshot/loadgen/doubt"
	"github.com/earshot-audio/earshot/loadgen/timebase"
)

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
