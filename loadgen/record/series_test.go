package record

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/earshot-audio/earshot/loadgen/metric"
)

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
		require.LessOrEqual(t, len(b.points), MaxPoints)
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
	assert.LessOrEqual(t, many, MaxPoints)
}

func frozen(all ...time.Duration) *metric.Frozen {
	var c metric.Counts
	for _, d := range all {
		c.Record(d)
	}
	return c.Freeze()
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
