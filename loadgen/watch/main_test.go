package watch

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/earshot-audio/earshot/loadgen"
	"github.com/earshot-audio/earshot/loadgen/host"
	"github.com/earshot-audio/earshot/loadgen/metric"
	"github.com/earshot-audio/earshot/loadgen/record"
	"github.com/earshot-audio/earshot/loadgen/report"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// about is what is known of a run beforehand.
func about() *loadgen.Result {
	return &loadgen.Result{Scenario: "a room", Driver: "earshot", Target: "http://127.0.0.1:1", Rooms: 1, Speakers: 1, Seats: 100, Environment: host.CurrentEnvironment()}
}

// snapshot is a run after so many seconds, with one of every metric that is
// known while it goes on.
func snapshot(seconds int) loadgen.Snapshot {
	s := loadgen.Snapshot{
		Progress: loadgen.Progress{Phase: "steady", Elapsed: time.Duration(seconds) * time.Second, Hold: time.Minute, Cast: 100, Joined: 100},
		Values:   metric.Values{}, Series: record.Series{Interval: time.Second},
	}
	latency := &metric.Trend{}
	for i := range 1000 {
		latency.Record(float64(i) / 100)
	}
	for _, name := range []string{"latency", "join_duration", "generator_lag", "latency{network:3g}"} {
		s.Values.Set(name, latency)
	}
	for _, name := range []string{"joined", "delivered", "unrecognised", "delivered{phase:steady,role:listener}"} {
		s.Values.Set(name, metric.Rate{Passes: 999, Total: 1000})
	}
	for _, network := range []string{"", "3g"} {
		s.Groups = append(s.Groups, record.Group{By: "network", Name: network, Values: metric.Values{"latency": latency, "delivered": metric.Rate{Passes: 999, Total: 1000}}})
	}
	for i := range seconds {
		server, own := 0.5, 0.25
		s.Series.Points = append(s.Series.Points, record.Point{
			At: time.Duration(i) * time.Second, Until: time.Duration(i+1) * time.Second,
			Delivered: metric.Rate{Passes: 4999, Total: 5000}, Latency: latency, Joined: 100,
			ServerCPU: &server, GeneratorCPU: &own, ServerRSS: 60 << 20, GeneratorRSS: 40 << 20, Drops: 1,
		})
	}
	s.Marks = []record.Mark{{Kind: record.MarkPhase, Name: record.Steady}, {At: 2 * time.Second, Kind: record.MarkEvent, Name: "promote 1 listener"}}
	return s
}

func thresholds(t *testing.T, pairs ...string) (all []metric.Threshold) {
	t.Helper()
	for i := 0; i < len(pairs); i += 2 {
		one, err := metric.ParseThreshold(pairs[i], pairs[i+1])
		require.NoError(t, err)
		all = append(all, one)
	}
	return all
}

// judged is the report of a run that has ended.
func judged(t *testing.T) *report.Report {
	t.Helper()
	run, s := about(), snapshot(10)
	run.Values, run.Series, run.Marks = s.Values, s.Series, s.Marks
	run.Began, run.Steady = time.Unix(0, 0), 8*time.Second
	return report.Judge(run, thresholds(t, "latency", "p(99) < 20ms"))
}
