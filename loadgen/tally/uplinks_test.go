package tally

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/earshot-audio/earshot/loadgen/doubt"
	"github.com/earshot-audio/earshot/loadgen/feedback"
	"github.com/earshot-audio/earshot/loadgen/metric"
	"github.com/earshot-audio/earshot/loadgen/record"
	"github.com/earshot-audio/earshot/loadgen/timebase"
	"github.com/earshot-audio/earshot/signaling/wire"
)

// What a mic comes to if all that is in doubt was the server's doing, and if none of it was.
func TestUplinksAreBetweenWorstAndBest(t *testing.T) {
	const second = time.Second
	timeout, refusal := errors.New("nothing came"), fmt.Errorf("offer: %w", wire.Error{Code: "room_full"})
	reported := feedback.Upstream{Sent: 1000, Covered: 1000, Lost: 20, Jitter: 8 * time.Millisecond, NACKs: 3}
	stale := feedback.Upstream{Sent: 1000, Covered: 400}
	none := [2]time.Duration{}
	for _, c := range []struct {
		sentence string
		uplink   *Uplink
		stalled  [2]time.Duration // when the generator did not run
		dropped  uint64           // by its machine
		worst    map[string]float64
		best     map[string]float64 // where it differs
		mics     Mics
	}{
		{
			"a mic that opened and stayed",
			&Uplink{from: second, until: 2 * second, open: true, closed: &Ending{At: 30 * second, upstream: reported, RTT: 40 * time.Millisecond, Checks: 10}},
			none, 0,
			map[string]float64{"published": 1, "publish_duration": 1000, "mic_rtt": 40, "mic_loss": 2, "mic_jitter": 8, "mic_nacks": 3}, nil,
			Mics{Opened: 1, Connected: 1, Reported: 1},
		},
		{
			"the generator did not run while it opened",
			&Uplink{from: second, until: 2 * second, open: true, closed: &Ending{At: 30 * second, upstream: reported, RTT: 40 * time.Millisecond, Checks: 20}},
			[2]time.Duration{1300 * time.Millisecond, 1700 * time.Millisecond}, 0,
			map[string]float64{"published": 1, "publish_duration": 1000, "mic_rtt": 40},
			map[string]float64{"publish_duration": 600, "mic_rtt": 0},
			Mics{Opened: 1, Connected: 1, Reported: 1},
		},
		{
			"its machine dropped some of what the server did not receive",
			&Uplink{from: second, until: 2 * second, open: true, closed: &Ending{At: 30 * second, upstream: reported}},
			none, 15, map[string]float64{"mic_loss": 2}, map[string]float64{"mic_loss": 0.5},
			Mics{Opened: 1, Connected: 1, Reported: 1},
		},
		{
			"its frames went out unevenly",
			&Uplink{from: second, until: 2 * second, open: true, closed: &Ending{At: 30 * second, upstream: reported, OwnJitter: 5 * time.Millisecond}},
			none, 0, map[string]float64{"mic_jitter": 8}, map[string]float64{"mic_jitter": 3},
			Mics{Opened: 1, Connected: 1, Reported: 1},
		},
		{
			"the server has stopped reporting",
			&Uplink{from: second, until: 2 * second, open: true, closed: &Ending{At: 30 * second, upstream: stale}},
			none, 0, map[string]float64{"published": 1, "mic_loss": -1, "mic_jitter": -1, "mic_rtt": -1}, nil,
			Mics{Opened: 1, Connected: 1},
		},
		{
			"the server ended it",
			&Uplink{from: second, until: 2 * second, open: true, closed: &Ending{At: 30 * second, Lost: true, LostAt: 20 * second, upstream: reported}},
			none, 0, map[string]float64{"published": 0, "publish_duration": 1000}, nil,
			Mics{Opened: 1, Connected: 1, Ended: 1, Reported: 1},
		},
		{
			"it was lost after the measuring had ended",
			&Uplink{from: second, until: 2 * second, open: true, closed: &Ending{At: 60 * second, Lost: true, LostAt: 51 * second, upstream: reported}},
			none, 0, map[string]float64{"published": 1, "publish_duration": 1000}, nil,
			Mics{Opened: 1, Connected: 1, Reported: 1},
		},
		{
			"the generator hardly ran before it was lost",
			&Uplink{from: second, until: 2 * second, open: true, closed: &Ending{At: 30 * second, Lost: true, LostAt: 20 * second, upstream: reported}},
			[2]time.Duration{12 * second, 19 * second}, 0, map[string]float64{"published": 0}, map[string]float64{"published": 1},
			Mics{Opened: 1, Connected: 1, Ended: 1, Reported: 1},
		},
		{
			"the server refused it, whatever the generator did",
			&Uplink{from: second, until: 3 * second, err: refusal}, [2]time.Duration{second, 3 * second}, 0,
			map[string]float64{"published": 0, "publish_duration": 10_000, "mic_nacks": -1}, nil,
			Mics{Opened: 1},
		},
		{
			"it came to nothing",
			&Uplink{from: second, until: 11 * second, err: timeout}, none, 0,
			map[string]float64{"published": 0, "publish_duration": 10_000}, nil,
			Mics{Opened: 1},
		},
		{
			"it came to nothing while the generator hardly ran",
			&Uplink{from: second, until: 11 * second, err: timeout}, [2]time.Duration{2 * second, 10 * second}, 0,
			map[string]float64{"published": 0, "publish_duration": 10_000}, map[string]float64{"published": 1, "publish_duration": 2000},
			Mics{Opened: 1},
		},
	} {
		t.Run(c.sentence, func(t *testing.T) {
			a := record.NewAggregator()
			a.Doubt(doubt.Stalled, c.stalled[0], c.stalled[1])
			us, worst, best := &Uplinks{had: 10 * second, all: []*Uplink{c.uplink}}, metric.Values{}, metric.Values{}
			us.End(50 * second)
			sum := us.Sum(&a.Doubts, c.dropped)
			sum.publish(worst, best)
			assert.Equal(t, c.mics, sum.Mics)
			for name, want := range c.worst {
				assert.InDelta(t, want, figureOf(worst[name]), 0.01, name)
				if _, differs := c.best[name]; !differs {
					assert.NotContains(t, best, name)
				}
			}
			for name, want := range c.best {
				assert.InDelta(t, want, figureOf(best[name]), 0.01, name)
			}
		})
	}
}

