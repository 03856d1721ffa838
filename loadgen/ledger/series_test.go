package ledger

import (
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/earshot-audio/earshot/loadgen/metric"
	"github.com/earshot-audio/earshot/loadgen/record"
	"github.com/earshot-audio/earshot/loadgen/timebase"
)

func TestSeriesHasEventsAtTheirTimes(t *testing.T) {
	s := newScene(t)
	m := s.source(speechClip(1200), 0, 0)
	l := s.listener(1)
	s.aggregator.Arrival(0)
	for b := range timebase.Bin(500) { // ten seconds
		if b%50 == 49 {
			s.settle(b.Start())
			cpu, own := float64(b/50), 0.5
			s.aggregator.Load(record.Load{From: (b - 49).Start(), Until: (b + 1).Start(), ServerCPU: &cpu, GeneratorCPU: &own, ServerRSS: uint64(1000 + b), Drops: 1})
		}
		p := s.say(m, b)
		if b >= 200 && b < 250 {
			continue // the fifth second is lost
		}
		if b >= 300 && b < 350 {
			p.At += 30 * time.Millisecond // the seventh is slow
		}
		l.Receive(p)
	}
	s.finish()
	series := s.aggregator.Series()
	assert.Equal(t, time.Second, series.Interval)
	require.Len(t, series.Points, 11, "the time until the end of the listening is in it")
	for i, p := range series.Points[:10] {
		assert.Equal(t, time.Duration(i)*time.Second, p.At)
		assert.Equal(t, p.At+time.Second, p.Until)
		assert.Equal(t, 1, p.Joined)
		require.NotNil(t, p.ServerCPU)
		assert.EqualValues(t, i, *p.ServerCPU)
		assert.EqualValues(t, 1049+50*i, p.ServerRSS)
		assert.EqualValues(t, 1, p.Drops)
		want := metric.Rate{Passes: 50, Total: 50}
		switch i {
		case 0:
			want = metric.Rate{Passes: 45, Total: 45}
		case 4:
			want = metric.Rate{Passes: 0, Total: 50}
			assert.Nil(t, p.Latency)
		}
		assert.Equal(t, want, p.Delivered, "second %d", i)
		if i != 4 {
			latency := 5.0
			if i == 6 {
				latency = 35
			}
			assert.InEpsilon(t, latency, p.Latency.Quantile(50), 0.011)
			assert.EqualValues(t, 50, p.Latency.Count())
		}
	}
	assert.Equal(t, 1, series.Points[0].Arrivals)
	assert.Equal(t, 1, series.Points[0].Joins)
	assert.Zero(t, series.Points[1].Joins)
	assert.Equal(t, []record.Mark{{At: 0, Kind: record.MarkPhase, Name: record.Steady}}, s.aggregator.Marks())
}

func TestSeriesHasBothEndsOfWhatIsInDoubt(t *testing.T) {
	for _, seconds := range []timebase.Bin{20, 2 * record.MaxPoints} { // the longer one is thinned out
		s := newScene(t)
		m := s.source(speechClip(700), 0, 0)
		l := s.listener(1)
		s.aggregator.Drop(5, 10*time.Second, 11*time.Second-timebase.BinLength)
		s.play(m, l, seconds*50, func(b timebase.Bin) (time.Duration, bool) {
			if b == 605 {
				return 100 * time.Millisecond, false
			}
			return 0, b >= 510 && b < 520
		})
		s.finish()
		points := s.aggregator.Series().Points
		assert.LessOrEqual(t, len(points), record.MaxPoints)
		for _, p := range points {
			received, latency := p.AtBest()
			if p.Latency == nil {
				continue // the second after the end
			}
			assert.Equal(t, p.Delivered.Total, received.Total)
			assert.Equal(t, p.Latency.Count(), latency.Count())
			has := func(at time.Duration) bool { return p.At <= at && at < p.Until }
			worst, best := p.Latency.Summary().Max, latency.Summary().Max
			switch excused := received.Passes - p.Delivered.Passes; {
			case has(10*time.Second) && assert.EqualValues(t, 5, excused):
			case !has(10 * time.Second):
				assert.Zero(t, excused)
			}
			if has(12 * time.Second) {
				assert.InDelta(t, 105, worst, 2)
			}
			assert.InDelta(t, 5, best, 1)
		}
	}
}

