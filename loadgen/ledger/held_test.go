package ledger

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/earshot-audio/earshot/loadgen/metric"
	"github.com/earshot-audio/earshot/loadgen/timebase"
)

func TestPacketsWaitUntilAllHaveToldWhatTheySent(t *testing.T) {
	s := newScene(t)
	s.ledger.Await()
	sender := newScene(t)
	clip := speechClip(400)
	sent := sender.source(clip, 3, time.Millisecond)
	replica, err := s.ledger.AddReplica(clip, nil, 3, time.Millisecond)
	require.NoError(t, err)
	l := s.listener(1)

	tell := func(horizon timebase.Bin) {
		told, news := sent.Tell()
		require.True(t, news)
		require.NoError(t, replica.Hear(told, 0))
		s.ledger.Confirm(horizon)
	}
	for b := range timebase.Bin(100) {
		l.Receive(sender.say(sent, b))
	}
	<-l.Heard() // that it has heard something is known at once
	s.settle(100 * timebase.BinLength)
	assert.Zero(t, known(s))
	assert.Zero(t, unknown(s), "nobody knows yet what they are")

	tell(60)
	s.settle(101 * timebase.BinLength)
	assert.EqualValues(t, 60, known(s))
	s.end = 100
	// The process that sends is gone. What came since then nobody can tell, nor what is owed.
	s.ledger.Stop(60 * timebase.BinLength)
	s.aggregator.Stop(60 * timebase.BinLength)
	s.ledger.Finish(3 * time.Second)
	l.Receive(sender.say(sent, 100)) // while the run is closed
	s.ledger.settle(3, 150)
	s.aggregator.Finish(3 * time.Second)
	totals := s.aggregator.Totals()
	assert.EqualValues(t, 60, known(s))
	assert.Zero(t, unknown(s))
	assert.Equal(t, 1.0, rate(t, totals, "delivered").Share())
}

func TestALatencyBetweenTwoClocksIsInDoubt(t *testing.T) {
	s := newScene(t)
	s.ledger.Await()
	sender := newScene(t)
	clip := speechClip(400)
	sent := sender.source(clip, 0, 0)
	replica, err := s.ledger.AddReplica(clip, nil, 0, 0)
	require.NoError(t, err)
	s.book.ClockBound(2 * time.Millisecond)
	l := s.listener(1)
	for b := range timebase.Bin(50) {
		p := sender.say(sent, b)
		p.At -= 7 * time.Millisecond // the sender's clock is ahead: it seems to come before it was sent
		l.Receive(p)
	}
	told, _ := sent.Tell()
	require.NoError(t, replica.Hear(told, 3*time.Millisecond))
	s.ledger.Confirm(60)
	s.end = 50
	totals := s.finish()
	assert.Zero(t, unknown(s))
	worst, best := trend(t, totals, "latency"), totals.Best["latency"]
	require.NotNil(t, best, "it is in doubt")
	assert.InDelta(t, 3, worst.Max, 0.01, "−2 ms, and 5 ms more at worst")
	assert.NoError(t, replica.Hear(told, 0), "once more")
	told.Last--
	assert.Error(t, replica.Hear(told, 0), "nothing goes back")
	told.Last += 2
	told.Words = []ToldWord{{Word: 99}}
	assert.Error(t, replica.Hear(told, 0), "no word of the future")
}

// known is how many packets have been recognised, and unknown how many not.
func known(s *scene) uint64 {
	r := s.value("unrecognised").(metric.Rate)
	return r.Total - r.Passes
}

func unknown(s *scene) uint64 { return s.value("unrecognised").(metric.Rate).Passes }
