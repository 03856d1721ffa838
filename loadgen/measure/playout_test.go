package measure

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"pgregory.net/rapid"
)

// fed is a play-out buffer that got a packet every 20 ms with the latencies
// given, and how many came too late.
func fed(p *playout, from time.Duration, latencies ...time.Duration) (late int) {
	for i, latency := range latencies {
		at := from + time.Duration(i)*BinLength + latency
		if _, tooLate := p.arrive(at, latency); tooLate {
			late++
		}
	}
	return late
}

func constant(n int, d time.Duration) []time.Duration {
	all := make([]time.Duration, n)
	for i := range all {
		all[i] = d
	}
	return all
}

func TestABufferOfASteadyNetworkWaitsForOneStep(t *testing.T) {
	var p playout
	assert.Zero(t, fed(&p, 0, constant(200, 5*time.Millisecond)...))
	assert.Equal(t, playoutStep, p.delay)
	assert.Equal(t, 5*time.Millisecond, p.base)
}

func TestABufferStartsWith80Milliseconds(t *testing.T) {
	var p playout
	played, late := p.arrive(0, 5*time.Millisecond)
	assert.False(t, late)
	assert.Equal(t, 85*time.Millisecond, played)
	_, late = p.arrive(20*time.Millisecond, 86*time.Millisecond)
	assert.True(t, late)
	assert.False(t, func() bool { _, late := p.arrive(40*time.Millisecond, 84*time.Millisecond); return late }())
}

func TestABufferGrowsWithJitterAndShrinksAgain(t *testing.T) {
	var p playout
	jittery := constant(1000, 5*time.Millisecond)
	for i := range jittery {
		if i%10 == 0 {
			jittery[i] = 150 * time.Millisecond
		}
	}
	late := fed(&p, 0, jittery...)
	assert.Equal(t, 160*time.Millisecond, p.delay, "145 ms above the fastest")
	assert.Less(t, late, 10, "they come too late only until the buffer knows of them")
	fed(&p, 20*time.Second, constant(20_000, 5*time.Millisecond)...)
	assert.Equal(t, playoutStep, p.delay)
}

func TestOneSpikeInAMinuteIsNotWaitedFor(t *testing.T) {
	var p playout
	steady := constant(3000, 5*time.Millisecond)
	steady[1500] = 500 * time.Millisecond
	assert.Equal(t, 1, fed(&p, 0, steady...))
	assert.Equal(t, playoutStep, p.delay)
}

func TestASlowerPathIsTheMeasureOnceTheFasterIsForgotten(t *testing.T) {
	var p playout
	fed(&p, 0, constant(500, 5*time.Millisecond)...)
	late := fed(&p, 10*time.Second, constant(500, 205*time.Millisecond)...)
	assert.Equal(t, 205*time.Millisecond, p.base)
	assert.InDelta(t, 15, late, 10, "its packets are late until the next sample")
}

func TestAfterALongSilenceABufferMeasuresAnew(t *testing.T) {
	var p playout
	fed(&p, 0, constant(500, 5*time.Millisecond)...)
	_, late := p.arrive(time.Minute, 300*time.Millisecond)
	assert.False(t, late)
	assert.Equal(t, 300*time.Millisecond, p.base)
}

// Whatever comes: the fastest packets are played, what is played is not late,
// and the delay is a step of the buffer's.
func TestABufferKeepsItsPromises(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		var p playout
		at := time.Duration(0)
		for range rapid.IntRange(1, 200).Draw(rt, "packets") {
			at += time.Duration(rapid.Int64Range(-int64(time.Second), int64(3*time.Second)).Draw(rt, "step"))
			at = max(at, 0)
			latency := time.Duration(rapid.Int64Range(-int64(time.Millisecond), int64(5*time.Second)).Draw(rt, "latency"))
			played, late := p.arrive(at, latency)
			assert.Equal(rt, latency > played, late)
			assert.LessOrEqual(rt, p.base, latency)
			assert.Equal(rt, p.base+p.delay, played)
			assert.Zero(rt, p.delay%playoutStep)
			assert.True(rt, p.delay >= playoutStep && p.delay <= playoutSteps*playoutStep)
		}
	})
}
