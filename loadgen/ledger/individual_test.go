package ledger

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/earshot-audio/earshot/loadgen/doubt"
	"github.com/earshot-audio/earshot/loadgen/metric"
	"github.com/earshot-audio/earshot/loadgen/record"
	"github.com/earshot-audio/earshot/loadgen/timebase"
)

func TestSpreadFindsThePercentile(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for name, draw := range map[string]func() int32{
		"all alike":         func() int32 { return 4321 },
		"a few µs":          func() int32 { return random.Int32N(60) },
		"around 1 ms":       func() int32 { return 900 + random.Int32N(300) },
		"over all it holds": func() int32 { return random.Int32N(8_000_000) },
		"two in a hundred": func() int32 {
			if random.IntN(50) == 0 {
				return 500_000
			}
			return 2000
		},
	} {
		t.Run(name, func(t *testing.T) {
			for _, n := range []int{1, 2, 99, 100, 101, 5000} {
				s, all := &spread{}, []int32{}
				for range n {
					v := draw()
					s.add(v)
					all = append(all, v)
				}
				slices.Sort(all)
				want := float64(all[(n*99+99)/100-1])
				for _, of := range []*spread{s, s.clone()} {
					got := float64(of.p99(0) / time.Microsecond)
					assert.GreaterOrEqual(t, got, want, "%d samples", n)
					assert.LessOrEqual(t, got, want*(1+1.0/steps), "%d samples", n)
				}
			}
		})
	}
	s := &spread{}
	s.add(1 << 30)
	assert.EqualValues(t, 1<<23-1, s.p99(0)/time.Microsecond, "beyond what it holds")
}

// individual plays 20 s to listeners who hear as it says, and returns a figure of theirs.
func individual(t *testing.T, name string, hear func(s *scene, b timebase.Bin, number int) (time.Duration, bool)) (worst, best *metric.Trend) {
	t.Helper()
	s := newScene(t)
	m := s.source(speechClip(1100), 0, 0)
	listeners := []*Listener{s.listener(1), s.listener(1)}
	for b := range timebase.Bin(1000) {
		p := s.say(m, b)
		for i, l := range listeners {
			late, comes := hear(s, b, i)
			if comes {
				q := p
				q.At = m.Intended(b) + late
				l.Receive(q)
			}
		}
		if b%50 == 0 {
			s.settle(b.Start())
		}
	}
	totals := s.finish()
	worst, ok := totals.Values[name].(*metric.Trend)
	require.True(t, ok)
	best, ok = totals.Best[name].(*metric.Trend)
	if !ok {
		best = worst
	}
	return worst, best
}

func TestLatencyListenerIsOfEachListener(t *testing.T) {
	const fast, slow = 5 * time.Millisecond, 80 * time.Millisecond
	for _, c := range []struct {
		name                string
		hear                func(s *scene, b timebase.Bin, number int) (time.Duration, bool)
		min, max, bestOfMax float64
	}{
		{"one in fifty packets of one listener is slow", func(_ *scene, b timebase.Bin, number int) (time.Duration, bool) {
			if number == 1 && b%50 == 0 {
				return slow, true
			}
			return fast, true
		}, 5, 80, 80},
		{"who hears nothing is not fast", func(_ *scene, _ timebase.Bin, number int) (time.Duration, bool) { return fast, number == 0 }, 5, 5000, 5000},
		{"slow while others took the cores", func(s *scene, b timebase.Bin, number int) (time.Duration, bool) {
			if b == 500 {
				s.aggregator.Deprive(9*time.Second, 11*time.Second, time.Second)
			}
			if number == 1 && b > 460 && b < 540 {
				return slow, true
			}
			return fast, true
		}, 5, 80, 5},
		{"while the clock was stepped nothing is known", func(s *scene, b timebase.Bin, _ int) (time.Duration, bool) {
			if b == 500 {
				s.aggregator.Doubt(doubt.Stepped, 9*time.Second, 11*time.Second)
			}
			return fast, true
		}, 5000, 5000, 5},
	} {
		t.Run(c.name, func(t *testing.T) {
			worst, best := individual(t, "latency_listener", c.hear)
			assert.EqualValues(t, 2, worst.Count())
			assert.InEpsilon(t, c.min, worst.Summary().Min, 0.02)
			assert.InEpsilon(t, c.max, worst.Summary().Max, 0.02)
			assert.InEpsilon(t, c.bestOfMax, best.Summary().Max, 0.02)
		})
	}
}

