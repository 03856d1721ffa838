package ledger

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/earshot-audio/earshot/loadgen/metric"
	"github.com/earshot-audio/earshot/loadgen/timebase"
)

// A generator that has hardly any CPU settles its accounts seldom. It takes nothing that was heard for something
// else, a ring's length later.
func TestNothingIsTakenForWhatWasHeardARingAgo(t *testing.T) {
	for _, c := range []struct {
		sentence string
		silence  int // frames that are all alike
		gap      time.Duration
	}{
		{"accounts are settled once a second", 0, 0},
		{"they are not for most of the ring's length", 0, 14 * time.Second},
		{"they are not for the ring's length", 0, 22 * time.Second},
		{"they are not for two of them", 0, 43 * time.Second},
		{"packets wait for their places meanwhile", 900, 4 * time.Second},
		{"packets wait for their places, and accounts for longer", 900, 15 * time.Second},
	} {
		t.Run(c.sentence, func(t *testing.T) {
			s := newScene(t)
			l, m := s.listener(1), s.source(withSilence(speechClip(6000), 600, 600+c.silence), 0, 0)
			const gap = 27 * time.Second
			for b := timebase.Bin(0); b < 5000; b++ {
				l.Receive(s.say(m, b))
				if at := b.Start(); b%50 == 49 && (at < gap || at >= gap+c.gap) {
					s.settle(at)
				}
			}
			totals := s.finish()
			assert.EqualValues(t, 0, totals.Values["duplicates"].(metric.Counter), "duplicates")
			delivered := rate(t, totals, "delivered")
			if best, doubted := totals.Best["delivered"].(metric.Rate); doubted {
				delivered = best
			}
			assert.EqualValues(t, 1, delivered.Share(), "delivered: %+v", delivered)
			assert.Greater(t, delivered.Total, uint64(2500))
		})
	}
}
