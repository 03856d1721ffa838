package loadgen

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/earshot-audio/earshot/loadgen/doubt"
	"github.com/earshot-audio/earshot/loadgen/metric"
	"github.com/earshot-audio/earshot/loadgen/record"
	"github.com/earshot-audio/earshot/loadgen/scenario"
)

func TestModerationDurationsAreWithoutStallsAtBest(t *testing.T) {
	const second = time.Second
	for _, c := range []struct {
		sentence    string
		took        interval
		stalled     [2]time.Duration
		worst, best float64
	}{
		{"nothing was in the way", interval{from: second, until: 2 * second}, [2]time.Duration{}, 1000, 1000},
		{"the generator did not run meanwhile", interval{from: second, until: 2 * second}, [2]time.Duration{1300 * time.Millisecond, 1700 * time.Millisecond}, 1000, 600},
		{"it did not run before", interval{from: second, until: 2 * second}, [2]time.Duration{0, 900 * time.Millisecond}, 1000, 1000},
		{"it came to nothing by the server's doing", interval{from: second, until: 1010 * time.Millisecond, failed: true, had: actTimeout}, [2]time.Duration{0, 1020 * time.Millisecond}, 10_000, 10_000},
		{"it came to nothing while the generator hardly ran", interval{from: second, until: 11 * second, failed: true, had: actTimeout}, [2]time.Duration{2 * second, 10 * second}, 10_000, 2000},
		{"another process, whose clock may be wrong by 40 ms, heard the end", interval{from: second, until: 2 * second, clocks: 40 * time.Millisecond}, [2]time.Duration{}, 1040, 960},
		{"that is longer than it took", interval{from: second, until: 1020 * time.Millisecond, clocks: 40 * time.Millisecond}, [2]time.Duration{}, 60, 0},
		{"nobody spoke for a part of it", interval{from: second, until: 3 * second, quiet: 500 * time.Millisecond}, [2]time.Duration{}, 1500, 1500},
		{"packets that may be the first that was heard could not be told from others", interval{from: second, until: 3 * second, ambiguous: true}, [2]time.Duration{}, 2000, 0},
		{"nobody was heard, or some of them were and could not be told from others", interval{from: second, until: 11 * second, failed: true, had: actTimeout, ambiguous: true}, [2]time.Duration{}, 10_000, 0},
		{"the run ended first: it may take any time from then on", interval{from: second, until: 3 * second, unfinished: true, had: actTimeout}, [2]time.Duration{}, 10_000, 2000},
	} {
		t.Run(c.sentence, func(t *testing.T) {
			for _, of := range []struct {
				name   string
				record func(*moderationStats, interval)
			}{
				{"promote_duration", (*moderationStats).promoted}, {"reconnect_duration", (*moderationStats).reconnected},
				{"reconnect_duration", (*moderationStats).reopened},
			} {
				name := of.name
				a := record.NewAggregator()
				a.Doubt(doubt.Stalled, c.stalled[0], c.stalled[1])
				m, worst, best := &moderationStats{}, metric.Values{}, metric.Values{}
				of.record(m, c.took)
				m.durations(&a.Doubts, worst, best)
				assert.InDelta(t, c.worst, worst[name].(*metric.Trend).Summary().Max, 0.01)
				if c.best == c.worst {
					assert.NotContains(t, best, name)
				} else {
					assert.InDelta(t, c.best, best[name].(*metric.Trend).Summary().Max, 0.01)
				}
			}
		})
	}
}

func TestModerationRecordsWhatBeganInTheMeasuredTime(t *testing.T) {
	for name, record := range map[string]func(*moderationStats, interval){
		"promote_duration": (*moderationStats).promoted, "reconnect_duration": (*moderationStats).reconnected, "reconnect_duration, of an ear": (*moderationStats).reopened,
	} {
		t.Run(name, func(t *testing.T) {
			m, worst, best := &moderationStats{}, metric.Values{}, metric.Values{}
			record(m, interval{from: 8 * time.Second, until: 9 * time.Second})
			m.end(10 * time.Second)
			record(m, interval{from: 9500 * time.Millisecond, until: 11 * time.Second})
			record(m, interval{from: 10 * time.Second, until: 11 * time.Second, unfinished: true, had: actTimeout})
			m.durations(&doubt.Register{}, worst, best)
			require.Len(t, worst, 1)
			for _, v := range worst {
				assert.EqualValues(t, 2, v.(*metric.Trend).Count())
				assert.InDelta(t, 1500, v.(*metric.Trend).Summary().Max, 1, "and not ten seconds")
			}
		})
	}
}

