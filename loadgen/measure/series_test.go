package measure

import (
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/earshot-audio/earshot/loadgen/metric"
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
			s.aggregator.Load(Load{From: (b - 49).Start(), Until: (b + 1).Start(), ServerCPU: &cpu, GeneratorCPU: &own, ServerRSS: uint64(1000 + b), Drops: 1})
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
	assert.Equal(t, []Mark{{At: 0, Kind: MarkPhase, Name: Steady}}, s.aggregator.Marks())
}

func TestSeriesOfALongRunIsThinnedOut(t *testing.T) {
	var b builder
	for i := range 3600 {
		at := time.Duration(i) * time.Second
		cpu := float64(i % 2)
		b.load(Load{From: at, Until: at + time.Second, ServerCPU: &cpu})
		b.events(at, closedEvents{arrivals: 2, joins: 1})
		b.bucket(at, closedCell{latency: distribution{certain: frozen(time.Millisecond)}, delivered: metric.Rate{Passes: 9, Total: 10}}, nil)
		b.closed(at + time.Second)
		require.LessOrEqual(t, len(b.open), 1)
		require.LessOrEqual(t, len(b.points), maxPoints)
	}
	b.finish(3600*time.Second + 300*time.Millisecond)
	s := b.series()
	assert.Equal(t, 16*time.Second, s.Interval)
	var arrivals int
	var passes, latencies uint64
	for i, p := range s.Points {
		assert.Equal(t, time.Duration(i)*s.Interval, p.At)
		arrivals += p.Arrivals
		passes += p.Delivered.Passes
		if p.Latency != nil {
			latencies += p.Latency.Count()
		}
		if i < len(s.Points)-1 {
			assert.InDelta(t, 0.5, *p.ServerCPU, 1e-9)
			assert.Equal(t, 16*(i+1), p.Joined)
		}
	}
	assert.Equal(t, 7200, arrivals)
	assert.EqualValues(t, 9*3600, passes)
	assert.EqualValues(t, 3600, latencies)
	assert.Equal(t, 3600*time.Second+300*time.Millisecond, s.Points[len(s.Points)-1].Until)
}

