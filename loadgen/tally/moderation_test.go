package tally

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

// had is how long an act may take.
const had = 10 * time.Second

func TestModerationDurationsAreWithoutStallsAtBest(t *testing.T) {
	const second = time.Second
	for _, c := range []struct {
		sentence    string
		took        Interval
		stalled     [2]time.Duration
		worst, best float64
	}{
		{"nothing was in the way", Interval{From: second, Until: 2 * second}, [2]time.Duration{}, 1000, 1000},
		{"the generator did not run meanwhile", Interval{From: second, Until: 2 * second}, [2]time.Duration{1300 * time.Millisecond, 1700 * time.Millisecond}, 1000, 600},
		{"it did not run before", Interval{From: second, Until: 2 * second}, [2]time.Duration{0, 900 * time.Millisecond}, 1000, 1000},
		{"it came to nothing by the server's doing", Interval{From: second, Until: 1010 * time.Millisecond, Failed: true, Had: had}, [2]time.Duration{0, 1020 * time.Millisecond}, 10_000, 10_000},
		{"it came to nothing while the generator hardly ran", Interval{From: second, Until: 11 * second, Failed: true, Had: had}, [2]time.Duration{2 * second, 10 * second}, 10_000, 2000},
		{"another process, whose clock may be wrong by 40 ms, heard the end", Interval{From: second, Until: 2 * second, Clocks: 40 * time.Millisecond}, [2]time.Duration{}, 1040, 960},
		{"that is longer than it took", Interval{From: second, Until: 1020 * time.Millisecond, Clocks: 40 * time.Millisecond}, [2]time.Duration{}, 60, 0},
		{"nobody spoke for a part of it", Interval{From: second, Until: 3 * second, Quiet: 500 * time.Millisecond}, [2]time.Duration{}, 1500, 1500},
		{"packets that may be the first that was heard could not be told from others", Interval{From: second, Until: 3 * second, Ambiguous: true}, [2]time.Duration{}, 2000, 0},
		{"nobody was heard, or some of them were and could not be told from others", Interval{From: second, Until: 11 * second, Failed: true, Had: had, Ambiguous: true}, [2]time.Duration{}, 10_000, 0},
		{"the run ended first: it may take any time from then on", Interval{From: second, Until: 3 * second, Unfinished: true, Had: had}, [2]time.Duration{}, 10_000, 2000},
	} {
		t.Run(c.sentence, func(t *testing.T) {
			for _, of := range []struct {
				name   string
				record func(*Moderation, Interval)
			}{
				{"promote_duration", (*Moderation).Promoted}, {"reconnect_duration", (*Moderation).Reconnected},
				{"reconnect_duration", (*Moderation).Reopened},
			} {
				name := of.name
				a := record.NewAggregator()
				a.Doubt(doubt.Stalled, c.stalled[0], c.stalled[1])
				m, worst, best := &Moderation{}, metric.Values{}, metric.Values{}
				of.record(m, c.took)
				m.Durations(&a.Doubts, worst, best)
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
	for name, record := range map[string]func(*Moderation, Interval){
		"promote_duration": (*Moderation).Promoted, "reconnect_duration": (*Moderation).Reconnected, "reconnect_duration, of an ear": (*Moderation).Reopened,
	} {
		t.Run(name, func(t *testing.T) {
			m, worst, best := &Moderation{}, metric.Values{}, metric.Values{}
			record(m, Interval{From: 8 * time.Second, Until: 9 * time.Second})
			m.End(10 * time.Second)
			record(m, Interval{From: 9500 * time.Millisecond, Until: 11 * time.Second})
			record(m, Interval{From: 10 * time.Second, Until: 11 * time.Second, Unfinished: true, Had: had})
			m.Durations(&doubt.Register{}, worst, best)
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
	m := &Moderation{unplayed: map[string]uint64{"promote_duration": 2, "mute_silence": 1, "kick_silence": 1}}
	m.Promoted(Interval{From: time.Second, Until: 2 * time.Second})
	m.Silenced(scenario.Mute.Spec(), Passed{3, 2})
	worst, best := metric.Values{}, metric.Values{}
	m.Durations(&doubt.Register{}, worst, best)
	m.Packets(worst, best)
	for name, want := range map[string][2]uint64{"promote_duration": {1, 3}, "mute_silence": {1, 2}} {
		assert.Equal(t, want[0], worst[name].(*metric.Trend).Count(), name)
		assert.Equal(t, want[1], best[name].(*metric.Trend).Count(), name)
		assert.Zero(t, best[name].(*metric.Trend).Summary().Min, name)
	}
	assert.NotContains(t, worst, "kick_silence", "there is no data")
	again := metric.Values{}
	m.Packets(again, metric.Values{})
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
		order       SilenceOrder
		slowed      time.Duration
		dropped     uint64
		worst, best int
	}{
		{"nothing passes", []time.Duration{990 * ms}, SilenceOrder{1000 * ms, 1010 * ms}, 0, 0, 0, 0},
		{"what was planned before the acknowledgement may", []time.Duration{1005 * ms}, SilenceOrder{1000 * ms, 1010 * ms}, 0, 0, 0, 0},
		{"what was planned after it may not", []time.Duration{1005 * ms, 1020 * ms}, SilenceOrder{1000 * ms, 1010 * ms}, 0, 0, 1, 1},
		{"a stop of the generator hides when it was acknowledged", []time.Duration{1100 * ms, 1300 * ms}, SilenceOrder{1000 * ms, 1210 * ms}, 200 * ms, 0, 2, 1},
		{"a stop before the order does not", []time.Duration{990 * ms, 1005 * ms}, SilenceOrder{1000 * ms, 1010 * ms}, time.Second, 0, 1, 0},
		{"what its sockets dropped may have been heard", nil, SilenceOrder{1000 * ms, 1010 * ms}, 0, 3, 3, 0},
		{"but no more than was sent", []time.Duration{1020 * ms}, SilenceOrder{1000 * ms, 1010 * ms}, 0, 1000, 50, 1},
	} {
		t.Run(c.sentence, func(t *testing.T) {
			assert.Equal(t, Passed{c.worst, c.best}, c.order.Count(planned(c.heard...), c.slowed, time.Second, c.dropped))
		})
	}
}

// Who is not silenced goes on talking: that is no fault of a generator that ran.
func TestSilenceOrderThatCameToNothingCountsAllThatIsPlanned(t *testing.T) {
	const second = time.Second
	for _, c := range []struct {
		sentence string
		order    Interval
		stalled  [2]time.Duration
		got      Passed
	}{
		{"it was refused at once", Interval{From: second, Until: 1010 * time.Millisecond, Refused: true}, [2]time.Duration{}, Passed{50, 50}},
		{"it was refused while others had the cores", Interval{From: second, Until: 1900 * time.Millisecond, Refused: true}, [2]time.Duration{second, 2 * second}, Passed{50, 50}},
		{"it was refused after the generator had stood still for long", Interval{From: 60 * second, Until: 61 * second, Refused: true}, [2]time.Duration{10 * second, 50 * second}, Passed{50, 0}},
		{"it was never answered", Interval{From: second, Until: 11 * second}, [2]time.Duration{}, Passed{50, 50}},
		{"the generator hardly ran meanwhile", Interval{From: second, Until: 11 * second}, [2]time.Duration{2 * second, 10 * second}, Passed{50, 0}},
	} {
		t.Run(c.sentence, func(t *testing.T) {
			a := record.NewAggregator()
			a.Doubt(doubt.Stalled, c.stalled[0], c.stalled[1])
			c.order.Failed, c.order.Had = true, had
			assert.Equal(t, c.got, NeverSilenced(c.order, &a.Doubts))
		})
	}
}