// An act that nobody was there for is one more at best, if the generator may have kept them away.
func TestModerationCountsActsThatTheGeneratorPrevented(t *testing.T) {
	m := &moderationStats{unplayed: map[string]uint64{"promote_duration": 2, "mute_silence": 1, "kick_silence": 1}}
	m.promoted(interval{from: time.Second, until: 2 * time.Second})
	m.silenced("mute_silence", passed{3, 2})
	worst, best := metric.Values{}, metric.Values{}
	m.durations(&doubt.Register{}, worst, best)
	m.packets(worst, best)
	for name, want := range map[string][2]uint64{"promote_duration": {1, 3}, "mute_silence": {1, 2}} {
		assert.Equal(t, want[0], worst[name].(*metric.Trend).Count(), name)
		assert.Equal(t, want[1], best[name].(*metric.Trend).Count(), name)
		assert.Zero(t, best[name].(*metric.Trend).Summary().Min, name)
	}
	assert.NotContains(t, worst, "kick_silence", "there is no data")
	again := metric.Values{}
	m.packets(again, metric.Values{})
	assert.Equal(t, worst["mute_silence"].(*metric.Trend).Summary(), again["mute_silence"].(*metric.Trend).Summary(), "it can be asked for again")
}

func TestEveryVerbThatIsMeasuredHasAMetric(t *testing.T) {
	for verb, name := range map[scenario.Verb]string{
		scenario.Promote: "promote_duration", scenario.AcceptStage: "promote_duration", scenario.Mute: "mute_silence", scenario.Demote: "mute_silence",
		scenario.Kick: "kick_silence", scenario.Ban: "kick_silence", scenario.Reconnect: "reconnect_duration", scenario.RaiseHand: "",
	} {
		assert.Equal(t, name, metricOf(verb.Spec()), verb)
	}
}

func TestSilenceOrderCountsWhatMayHavePassed(t *testing.T) {
	planned := func(all ...time.Duration) func(time.Duration) int {
		return func(after time.Duration) (n int) {
			for _, at := range all {
				if at > after {
					n++
				}
			}
			return n
		}
	}
	const ms = time.Millisecond
	for _, c := range []struct {
		sentence    string
		heard       []time.Duration
		order       silenceOrder
		slowed      time.Duration
		dropped     uint64
		worst, best int
	}{
		{"nothing passes", []time.Duration{990 * ms}, silenceOrder{1000 * ms, 1010 * ms}, 0, 0, 0, 0},
		{"what was planned before the acknowledgement may", []time.Duration{1005 * ms}, silenceOrder{1000 * ms, 1010 * ms}, 0, 0, 0, 0},
		{"what was planned after it may not", []time.Duration{1005 * ms, 1020 * ms}, silenceOrder{1000 * ms, 1010 * ms}, 0, 0, 1, 1},
		{"a stop of the generator hides when it was acknowledged", []time.Duration{1100 * ms, 1300 * ms}, silenceOrder{1000 * ms, 1210 * ms}, 200 * ms, 0, 2, 1},
		{"a stop before the order does not", []time.Duration{990 * ms, 1005 * ms}, silenceOrder{1000 * ms, 1010 * ms}, time.Second, 0, 1, 0},
		{"what its sockets dropped may have been heard", nil, silenceOrder{1000 * ms, 1010 * ms}, 0, 3, 3, 0},
		{"but no more than was sent", []time.Duration{1020 * ms}, silenceOrder{1000 * ms, 1010 * ms}, 0, 1000, 50, 1},
	} {
		t.Run(c.sentence, func(t *testing.T) {
			assert.Equal(t, passed{c.worst, c.best}, c.order.count(planned(c.heard...), c.slowed, time.Second, c.dropped))
		})
	}
}

// Who is not silenced goes on talking: that is no fault of a generator that ran.
func TestSilenceOrderThatCameToNothingCountsAllThatIsPlanned(t *testing.T) {
	const second = time.Second
	for _, c := range []struct {
		sentence string
		order    interval
		stalled  [2]time.Duration
		got      passed
	}{
		{"it was refused at once", interval{from: second, until: 1010 * time.Millisecond, refused: true}, [2]time.Duration{}, passed{50, 50}},
		{"it was refused while others had the cores", interval{from: second, until: 1900 * time.Millisecond, refused: true}, [2]time.Duration{second, 2 * second}, passed{50, 50}},
		{"it was refused after the generator had stood still for long", interval{from: 60 * second, until: 61 * second, refused: true}, [2]time.Duration{10 * second, 50 * second}, passed{50, 0}},
		{"it was never answered", interval{from: second, until: 11 * second}, [2]time.Duration{}, passed{50, 50}},
		{"the generator hardly ran meanwhile", interval{from: second, until: 11 * second}, [2]time.Duration{2 * second, 10 * second}, passed{50, 0}},
	} {
		t.Run(c.sentence, func(t *testing.T) {
			a := record.NewAggregator()
			a.Doubt(doubt.Stalled, c.stalled[0], c.stalled[1])
			c.order.failed, c.order.had = true, actTimeout
			assert.Equal(t, c.got, neverSilenced(c.order, &a.Doubts))
		})
	}
}
