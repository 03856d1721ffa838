package ledger

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/earshot-audio/earshot/loadgen/doubt"
	"github.com/earshot-audio/earshot/loadgen/timebase"
)

func TestForeignIsAnotherRoomsAudioOfTheSameRecording(t *testing.T) {
	for _, c := range []struct {
		sentence string
		ahead    int // of the other room, in frames
		mixed    bool
		late     timebase.Bin // by which what the listener gets is
		stalled  bool
		foreign  bool
	}{
		{"a server that mixes rooms up plays what nobody in the room said", 1000, true, 0, false, true},
		{"a sound server does not", 1000, false, 0, false, false},
		{"nor one whose rooms say the same at the same time", 0, false, 0, false, false},
		{"a server that is 6 s late is late", 1000, false, 300, false, false},
		{"after a stop of the generator nothing is said", 1000, true, 0, true, false},
	} {
		t.Run(c.sentence, func(t *testing.T) {
			s := newScene(t)
			clip := speechClip(3000)
			here := s.source(clip, 500, 0)
			there, err := s.book.NewLedger().AddSource(clip, 500+c.ahead, 0)
			require.NoError(t, err)
			l := s.listener(1)
			if c.stalled {
				s.aggregator.Doubt(doubt.Stalled, -time.Second, 8*time.Second)
			}
			var queue []Packet
			for b := range timebase.Bin(400) {
				p, q := s.say(here, b), s.say(there, b)
				if c.mixed {
					p = q
				}
				p.At += time.Duration(c.late) * timebase.BinLength
				queue = append(queue, p)
				if b >= c.late {
					l.Receive(queue[b-c.late])
				}
			}
			totals := s.finish()
			if c.foreign {
				assert.EqualValues(t, 400, totals.Foreign)
				assert.EqualValues(t, 400, totals.Elsewhere)
			} else {
				assert.Zero(t, totals.Foreign)
			}
		})
	}
}