// figureOf is the only figure of a metric; -1 if there is none.
func figureOf(v metric.Value) float64 {
	switch v := v.(type) {
	case metric.Rate:
		return v.Share()
	case metric.Counter:
		return float64(v)
	case *metric.Trend:
		return v.Summary().Max
	}
	return -1
}

// The server's jitter is the generator's and the network's: the generator's own is known, so
// that it can be told from the other.
func TestLatenessIsAtLeastTheJitterOfTheFrames(t *testing.T) {
	var even, uneven, slow Lateness
	for i := range 400 {
		even.Enter(time.Millisecond, time.Millisecond)
		uneven.Enter(time.Duration(i%2)*4*time.Millisecond, time.Duration(i%2)*4*time.Millisecond)
		slow.Enter(0, 2*time.Millisecond)
	}
	assert.Zero(t, even.Jitter())
	assert.InDelta(t, float64(4*time.Millisecond), float64(uneven.Jitter()), float64(time.Microsecond), "RFC 3550's jitter tends to the difference")
	assert.InDelta(t, float64(2*time.Millisecond), float64(slow.Jitter()), float64(time.Microsecond), "when a frame left is not known")
}

// For any waits of a server, its reports say no more jitter on average than jitterOfWaits.
func TestJitterOfWaitsIsTheMost(t *testing.T) {
	const run = 20 * time.Second
	rapid.Check(t, func(rt *rapid.T) {
		every := rapid.SampledFrom([]time.Duration{500 * time.Millisecond, time.Second, 5 * time.Second}).Draw(rt, "every")
		phase := rapid.Int64Range(0, int64(every)-1).Draw(rt, "phase")
		var waits [][2]time.Duration // from, until
		var together time.Duration
		for at := time.Duration(0); at < run; {
			at += time.Duration(rapid.Int64Range(0, int64(5*time.Second)).Draw(rt, "apart"))
			d := time.Duration(rapid.Int64Range(0, int64(2*time.Second)).Draw(rt, "wait"))
			waits, together = append(waits, [2]time.Duration{at, at + d}), together+d
			at += d
		}
		var jitter, transit, sum time.Duration
		reports, next := uint64(0), time.Duration(phase)
		for sent := time.Duration(0); sent < run; sent += timebase.BinLength {
			came := sent
			for _, w := range waits {
				if came >= w[0] && came < w[1] {
					came = w[1]
				}
			}
			for ; next < came && next < run; next += every {
				sum, reports = sum+jitter, reports+1
			}
			jitter += ((came - sent - transit).Abs() - jitter) / 16
			transit = came - sent
		}
		for ; next < run; next += every {
			sum, reports = sum+jitter, reports+1
		}
		require.LessOrEqual(rt, sum/time.Duration(reports), jitterOfWaits(together, run, reports)+time.Microsecond)
	})
}
