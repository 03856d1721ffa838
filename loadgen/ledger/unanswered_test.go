package ledger

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/earshot-audio/earshot/loadgen/doubt"
	"github.com/earshot-audio/earshot/loadgen/metric"
	"github.com/earshot-audio/earshot/loadgen/record"
	"github.com/earshot-audio/earshot/loadgen/timebase"
)

// Who hears nothing in a room whose mic did not open is not in, but for a mic that the generator may have kept from opening.
func TestDoubtWhoHearsNothingSinceNoMicOpened(t *testing.T) {
	const opening, deadline = 4 * time.Second, 6 * time.Second
	for _, c := range []struct {
		sentence   string
		unanswered bool          // the mic, and not refused
		stalled    time.Duration // of the generator, while it was to open
		another    bool          // mic of the room is there
		refused    bool          // the listener
		inAtBest   bool
	}{
		{"the generator did not run while it was to open", true, opening, false, false, true},
		{"it did not for a moment", true, opening / 10, false, false, false},
		{"it ran", true, 0, false, false, false},
		{"the server refused the mic, whatever the generator did", false, opening, false, false, false},
		{"somebody else speaks there", true, opening, true, false, false},
		{"the server refused the listener", true, opening, false, true, false},
	} {
		t.Run(c.sentence, func(t *testing.T) {
			s := newScene(t)
			if c.stalled > 0 {
				s.aggregator.Doubt(doubt.Stalled, 0, c.stalled)
			}
			if c.unanswered {
				s.ledger.Unanswered(0, opening)
			}
			if c.another {
				s.source(speechClip(700), 0, 0)
			}
			l := s.ledger.AddListener(1, record.Labels{})
			l.Expect(opening, opening, deadline)
			if c.refused {
				l.Refused(opening)
			}
			l.StepBegan(record.StepDTLS, opening)
			l.StepEnded(record.StepDTLS, opening+100*time.Millisecond)
			l.Connected(opening + 100*time.Millisecond)
			s.steady(opening)
			s.end = timebase.BinAt(2 * deadline)
			totals := s.finish()
			assert.Equal(t, metric.Rate{Total: 1}, totals.Values["joined"])
			assert.InDelta(t, 2000, trend(t, totals, "join_duration").Max, 25)
			if !c.inAtBest {
				assert.NotContains(t, totals.Best, "joined")
				return
			}
			assert.Equal(t, metric.Rate{Passes: 1, Total: 1}, totals.Best["joined"])
			assert.InDelta(t, 0, bestTrend(t, totals, "join_duration").Max, 1)
			assert.InDelta(t, 0, bestTrend(t, totals, "join_step{step:first_packet}").Max, 1)
		})
	}
}
