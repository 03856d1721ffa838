package ledger

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/earshot-audio/earshot/loadgen/metric"
	"github.com/earshot-audio/earshot/loadgen/record"
	"github.com/earshot-audio/earshot/loadgen/timebase"
)

// TestASecondIsToldWithinThreeSeconds holds when a worker tells a second against when no packet of it can come
// any more. What is left of the three is for the message and the coordinator, who looks every 200 ms.
func TestASecondIsToldWithinThreeSeconds(t *testing.T) {
	var latest time.Duration
	for offset := time.Duration(0); offset < timebase.WordBins*timebase.BinLength; offset += 20 * time.Millisecond {
		s := newScene(t)
		s.aggregator.Export()
		s.ledger.Await()
		l, m := s.listener(1), s.source(speechClip(500), 0, 0)
		told, next := time.Second, timebase.Bin(0)
		for now := time.Second + offset; now < 20*time.Second; now += time.Second {
			for ; next.Start() < now; next++ {
				l.Receive(s.say(m, next))
			}
			s.ledger.Confirm(timebase.BinAt(now - 400*time.Millisecond))
			settled := s.ledger.Settle(now)
			s.aggregator.Drain(now, settled)
			s.aggregator.Drain(now+record.RetireAfter, settled)
			for _, p := range s.aggregator.TakeParts() {
				for ; told <= p.Before.Start(); told += time.Second {
					latest = max(latest, now+record.RetireAfter-told-record.Lateness)
				}
			}
		}
		require.Greater(t, told, 8*time.Second)
	}
	t.Logf("a second is told %v after no packet of it can come, at most", latest)
	assert.Less(t, latest, 3*time.Second-300*time.Millisecond)
}

// TestAPhaseEndsWhereAllAgreeThoughItIsKnownLate has one of two processes wait for what the other says of the end
// of the steady state, for longer than packets may be late.
func TestAPhaseEndsWhereAllAgreeThoughItIsKnownLate(t *testing.T) {
	const end = timebase.Bin(1043) // within a second and within a word
	for _, c := range []struct {
		sentence string
		late     time.Duration
		held     bool
	}{
		{"it is known at once", 0, true},
		{"nobody waits, as it is known before that time is taken into account", 4 * time.Second, false},
		{"it is known when that time would have been taken into account", 8 * time.Second, true},
		{"it is known as late as the ledgers remember", 12 * time.Second, true},
	} {
		t.Run(c.sentence, func(t *testing.T) {
			merged := record.NewAggregator()
			m := record.NewMerger(merged, []string{"a", "b"})
			until := end + timebase.Bin(c.late/timebase.BinLength) + 100
			for i, late := range []time.Duration{c.late, 0} {
				departing(t, end, late, until, c.held, func(p record.Part) { require.NoError(t, m.Add(i, p)) })
			}
			m.Finish()
			owed := (&scene{t: t, aggregator: merged}).value("delivered{phase:steady}").(metric.Rate)
			assert.EqualValues(t, 2*(end-onsetBins), owed.Total, "of each what was sent in it, but the start of the turn")
			assert.Equal(t, owed.Total, owed.Passes)
		})
	}
}

// departing plays a process whose steady state ends with a bin, which is known late, and tells its parts.
func departing(t *testing.T, end timebase.Bin, late time.Duration, until timebase.Bin, held bool, tell func(record.Part)) {
	s := newScene(t)
	s.aggregator.Export()
	told := func() {
		for _, p := range s.aggregator.TakeParts() {
			tell(p)
		}
	}
	l, source := s.listener(1), s.source(speechClip(1500), 0, 0)
	for b := timebase.Bin(0); b < until; b++ {
		if b == end && held {
			s.book.HoldOpen(end.Start())
		}
		if b == end+timebase.Bin(late/timebase.BinLength) {
			require.NoError(t, s.aggregator.Begin(record.Departures, end.Start()))
			s.book.HoldOpen(timebase.Never.Start())
		}
		l.Receive(s.say(source, b))
		if b%50 == 49 {
			s.settle(b.Start())
			told()
		}
	}
	s.finish()
	told()
}
