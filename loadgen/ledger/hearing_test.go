package ledger

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/earshot-audio/earshot/loadgen/doubt"
	"github.com/earshot-audio/earshot/loadgen/metric"
	"github.com/earshot-audio/earshot/loadgen/record"
	"github.com/earshot-audio/earshot/loadgen/timebase"
)

// windowedRun plays 40 s to two listeners, of whom the second hears as it says, and judges
// thresholds of mos.
func windowedRun(t *testing.T, expressions []string, hear func(s *scene, b timebase.Bin) (time.Duration, bool)) (record.Totals, []metric.Result) {
	t.Helper()
	var thresholds []metric.Threshold
	for _, e := range expressions {
		th, err := metric.ParseThreshold("mos", e)
		require.NoError(t, err)
		thresholds = append(thresholds, th)
	}
	s := newScene(t)
	s.aggregator.Follow(thresholds)
	m := s.source(speechClip(3000), 0, 0)
	good, other := s.listener(1), s.listener(1)
	for b := range timebase.Bin(2000) {
		p := s.say(m, b)
		good.Receive(p)
		if late, comes := hear(s, b); comes {
			p.At += late
			other.Receive(p)
		}
		if b%50 == 0 {
			s.settle(b.Start())
		}
	}
	totals := s.finish()
	s.aggregator.Answer(totals.Values, totals.Best, thresholds)
	var results []metric.Result
	for _, th := range thresholds {
		results = append(results, th.EvaluateBetween(totals.Values, totals.Best))
	}
	return totals, results
}

func TestMOSInWindows(t *testing.T) {
	lost := func(from, until timebase.Bin) func(*scene, timebase.Bin) (time.Duration, bool) {
		return func(_ *scene, b timebase.Bin) (time.Duration, bool) { return 0, b < from || b >= until }
	}
	for _, c := range []struct {
		name         string
		hear         func(s *scene, b timebase.Bin) (time.Duration, bool)
		whole, worst float64 // of the second listener
		slack        float64
		holds        bool // min >= 4 over 10s
		from, until  float64
	}{
		{"all is well", lost(0, 0), 4.24, 4.24, 0.01, true, 0, 0},
		{"two seconds are lost", lost(1000, 1100), 2.4, 1.3, 0.5, false, 10, 32},
		{"nothing comes from the middle on", lost(1000, 5000), 1, 1, 0.1, false, 20, 40.2},
		{"nothing ever comes", lost(0, 5000), 1, 1, 0, false, 0, 40.2},
		{"it comes late for a while", func(_ *scene, b timebase.Bin) (time.Duration, bool) {
			if b >= 1000 && b < 1500 {
				return 300 * time.Millisecond, true
			}
			return 0, true
		}, 4, 2.6, 0.4, false, 10, 42},
	} {
		t.Run(c.name, func(t *testing.T) {
			totals, results := windowedRun(t, []string{"min >= 4 over 10s", "max >= 4.2 over 10s"}, c.hear)
			assert.InDelta(t, c.whole, trend(t, totals, "mos").Min, c.slack)
			assert.InDelta(t, c.worst, trend(t, totals, "mos_worst").Min, c.slack)
			assert.InDelta(t, 4.24, trend(t, totals, "mos_worst").Max, 0.01, "the first listener's")
			require.NotNil(t, results[0].OK)
			assert.Equal(t, c.holds, *results[0].OK)
			assert.InDelta(t, trend(t, totals, "mos_worst").Min, *results[0].Value, 0.01, "the same windows")
			assert.InDelta(t, 10, (results[0].Until - results[0].From).Seconds(), 0.01)
			if !c.holds {
				assert.GreaterOrEqual(t, results[0].From.Seconds(), c.from)
				assert.LessOrEqual(t, results[0].Until.Seconds(), c.until)
			}
			require.NotNil(t, results[1].OK)
			assert.True(t, *results[1].OK, "some listener is well in every window")
		})
	}
}

func TestMOSInWindowsThatAreInDoubt(t *testing.T) {
	totals, results := windowedRun(t, []string{"min >= 4 over 10s"}, func(s *scene, b timebase.Bin) (time.Duration, bool) {
		if b == 1000 {
			s.aggregator.Doubt(doubt.Stalled, 20*time.Second, 20200*time.Millisecond)
		}
		return 0, b < 1000 || b >= 1010
	})
	assert.Nil(t, results[0].OK)
	assert.True(t, results[0].Undecided)
	best, ok := totals.Best["mos_worst"].(*metric.Trend)
	require.True(t, ok)
	assert.Greater(t, best.Summary().Min, 4.2)
	assert.Less(t, trend(t, totals, "mos_worst").Min, 4.0)
}

func TestMOSInWindowsLongerThanTheMeasuredOneHasNoData(t *testing.T) {
	totals, results := windowedRun(t, []string{"min >= 4 over 41s"}, func(*scene, timebase.Bin) (time.Duration, bool) { return 0, true })
	assert.Nil(t, results[0].OK)
	assert.NotEmpty(t, results[0].Reason)
	assert.Contains(t, totals.Values, "mos_worst")
}

// What the words hold is together what the buffers did.
func TestWordsAddUpToTheWhole(t *testing.T) {
	s := newScene(t)
	m, l := s.source(speechClip(3000), 0, 0), s.listener(1)
	var sum hearing
	seen := int64(-1)
	for b := range timebase.Bin(1000) {
		p := s.say(m, b)
		if b%13 != 5 && (b < 400 || b > 450) {
			p.At += time.Duration(b*37%60) * time.Millisecond
			l.Receive(p)
		}
		if b%50 == 0 {
			s.settle(b.Start())
			for _, w := range l.windowed.recent {
				if w.word > seen {
					sum, seen = sum.plus(w.hearing), w.word
				}
			}
		}
	}
	s.finish()
	for _, w := range l.windowed.recent {
		if w.word > seen {
			sum, seen = sum.plus(w.hearing), w.word
		}
	}
	assert.Equal(t, l.steady.total, sum.owed)
	assert.Equal(t, l.spoken, sum.bins)
	assert.InDelta(t, l.played.frames, sum.played.frames, 1)
	assert.InDelta(t, l.played.concealed, sum.played.concealed, float64(timebase.BinLength))
	assert.Equal(t, l.played.gaps, sum.played.gaps)
	assert.InDelta(t, l.played.frozen, sum.played.frozen, float64(timebase.BinLength))
}
