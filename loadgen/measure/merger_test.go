package measure

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/earshot-audio/earshot/loadgen/metric"
)

// TestAThresholdIsCrossedInTheMergeAlone has workers of which none would cross a threshold on a count.
func TestAThresholdIsCrossedInTheMergeAlone(t *testing.T) {
	threshold, err := metric.ParseThreshold("duplicates", "count < 10")
	require.NoError(t, err)
	for _, c := range []struct {
		sentence string
		of       []uint64 // a worker's
		ok       bool
	}{
		{"one alone", []uint64{6}, true},
		{"the other alone", []uint64{5}, true},
		{"both", []uint64{6, 5}, false},
		{"both, and few", []uint64{6, 3}, true},
	} {
		t.Run(c.sentence, func(t *testing.T) {
			merged := NewAggregator()
			m := NewMerger(merged, make([]string, len(c.of)))
			for i, n := range c.of {
				require.NoError(t, m.Add(i, Part{
					Version: PartVersion, Before: 50, Phases: []PartPhase{{Steady, 0, 50}},
					Cells: []PartCell{{Labels: Labels{Role: Audience}, Cast: 1, Heard: 1, Duplicates: n}},
				}))
			}
			m.Finish()
			got := threshold.Evaluate(merged.Totals().Values)
			require.NotNil(t, got.OK)
			assert.Equal(t, c.ok, *got.OK)
		})
	}
}

func TestASecondIsJudgedWhenAllHaveToldIt(t *testing.T) {
	thresholds, err := metric.ParseThreshold("delivered", "rate >= 0.6 over 1s")
	require.NoError(t, err)
	merged := NewAggregator()
	merged.Follow([]metric.Threshold{thresholds})
	m := NewMerger(merged, []string{"a", "b"})
	part := func(before Bin, from Bin, passes uint64) Part {
		return Part{
			Version: PartVersion, Before: before, Phases: []PartPhase{{Steady, 0, 1000}},
			Cells:   []PartCell{{Labels: Labels{Role: Audience}}},
			Buckets: []PartBucket{{From: from, Until: from + 50, Phases: 1, Cells: []PartBucketCell{{Delivered: metric.Rate{Passes: passes, Total: 100}}}}},
		}
	}
	answer := func() metric.Result {
		values := metric.Values{}
		merged.Answer(values, metric.Values{}, []metric.Threshold{thresholds})
		return thresholds.Evaluate(values)
	}
	// Each alone crosses in one second, and together they do only in the third.
	require.NoError(t, m.Add(0, part(50, 0, 30)))
	require.NoError(t, m.Add(0, part(100, 50, 100)))
	assert.Nil(t, answer().OK, "the other has told nothing yet")
	require.NoError(t, m.Add(1, part(50, 0, 100)))
	require.NoError(t, m.Add(1, part(100, 50, 30)))
	require.NotNil(t, answer().OK)
	assert.True(t, *answer().OK)
	require.NoError(t, m.Add(1, part(150, 100, 59)))
	require.NoError(t, m.Add(0, part(150, 100, 59)))
	assert.False(t, *answer().OK)
	m.Lose(1)
	require.NoError(t, m.Add(0, part(200, 150, 100)))
	m.Finish()
	assert.Empty(t, m.buckets)
}

// TestASecondIsToldWithinThreeSeconds holds when a worker tells a second against when no packet of it can come
// any more. What is left of the three is for the message and the coordinator, who looks every 200 ms.
func TestASecondIsToldWithinThreeSeconds(t *testing.T) {
	var latest time.Duration
	for offset := time.Duration(0); offset < wordBins*BinLength; offset += 20 * time.Millisecond {
		s := newScene(t)
		s.aggregator.Export()
		s.ledger.Await()
		l, m := s.listener(1), s.source(speechClip(500), 0, 0)
		told, next := time.Second, Bin(0)
		for now := time.Second + offset; now < 20*time.Second; now += time.Second {
			for ; next.Start() < now; next++ {
				l.Receive(s.say(m, next))
			}
			s.ledger.Confirm(BinAt(now - 400*time.Millisecond))
			settled := s.ledger.Settle(now)
			s.aggregator.Drain(now, settled)
			s.aggregator.Drain(now+RetireAfter, settled)
			for _, p := range s.aggregator.TakeParts() {
				for ; told <= p.Before.Start(); told += time.Second {
					latest = max(latest, now+RetireAfter-told-Lateness)
				}
			}
		}
		require.Greater(t, told, 8*time.Second)
	}
	t.Logf("a second is told %v after no packet of it can come, at most", latest)
	assert.Less(t, latest, 3*time.Second-300*time.Millisecond)
}
