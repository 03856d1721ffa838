package measure

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/earshot-audio/earshot/loadgen/metric"
)

// A packet that was dropped is one listener's, in whichever metric it counts: a server that does
// the same to all listeners is not excused by a few drops.
func TestDropsAreSharedInEveryMetricOfListeners(t *testing.T) {
	for _, c := range []struct {
		sentence string
		dropped  uint64 // a second
		fails    bool
	}{
		{"the generator drops nothing", 0, true},
		{"it drops one packet a second, and the server fails 20 listeners", 1, true},
		{"it drops so many that they may be all that is missing", 100, false},
	} {
		t.Run(c.sentence, func(t *testing.T) {
			s := newScene(t)
			var thresholds []metric.Threshold
			for _, row := range [][2]string{{"mos", "p(50) > 4 over 4s"}, {"mos_worst", "p(50) > 4"}, {"onset_clip", "p(50) < 20ms"}, {"loss", "p(50) < 5"}, {"audio_gap", "p(50) < 30ms"}} {
				th, err := metric.ParseThreshold(row[0], row[1])
				require.NoError(t, err)
				thresholds = append(thresholds, th)
			}
			s.aggregator.Follow(thresholds)
			m := s.source(speechClip(900), 0, 0)
			var all []*Listener
			for range 20 {
				l := s.ledger.AddListener(1, Labels{})
				l.Expect(0, 0, 10*time.Second)
				l.Connected(0)
				all = append(all, l)
			}
			s.steady(0)
			for b := range Bin(16 * 50) {
				if b%50 < 42 { // a turn a second
					p := s.say(m, b)
					for i, l := range all {
						// Of each turn the first three frames are missing, and a tenth of the rest.
						if b%50 >= 3 && (int(b)+i)%10 != 0 {
							l.Receive(p)
						}
					}
				}
				if b%50 == 49 {
					now := (b + 1).Start()
					s.aggregator.Drop(c.dropped, max(0, now-2*time.Second), now)
					s.settle(now)
				}
			}
			totals := s.finish()
			s.aggregator.Answer(totals.Values, totals.Best, thresholds)
			for _, th := range thresholds {
				result := th.EvaluateBetween(totals.Values, totals.Best)
				if !c.fails {
					assert.Nil(t, result.OK, "%s: %+v", th, result)
					continue
				}
				if assert.NotNil(t, result.OK, "%s: %+v", th, result) {
					assert.False(t, *result.OK, "%s: %+v", th, result)
				}
			}
		})
	}
}
