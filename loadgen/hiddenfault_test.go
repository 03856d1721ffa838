package loadgen

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/earshot-audio/earshot/loadgen/metric"
	"github.com/earshot-audio/earshot/loadgen/timebase"
)

// A serverFault is what is wrong with the server of a run, all the time.
type serverFault struct {
	name string
	// loses reports whether listener i lacks the frame of a bin, and late how much later it comes.
	loses func(i int, b timebase.Bin) bool
	late  func(b timebase.Bin) time.Duration
	// slow is by how much what is asked of it takes longer, and wait by how much a round trip does.
	slow, wait time.Duration
	// refused is how many more people want to listen.
	refused int
	copies  bool // of all packets
	// lost is how many of a mic's thousand packets it loses, and jitter what it sees.
	lost   uint64
	jitter time.Duration
	// crossed are the thresholds that must fail.
	crossed map[string]string
}

func soundServer() serverFault {
	return serverFault{
		name:  "sound",
		loses: func(int, timebase.Bin) bool { return false },
		late:  func(timebase.Bin) time.Duration { return 0 },
	}
}

// serverFaults are faults that nobody could miss, several at a time.
func serverFaults() []serverFault {
	lossy, broken, late := soundServer(), soundServer(), soundServer()
	lossy.name, lossy.lost, lossy.slow, lossy.wait = "loses a fifth, and answers after 5 s", 200, 5*time.Second, 500*time.Millisecond
	lossy.loses = func(i int, b timebase.Bin) bool { return (int(b)+i)%5 == 0 }
	lossy.crossed = map[string]string{
		"delivered": "rate >= 0.95", "loss": "p(50) < 5", "recovered": "rate >= 0.95", "mos": "p(50) > 4.2", "mos_worst": "p(50) > 4.2",
		"concealed": "p(50) < 2", "mic_loss": "p(50) < 5", "audio_gap": "p(50) < 35ms",
		"join_duration": "p(50) < 1s", "join_step": "p(50) < 1s", "rtt": "p(50) < 200ms", "mic_rtt": "p(50) < 200ms", "publish_duration": "max < 1s",
		"promote_duration": "p(50) < 1s", "reconnect_duration": "p(50) < 1s",
	}
	broken.name, broken.refused, broken.copies = "silent for a fifth of each second, refuses half, and sends all twice", 4, true
	broken.loses = func(_ int, b timebase.Bin) bool { return b%50 < 10 }
	broken.crossed = map[string]string{
		"delivered": "rate >= 0.95", "mos": "p(50) > 4.2", "mos_worst": "p(50) > 4.2", "concealed": "p(50) < 2",
		"gaps_per_minute": "p(90) < 10", "frozen_time": "p(50) < 500ms", "audio_gap": "p(50) < 100ms", "joined": "rate > 0.7", "duplicates": "count < 100",
	}
	late.name, late.jitter = "300 ms late, and by 120 ms more every other time", 60*time.Millisecond
	late.late = func(b timebase.Bin) time.Duration { return time.Duration(300+b%2*120) * time.Millisecond }
	late.crossed = map[string]string{
		"latency": "p(50) < 200ms", "latency_listener": "p(50) < 200ms", "mos": "p(50) > 4.4",
		"jitter": "p(50) < 20ms", "mic_jitter": "p(50) < 20ms", "out_of_order": "count < 100",
	}
	return []serverFault{lossy, broken, late}
}

// undecidedAfter is from which length of a generator's fault on a metric may be undecided, of 20 s.
func undecidedAfter(name string) time.Duration {
	switch name {
	case "mic_rtt", "mic_jitter": // a mean of few checks, or reports
		return 3 * time.Second
	case "gaps_per_minute": // what was played for five seconds after it is in doubt
		return 3 * time.Second
	}
	return time.Hour
}

// TestNoFaultOfTheGeneratorHidesOneOfTheServer is the other side of
// TestEveryMetricIsInDoubtWhereTheGeneratorIsAtFault: a generator that was at fault for a part of the time does not
// excuse a server that was all the time.
func TestNoFaultOfTheGeneratorHidesOneOfTheServer(t *testing.T) {
	for _, s := range serverFaults() {
		var thresholds []metric.Threshold
		for name, expression := range s.crossed {
			th, err := metric.ParseThreshold(name, expression)
			require.NoError(t, err)
			thresholds = append(thresholds, th)
		}
		slices.SortFunc(thresholds, func(a, b metric.Threshold) int { return strings.Compare(a.Metric, b.Metric) })
		for _, lasting := range []time.Duration{time.Second, 3 * time.Second} {
			for _, f := range append(sufferedFaults(8380*time.Millisecond, lasting), pausedMachine(8380*time.Millisecond, lasting)) {
				t.Run(fmt.Sprintf("%s, %s for %v", s.name, f.name, lasting), func(t *testing.T) {
					result := sufferBoth(t, f, s, thresholds)
					for _, th := range thresholds {
						is := th.EvaluateBetween(result.Values, result.Best)
						switch {
						case is.OK != nil:
							assert.False(t, *is.OK, "%s passes, of a server that is at fault: %s", th, figures(is))
						case lasting < undecidedAfter(th.Metric):
							assert.Fail(t, "undecided", "%s, of a server that is at fault: %s", th, figures(is))
						}
					}
				})
			}
		}
	}
}