func TestPhasesHaveTheirOwnSums(t *testing.T) {
	s := newScene(t)
	m := s.source(speechClip(1200), 0, 0)
	l := s.ledger.AddListener(1, record.Labels{Network: "3g"})
	l.Connected(0)
	require.NoError(t, s.aggregator.Begin(record.Arrivals, 0))
	for b := range timebase.Bin(600) {
		switch b {
		case 155: // within a bucket
			require.NoError(t, s.aggregator.Begin(record.Steady, b.Start()))
			require.NoError(t, s.aggregator.Span("storm", timebase.Bin(205).Start(), timebase.Bin(305).Start()))
		case 555:
			require.NoError(t, s.aggregator.Begin(record.Departures, b.Start()))
		}
		p := s.say(m, b)
		if b >= 205 && b < 215 || b == 100 {
			continue
		}
		l.Receive(p)
		s.settle(b.Start())
	}
	s.finish()
	for phase, want := range map[string]metric.Rate{
		record.Arrivals:   {Passes: 149, Total: 150},
		record.Steady:     {Passes: 390, Total: 400},
		"storm":           {Passes: 90, Total: 100},
		record.Departures: {Passes: 45, Total: 45},
		"":                {Passes: 584, Total: 595},
		"none":            {},
	} {
		of := func(more string) metric.Value {
			selector := more
			if phase != "" {
				selector = strings.TrimSuffix("phase:"+phase+","+more, ",")
			}
			if selector == "" {
				return s.value("delivered")
			}
			return s.value("delivered{" + selector + "}")
		}
		assert.Equal(t, want, of(""), phase)
		assert.Equal(t, want, of("network:3g"), phase)
		assert.Zero(t, of("network:wifi"), phase)
		assert.Zero(t, of("role:speaker"), phase)
	}
	assert.EqualValues(t, 154, s.value("latency{phase:arrivals}").(*metric.Trend).Count(), "the turn's onset, too")
	assert.EqualValues(t, 390, s.value("latency").(*metric.Trend).Count(), "the measured window's")
	assert.EqualValues(t, 90, s.value("latency{phase:storm}").(*metric.Trend).Count())
	assert.Error(t, s.aggregator.Begin(record.Steady, time.Minute), "it has been")
}

// An hour of a run, compressed: what it keeps is what a minute keeps.
func TestAggregatorMemoryDoesNotGrowWithTheRun(t *testing.T) {
	s := newScene(t)
	m := s.source(speechClip(1500), 0, 0)
	var listeners []*Listener
	for range 2 {
		listeners = append(listeners, s.listener(1))
	}
	held := func() uint64 {
		runtime.GC()
		var stats runtime.MemStats
		runtime.ReadMemStats(&stats)
		return stats.HeapAlloc
	}
	var first uint64
	const hour = timebase.Bin(time.Hour / timebase.BinLength)
	for b := range hour {
		p := s.say(m, b)
		if b%97 != 0 {
			p.At += time.Duration(b%1000) * 20 * time.Microsecond
			for _, l := range listeners {
				l.Receive(p)
			}
		}
		if b%50 == 0 {
			s.settle(b.Start())
			s.aggregator.Load(record.Load{From: b.Start(), Until: (b + 50).Start()})
		}
		// The series has 225 points then, as it has after an hour.
		if b == hour/8 {
			first = held()
		}
	}
	last := held()
	t.Logf("%d KB after 7.5 minutes, %d KB after an hour", first>>10, last>>10)
	assert.Less(t, last, first+first/20)
	totals := s.finish()
	delivered := rate(t, totals, "delivered")
	assert.EqualValues(t, 2*(hour-onsetBins), delivered.Total)
	assert.LessOrEqual(t, len(s.aggregator.Series().Points), record.MaxPoints)
	runtime.KeepAlive(listeners)
}
