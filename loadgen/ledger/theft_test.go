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

// stealing plays 12 s to a listener, in all of whose seconds a hypervisor takes the cores
// for so long, while they are idle for a share of the time. The packets of late(b) come so
// much later.
func stealing(t *testing.T, took time.Duration, idle float64, late func(timebase.Bin) (time.Duration, bool)) (*scene, record.Totals) {
	s := newScene(t)
	m := s.source(speechClip(700), 0, 0)
	l := s.listener(1)
	for b := range timebase.Bin(600) {
		p := s.say(m, b)
		m.Sent(b, 0)
		by, lost := late(b)
		p.At += by
		if !lost {
			l.Receive(p)
		}
		if b%50 == 49 {
			now := (b + 1).Start()
			s.aggregator.Steal(now-time.Second, now, took, idle)
			s.settle(now)
		}
	}
	return s, s.finish()
}

func bestOrWorst(t *testing.T, totals record.Totals, name string) metric.Summary {
	t.Helper()
	if _, ok := totals.Best[name]; ok {
		return bestTrend(t, totals, name)
	}
	return trend(t, totals, name)
}

func TestStealExcusesNoMorePacketsThanItReached(t *testing.T) {
	all := func(timebase.Bin) (time.Duration, bool) { return 50 * time.Millisecond, false }
	one := func(b timebase.Bin) (time.Duration, bool) { // of each second
		if b%50 == 25 {
			return 50 * time.Millisecond, false
		}
		return 0, false
	}
	for _, c := range []struct {
		sentence string
		took     time.Duration
		idle     float64
		late     func(timebase.Bin) (time.Duration, bool)
		med, max float64 // of the latency at best, in ms
	}{
		{"a packet of each second was late since its core was taken for 50 ms", 50 * time.Millisecond, 0.5, one, 5, 5},
		{"it was later than the core was taken", 20 * time.Millisecond, 0.5, one, 5, 35},
		{"a server that is always late is not excused by a core that was taken now and then", 50 * time.Millisecond, 0.5, all, 55, 55},
		{"unless cores that are never idle can't catch up", 50 * time.Millisecond, 0, func(b timebase.Bin) (time.Duration, bool) {
			by, lost := all(b)
			if b < 100 {
				by = 0
			}
			return by, lost
		}, 5, 5},
		{"nothing was taken", 0, 0.5, one, 5, 55},
	} {
		t.Run(c.sentence, func(t *testing.T) {
			s, totals := stealing(t, c.took, c.idle, c.late)
			best := bestOrWorst(t, totals, "latency")
			assert.InDelta(t, c.med, best.Med, 1)
			assert.InDelta(t, c.max, best.Max, 1)
			assert.InDelta(t, 55, trend(t, totals, "latency").Max, 1)
			assert.Equal(t, 12*c.took, s.aggregator.Doubted().Stolen)
			if c.took == 50*time.Millisecond && c.idle > 0 {
				assert.InDelta(t, c.max, bestOrWorst(t, totals, "latency_listener").Max, 2)
			}
			assert.NotContains(t, totals.Best, "delivered")
			assert.GreaterOrEqual(t, trend(t, totals, "jitter").Max, bestOrWorst(t, totals, "jitter").Max)
			assert.GreaterOrEqual(t, bestOrWorst(t, totals, "mos").Min, trend(t, totals, "mos").Min)
		})
	}
}