// What a run of 5,000 listeners hands to its report after ten minutes is at most
// what the full series of any run is, and of ten seconds it is a part of that:
// neither grows with the listeners.
func TestSeriesHasBothEndsOfWhatIsInDoubt(t *testing.T) {
	for _, seconds := range []timebase.Bin{20, 2 * maxPoints} { // the longer one is thinned out
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
		assert.LessOrEqual(t, len(points), maxPoints)
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

func TestSeriesLengthDoesNotDependOnListeners(t *testing.T) {
	points := func(listeners int, length time.Duration) (n int, samples uint64) {
		var b builder
		for at := time.Duration(0); at < length; at += time.Second {
			var c metric.Counts
			for i := range listeners {
				c.Record(time.Duration(i%200) * 100 * time.Microsecond)
			}
			b.bucket(at, closedCell{latency: distribution{certain: c.Freeze()}, delivered: metric.Rate{Passes: uint64(listeners), Total: uint64(listeners)}}, nil)
			b.closed(at + time.Second)
		}
		b.finish(length)
		for _, p := range b.series().Points {
			samples += p.Latency.Count()
		}
		return len(b.series().Points), samples
	}
	few, _ := points(10, 10*time.Minute)
	many, samples := points(5000, 10*time.Minute)
	short, _ := points(5000, 10*time.Second)
	assert.Equal(t, few, many)
	assert.EqualValues(t, 5000*600, samples)
	assert.Equal(t, 10, short)
	assert.LessOrEqual(t, many, maxPoints)
}

func frozen(all ...time.Duration) *metric.Frozen {
	var c metric.Counts
	for _, d := range all {
		c.Record(d)
	}
	return c.Freeze()
}

func TestPhasesHaveTheirOwnSums(t *testing.T) {
	s := newScene(t)
	m := s.source(speechClip(1200), 0, 0)
	l := s.ledger.AddListener(1, Labels{Network: "3g"})
	l.Connected(0)
	require.NoError(t, s.aggregator.Begin(Arrivals, 0))
	for b := range timebase.Bin(600) {
		switch b {
		case 155: // within a bucket
			require.NoError(t, s.aggregator.Begin(Steady, b.Start()))
			require.NoError(t, s.aggregator.Span("storm", timebase.Bin(205).Start(), timebase.Bin(305).Start()))
		case 555:
			require.NoError(t, s.aggregator.Begin(Departures, b.Start()))
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
		Arrivals:   {Passes: 149, Total: 150},
		Steady:     {Passes: 390, Total: 400},
		"storm":    {Passes: 90, Total: 100},
		Departures: {Passes: 45, Total: 45},
		"":         {Passes: 584, Total: 595},
		"none":     {},
	} {
		assert.Equal(t, want, s.aggregator.sum(metric.Selector{Phase: phase}).delivered, phase)
		assert.Equal(t, want, s.aggregator.sum(metric.Selector{Phase: phase, Network: "3g"}).delivered, phase)
		assert.Zero(t, s.aggregator.sum(metric.Selector{Phase: phase, Network: "wifi"}).delivered, phase)
		assert.Zero(t, s.aggregator.sum(metric.Selector{Phase: phase, Role: "speaker"}).delivered, phase)
	}
	assert.EqualValues(t, 154, latencies(s, metric.Selector{Phase: Arrivals}), "the turn's onset, too")
	assert.EqualValues(t, 390, latencies(s, metric.Selector{}), "the measured window's")
	assert.EqualValues(t, 90, latencies(s, metric.Selector{Phase: "storm"}))
	assert.Error(t, s.aggregator.Begin(Steady, time.Minute), "it has been")
}

// An hour of a run, compressed: what it keeps is what a minute keeps.
func TestAggregatorMemoryDoesNotGrowWithTheRun(t *testing.T) {
	s := newScene(t)
	m := s.source(speechClip(1500), 0, 0)
	var listeners []*Listener
	for range 4 {
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
			s.aggregator.Load(Load{From: b.Start(), Until: (b + 50).Start()})
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
	assert.EqualValues(t, 4*(hour-onsetBins), delivered.Total)
	assert.LessOrEqual(t, len(s.aggregator.Series().Points), maxPoints)
	runtime.KeepAlive(listeners)
}

func latencies(s *scene, of metric.Selector) uint64 {
	all := s.aggregator.sum(of)
	return all.latency.Count()
}

// The sampler is late by some milliseconds, now and then: two samples whose middles are more than a
// second apart are no hole in what the server used.
func TestSeriesHasNoHoleWhereASampleCameLate(t *testing.T) {
	for _, row := range []struct {
		name    string
		samples []time.Duration // when both processes were measured
		want    []float64       // cores of each second; that of load i is i+1
	}{
		{"samples on time", []time.Duration{0, 1000, 2000, 3000}, []float64{1, 2, 3}},
		{"one that is late, in the middle of a second", []time.Duration{0, 900, 1850, 3200, 4000}, []float64{1, 2, 3, 4}},
		{"one that is late, at the end of a second", []time.Duration{0, 990, 1980, 4000, 5000}, []float64{1, 2, 3, 3, 4}},
		{"one that is late by almost two", []time.Duration{0, 1000, 3900, 5000}, []float64{1, 2, 2, 2, 3}},
	} {
		t.Run(row.name, func(t *testing.T) {
			var b builder
			for i, until := range row.samples[1:] {
				cpu := float64(i + 1)
				b.load(Load{From: row.samples[i] * time.Millisecond, Until: until * time.Millisecond, ServerCPU: &cpu, GeneratorCPU: &cpu, ServerRSS: 1, Drops: 1})
			}
			b.finish(row.samples[len(row.samples)-1] * time.Millisecond)
			var cores []float64
			var drops uint64
			for _, p := range b.series().Points {
				require.NotNil(t, p.ServerCPU, "at %v", p.At)
				require.NotNil(t, p.GeneratorCPU, "at %v", p.At)
				assert.NotZero(t, p.ServerRSS)
				cores = append(cores, *p.ServerCPU)
				drops += p.Drops
			}
			assert.Equal(t, row.want, cores[:len(row.want)])
			assert.EqualValues(t, len(row.samples)-1, drops, "each is counted once")
		})
	}
}
