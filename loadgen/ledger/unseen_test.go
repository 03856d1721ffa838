package ledger

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/earshot-audio/earshot/loadgen/timebase"
)

// What is late comes in bursts, and these are what overflows a buffer: a server that is late with a fifth
// of its packets does not pass for one that is not since the generator dropped just them.
func TestDropsLeaveLatencyInDoubtAtWorst(t *testing.T) {
	for _, c := range []struct {
		sentence string
		missing  int    // a frame of so many never comes; 0 is none
		dropped  uint64 // a second
		busy     bool
		holds    bool
	}{
		{"nothing is missing and nothing was dropped", 0, 0, false, true},
		{"nothing is missing, and strangers' packets were dropped", 0, 100, false, true},
		{"a fifth is missing, and nothing was dropped: the server lost it", 5, 0, false, true},
		{"a fifth is missing, and may have been dropped, whenever it came", 5, 100, false, false},
		{"others had the server's cores besides", 5, 100, true, false},
		{"fewer than one in a thousand are missing", 1000, 100, false, true},
	} {
		t.Run(c.sentence, func(t *testing.T) {
			s := newScene(t)
			thresholds := s.asks([2]string{"latency", "p(90) < 200ms"}, [2]string{"latency{phase:steady}", "p(90) < 200ms"}, [2]string{"latency", "p(90) < 200ms over 4s"})
			m := s.source(speechClip(2100), 0, 0)
			l := s.listener(1)
			for b := range timebase.Bin(40 * 50) {
				if p := s.say(m, b); c.missing == 0 || int(b)%c.missing != c.missing-1 {
					l.Receive(p)
				}
				if b%50 == 49 {
					now := (b + 1).Start()
					s.aggregator.Drop(c.dropped, max(0, now-2*time.Second), now)
					if c.busy {
						s.aggregator.Deprive(max(0, now-time.Second), now, time.Second)
					}
					s.settle(now)
				}
			}
			if !c.holds {
				s.failsOr(true, thresholds)
				return
			}
			totals := s.finish()
			s.aggregator.Answer(totals.Values, totals.Best, thresholds)
			for _, th := range thresholds {
				r := th.EvaluateBetween(totals.Values, totals.Best)
				require.NotNil(t, r.OK, "%s: %+v", th, r)
				assert.True(t, *r.OK, "%s: %+v", th, r)
			}
		})
	}
}