func TestStealExcusesNoMoreLossThanItReached(t *testing.T) {
	fifth := func(b timebase.Bin) (time.Duration, bool) { return 0, b%5 == 4 }
	for _, c := range []struct {
		sentence string
		took     time.Duration
		share    float64 // delivered at best
		mos      bool    // may be good
	}{
		{"a core that was taken for 50 ms a second loses nothing", 50 * time.Millisecond, 0.8, false},
		{"one that was taken for 120 ms may have lost a seventh, with what was under way when it began", 120 * time.Millisecond, 0.95, true},
		{"one that was taken for half of the time may have lost all that is missing", 500 * time.Millisecond, 1, true},
	} {
		t.Run(c.sentence, func(t *testing.T) {
			_, totals := stealing(t, c.took, 1, fifth)
			best, doubted := totals.Best["delivered"].(metric.Rate)
			if !doubted {
				best = rate(t, totals, "delivered")
			}
			assert.InDelta(t, c.share, best.Share(), 0.012)
			assert.Equal(t, c.mos, bestOrWorst(t, totals, "mos").Min > 4)
		})
	}
}

func TestWithheldTimeMakesJoinsLonger(t *testing.T) {
	for _, c := range []struct {
		sentence string
		book     func(*record.Aggregator)
		best     float64 // of the join, in ms
	}{
		{"a quota kept the generator from running", func(a *record.Aggregator) { a.Doubts.Throttle(0, time.Second, 300*time.Millisecond) }, 305},
		{"so did a hypervisor", func(a *record.Aggregator) { a.Steal(0, time.Second, 300*time.Millisecond, 1) }, 305},
		{"a stall that is seen, too, counts once", func(a *record.Aggregator) {
			a.Doubts.Throttle(0, time.Second, 300*time.Millisecond)
			a.Doubt(doubt.Stalled, 100*time.Millisecond, 350*time.Millisecond)
		}, 305},
		{"no join takes less than no time", func(a *record.Aggregator) { a.Doubts.Throttle(0, time.Second, 2*time.Second) }, 0},
	} {
		t.Run(c.sentence, func(t *testing.T) {
			s := newScene(t)
			m := s.source(speechClip(700), 0, 0)
			l := s.ledger.AddListener(1, record.Labels{})
			l.Expect(0, 0, 5*time.Second)
			l.Connected(600 * time.Millisecond)
			s.steady(0)
			c.book(s.aggregator)
			s.play(m, l, 300, func(b timebase.Bin) (time.Duration, bool) { return 0, b < 30 })
			totals := s.finish()
			assert.InDelta(t, 605, trend(t, totals, "join_duration").Max, 1)
			assert.InDelta(t, c.best, bestTrend(t, totals, "join_duration").Max, 1)
		})
	}
}

func TestThrottledTimeExcusesNothingButJoins(t *testing.T) {
	s := newScene(t)
	m := s.source(speechClip(700), 0, 0)
	l := s.listener(1)
	s.aggregator.Doubts.Throttle(2*time.Second, 3*time.Second, 500*time.Millisecond)
	s.play(m, l, 600, func(b timebase.Bin) (time.Duration, bool) { return 0, b%5 == 4 })
	totals := s.finish()
	require.Equal(t, 500*time.Millisecond, s.aggregator.Doubted().Throttled)
	for _, name := range []string{"delivered", "latency", "mos", "concealed", "loss"} {
		assert.NotContains(t, totals.Best, name)
	}
}

func TestStealPutsLossOnTheWayToTheServerInDoubtIfItIsLong(t *testing.T) {
	for _, c := range []struct {
		sentence string
		took     time.Duration // of each second
		excused  bool
	}{
		{"a core that is taken for 30 ms a second loses nothing, however long that goes on", 30 * time.Millisecond, false},
		{"one that was taken for 120 ms may have", 120 * time.Millisecond, true},
	} {
		t.Run(c.sentence, func(t *testing.T) {
			a := record.NewAggregator()
			for at := time.Duration(0); at < 20*time.Second; at += time.Second {
				a.Steal(at, at+time.Second, c.took, 0.5)
			}
			a.LostResends(7, 5*time.Second, 7*time.Second)
			excused := uint64(0)
			if c.excused {
				excused = 7
			}
			assert.Equal(t, c.excused, a.Doubts.LossInDoubt(5*time.Second, 15*time.Second) > 0)
			assert.Equal(t, excused, a.ExcusedResends())
		})
	}
}
