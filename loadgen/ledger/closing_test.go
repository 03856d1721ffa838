package ledger

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/earshot-audio/earshot/loadgen/timebase"
)

// Servers go on sending while accounts are closed. A packet that comes then, and waits for its place, holds no account open.
func TestAccountIsClosedWhilePacketsThatFitSeveralFramesCome(t *testing.T) {
	s := newScene(t)
	l, m := s.listener(1), s.source(withSilence(speechClip(700), 0, 700), 0, 0)
	for b := range timebase.Bin(500) {
		if p := s.say(m, b); b >= 300 { // before that it lost all: of silence nobody can say when it was said
			l.Receive(p)
		}
	}
	now := s.end.Start()
	s.ledger.Stop(now)
	l.giveUp(now) // as Finish begins
	l.Receive(s.say(m, 500))
	require.NotEmpty(t, l.sections[0].pending, "it waits for its place")
	s.ledger.settle(int64(timebase.BinAt(now))/timebase.WordBins, timebase.BinAt(now))
	assert.EqualValues(t, 495, l.life.total, "all but the first 100 ms of the turn is accounted for")
}
