package record

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/earshot-audio/earshot/loadgen/metric"
	"github.com/earshot-audio/earshot/loadgen/timebase"
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
	part := func(before timebase.Bin, from timebase.Bin, passes uint64) Part {
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

// TestWhatProcessesUsedBelongsToItsPhase though the processes tell of a phase and of its end only later.
func TestWhatProcessesUsedBelongsToItsPhase(t *testing.T) {
	const second = 50 // bins
	window, err := metric.ParseThreshold("server_cpu{phase:steady}", "value < 2 over 1s")
	require.NoError(t, err)
	merged := NewAggregator()
	merged.Follow([]metric.Threshold{window})
	m := NewMerger(merged, []string{"a", "b"})
	used := func(s int, cores float64, rss uint64) {
		m.Load(Load{From: time.Duration(s) * time.Second, Until: time.Duration(s+1) * time.Second, ServerCPU: &cores, ServerRSS: rss})
	}
	tell := func(before, ended timebase.Bin) {
		p := Part{Version: PartVersion, Before: before, Phases: []PartPhase{{WarmUp, 0, 2 * second}}, Ended: ended.Start()}
		if before >= 2*second {
			p.Phases = append(p.Phases, PartPhase{Steady, 2 * second, timebase.Never})
		}
		if ended > 0 {
			p.Phases[1].Until = ended
		}
		for i := range m.parts {
			require.NoError(t, m.Add(i, p))
		}
	}
	steady := func() float64 {
		values, best := metric.Values{}, metric.Values{}
		merged.Answer(values, best, []metric.Threshold{window})
		result := window.EvaluateBetween(values, best)
		if result.OK == nil {
			return -1
		}
		return *result.Value
	}
	tell(1, 0)
	used(0, 5, 500) // of the warm-up
	used(1, 4, 400)
	used(2, 1, 100)
	used(3, 1.5, 150)
	assert.InDelta(t, -1, steady(), 0, "nobody has told whether that is the steady state")
	tell(3*second, 0)
	assert.InDelta(t, 1, steady(), 0.01)
	used(4, 8, 900) // while results are summed up
	used(5, 8, 900)
	tell(4*second, 4*second)
	m.Finish()
	assert.InDelta(t, 1.5, steady(), 0.01)
	memory, ok := merged.loadOf("server_rss", Steady)
	require.True(t, ok)
	assert.InDelta(t, 150, float64(memory), 0)
}