func TestFrozenTimeIsThatOfGaps(t *testing.T) {
	for _, c := range []struct {
		name  string
		lost  func(b timebase.Bin) bool
		want  float64
		slack float64
	}{
		{"nothing is lost", func(timebase.Bin) bool { return false }, 0, 0},
		{"single packets are no gap", func(b timebase.Bin) bool { return b%20 == 0 }, 0, 0},
		{"two gaps", func(b timebase.Bin) bool { return b >= 200 && b < 210 || b >= 500 && b < 550 }, 1200, 60},
		{"from the middle on nothing comes", func(b timebase.Bin) bool { return b >= 500 }, 10_000, 200},
		{"nothing ever comes", func(timebase.Bin) bool { return true }, 19_900, 100},
	} {
		t.Run(c.name, func(t *testing.T) {
			worst, best := individual(t, "frozen_time", func(_ *scene, b timebase.Bin, number int) (time.Duration, bool) {
				return 5 * time.Millisecond, number == 0 || !c.lost(b)
			})
			assert.Zero(t, worst.Summary().Min)
			assert.InDelta(t, c.want, worst.Summary().Max, c.slack)
			assert.Equal(t, worst.Summary(), best.Summary())
		})
	}
	worst, best := individual(t, "frozen_time", func(s *scene, b timebase.Bin, _ int) (time.Duration, bool) {
		if b == 300 {
			s.aggregator.Drop(10, 5*time.Second, 6*time.Second)
		}
		return 5 * time.Millisecond, b < 260 || b >= 270
	})
	assert.InDelta(t, 200, worst.Summary().Max, 40)
	assert.Zero(t, best.Summary().Max, "the generator's side dropped as many")
}

func TestRTTIsTheMeanOfEachListener(t *testing.T) {
	s := newScene(t)
	m := s.source(speechClip(1100), 0, 0)
	near, far, dead, probe := s.listener(1), s.listener(1), s.listener(1), s.ledger.AddListener(1, record.Labels{Probe: true})
	whole := s.listener(1)
	probe.Connected(0)
	whole.Unchecked() // a client whose checks are Pion's
	for b := range timebase.Bin(1000) {
		p := s.say(m, b)
		for _, l := range []*Listener{near, far, dead, probe, whole} {
			if b > 0 || l != near {
				l.Receive(p)
			}
		}
		if b%100 == 50 {
			near.RoundTrip(b.Start(), b.Start()+3*time.Millisecond, time.Millisecond)
			far.RoundTrip(b.Start(), b.Start()+time.Duration(b)*time.Millisecond, 0)
		}
	}
	near.Left(20 * time.Second)
	near.RoundTrip(21*time.Second, 22*time.Second, 0) // it has left
	// Who was there from the beginning and was never answered waited all the time. The
	// others joined within it.
	dead.firstAt, whole.firstAt = 0, 0
	totals := s.finish()
	rtt := trend(t, totals, "rtt")
	assert.EqualValues(t, 3, rtt.Count)
	assert.InDelta(t, 3, rtt.Min, 0.01)
	assert.InDelta(t, 500, rtt.Med, 1)
	assert.InDelta(t, 17_000, rtt.Max, 1)
	best, ok := totals.Best["rtt"].(*metric.Trend)
	require.True(t, ok)
	assert.InDelta(t, 2, best.Summary().Min, 0.01, "a millisecond may be the generator's")
}
