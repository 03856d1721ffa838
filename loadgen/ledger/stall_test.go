package ledger

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/earshot-audio/earshot/loadgen/timebase"
)

// What one process sends the others learn late where that one, or who passes it on, is busy.
func TestNothingIsLostByLearningLateWhatWasSent(t *testing.T) {
	for _, stall := range []time.Duration{0, 5 * time.Second, Remembered - time.Second} {
		t.Run(stall.String(), func(t *testing.T) {
			s := newScene(t)
			s.ledger.Await()
			l, m := s.listener(1), s.source(speechClip(3000), 0, 0)
			const from = 8 * time.Second
			for b := timebase.Bin(0); b.Start() < from+stall+12*time.Second; b++ {
				l.Receive(s.say(m, b))
				if now := b.Start(); b%10 == 9 && (now < from || now >= from+stall) {
					s.ledger.Confirm(b - 10)
				}
				if b%50 == 49 {
					s.settle(b.Start())
				}
			}
			s.ledger.Confirm(timebase.Never)
			totals := s.finish()
			assert.EqualValues(t, 1, rate(t, totals, "delivered").Share())
			assert.Zero(t, rate(t, totals, "unrecognised").Passes)
			assert.EqualValues(t, 5, trend(t, totals, "latency").Max)
		})
	}
}
