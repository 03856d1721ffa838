package coordinator

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/earshot-audio/earshot/loadgen/ledger"
	"github.com/earshot-audio/earshot/loadgen/link"
	"github.com/earshot-audio/earshot/loadgen/metric"
	"github.com/earshot-audio/earshot/loadgen/problem"
	"github.com/earshot-audio/earshot/loadgen/process"
	"github.com/earshot-audio/earshot/loadgen/record"
	"github.com/earshot-audio/earshot/loadgen/scenario"
	"github.com/earshot-audio/earshot/loadgen/scoreboard"
	"github.com/earshot-audio/earshot/loadgen/tally"
	"github.com/earshot-audio/earshot/loadgen/timebase"
	"github.com/earshot-audio/earshot/loadgen/usage"
)

// noHub is a hub that carries nothing.
type noHub struct{ link.Hub }

func (noHub) Overrun() error       { return nil }
func (noHub) Send(link.News) error { return nil }

// A worker that ends since it heard nothing says so. Whose fault that was the coordinator knows
// by what it told.
func TestWorkerThatHeardNothingIsBlamedRightly(t *testing.T) {
	const gone = 3 * time.Second
	for _, c := range []struct {
		sentence    string
		silent, ago time.Duration // of the coordinator, and when it ended
		report      link.Report
		coordinator bool
		says        string
	}{
		{"the coordinator spoke, and the worker did not hear", 200 * time.Millisecond, 0, link.Report{Failed: "lost", Deaf: true}, false, "it heard nothing of the coordinator for 3s"},
		{"the coordinator paused nearly as long, and the rest was on the way", 2 * time.Second, gone, link.Report{Failed: "lost", Deaf: true}, true, "it told the workers nothing for 2s"},
		{"that was long ago", 2 * time.Second, time.Minute, link.Report{Failed: "lost", Deaf: true}, false, "it heard nothing"},
		{"it paused as long, and the worker only fell silent", link.LostAfter, gone, link.Report{Failed: "the disk is full", Done: true}, true, "it told the workers nothing for 3s"},
		{"it paused for less, which ends no worker that does not say so", 2 * time.Second, gone, link.Report{Failed: "the disk is full", Done: true}, false, "the disk is full"},
		{"a worker that ends for another reason says it before it has left", 0, 0, link.Report{Failed: "2 of its messages did not come"}, false, "2 of its messages"},
	} {
		t.Run(c.sentence, func(t *testing.T) {
			co := &coordinator{
				Scoreboard: scoreboard.New(scoreboard.Config{Scenario: &scenario.Scenario{}}, timebase.NewClock(), problem.NewCounter()), hub: noHub{},
				workers: []*workerState{{Worker: scoreboard.Worker{WorkerInfo: link.WorkerInfo{Name: "1 (one)"}}, offered: map[string]bool{}}},
				sent:    time.Now(), paused: silentTime{c.silent, time.Now().Add(-c.ago)},
			}
			co.merger = record.NewMerger(co.Aggregator, []string{"a"})
			require.NoError(t, co.take(0, co.workers[0], c.report))
			w := co.workers[0]
			assert.True(t, w.gone())
			assert.Equal(t, c.coordinator, w.cut)
			assert.Equal(t, c.coordinator, w.Lost == "")
			assert.Contains(t, w.Lost+co.trouble, c.says)
			assert.NotEmpty(t, co.stopping, "the others see their people out")
		})
	}
}

// played is a coordinator in whose run two workers have ended the measuring, which is now.
func played(t *testing.T, now time.Duration) *coordinator {
	t.Helper()
	threshold, err := metric.ParseThreshold("generator_drops", "count < 1")
	require.NoError(t, err)
	threshold.AbortOnFail = true
	s := &scenario.Scenario{Hold: scenario.Duration(10 * time.Second), Thresholds: []metric.Threshold{threshold}}
	co := &coordinator{
		Scoreboard: scoreboard.New(scoreboard.Config{Scenario: s}, timebase.NewClockSince(time.Now().Add(-now)), problem.NewCounter()), hub: noHub{}, lag: &metric.Trend{}, offers: map[string][][]byte{},
	}
	for _, name := range []string{"1 (one)", "2 (two)"} {
		co.workers = append(co.workers, &workerState{Worker: scoreboard.Worker{WorkerInfo: link.WorkerInfo{Name: name}}, offered: map[string]bool{}})
	}
	co.merger = record.NewMerger(co.Aggregator, []string{"a", "b"})
	co.Self = func() (*metric.Trend, uint64) { return co.lag, tally.Total(co.tallies(), []string{"a", "b"}).Lost }
	return co
}

// offer is what both workers offer under a key.
func offer(at time.Duration) [][]byte {
	one := fmt.Appendf(nil, `{"at": %d, "agreed": true}`, at)
	return [][]byte{one, one}
}

// TestCoordinatorCountsTheMeasuredTime: what workers and server do before the agreed begin and after the agreed end counts
// for nothing, whenever it is told.
func TestCoordinatorCountsTheMeasuredTime(t *testing.T) {
	const begin, end = 10 * time.Second, 30 * time.Second
	cpu := 1.0
	for _, c := range []struct {
		sentence string
		now      time.Duration
		counts   bool
	}{
		{"the workers bring in who is on stage", begin - 5*time.Second, false},
		{"the measuring has begun", begin + 5*time.Second, true},
		{"the workers score audio and see people out", end + 5*time.Second, false},
	} {
		t.Run(c.sentence, func(t *testing.T) {
			co := played(t, c.now)
			co.EnterPhase("opening")
			if c.now > begin {
				co.enter(record.Arrivals, offer(begin))
			}
			if c.now > end {
				co.enter("hold", offer(end-10*time.Second))
				co.enter("stop", offer(end))
				co.enter("settling", offer(end))
			}
			co.workers[0].tally = &tally.Tally{SocketDrops: 3, NowCPU: cpu}
			co.CheckAborts()
			assert.Equal(t, c.counts, co.Aborted() != nil, "a threshold ends the run")
			before := usage.Sample{At: c.now - time.Second, Server: &process.Usage{}}
			co.observe(before, usage.Sample{At: c.now, Server: &process.Usage{Memory: 5}})
			assert.Equal(t, c.counts, co.LastUse() != nil, "what the server uses")
			assert.EqualValues(t, 3, co.drops, "nothing counts later that was dropped before")
			if c.now < begin {
				return // clocks have to be right by the begin
			}
			require.NoError(t, co.take(0, co.workers[0], link.Report{Bound: 30 * time.Millisecond, Ahead: time.Second, ClockTrouble: "it was stepped"}))
			assert.Equal(t, c.counts, co.workers[0].ClockBound > 0)
			assert.Equal(t, c.counts, co.workers[0].ClockAhead > 0)
			assert.Equal(t, c.counts, co.workers[0].ClockTrouble != "")
		})
	}
}

// TestCoordinatorHasAllThatIsTold: a worker has nothing to tell any more when it has told all, and is not missed.
func TestCoordinatorHasAllThatIsTold(t *testing.T) {
	for _, c := range []struct {
		sentence    string
		told        int // workers
		lost        string
		interrupted bool
	}{
		{"one scores audio still", 1, "2 (two)", true},
		{"both see their people out", 2, "", false},
	} {
		t.Run(c.sentence, func(t *testing.T) {
			co := played(t, time.Minute)
			for _, w := range co.workers[:c.told] {
				w.measured, w.final = true, &tally.Final{}
			}
			assert.Equal(t, c.interrupted, !allTold(co.workers), "somebody who interrupts the run interrupts the measuring")
			for i := range co.workers {
				co.lose(i, "it was killed")
			}
			var lost string
			for _, w := range co.workers {
				assert.True(t, w.gone())
				if w.Lost != "" {
					lost += w.Name
				}
			}
			assert.Equal(t, c.lost, lost)
			assert.Len(t, co.Problems.List(), c.told, "of those who have told all")
		})
	}
}

// TestServerIsMeasuredAtThePlannedEnd though the workers agree on it later: what the server does meanwhile is no part of the
// steady state.
func TestServerIsMeasuredAtThePlannedEnd(t *testing.T) {
	const planned = 30 * time.Second
	for _, c := range []struct {
		sentence           string
		now, planned, stop time.Duration
		samples            endSamples // there have been
		due                bool
	}{
		{"the hold lasts", 29 * time.Second, planned, 0, 0, false},
		{"it is to end now", planned, planned, 0, 0, true},
		{"the workers have agreed on it", 31 * time.Second, planned, planned, 1, false},
		{"an act has lasted longer", 33 * time.Second, planned, 32 * time.Second, 1, true},
		{"an act lasts longer", 31 * time.Second, planned, 32 * time.Second, 1, false},
		{"that is measured, too", 34 * time.Second, planned, 32 * time.Second, 2, false},
		{"a threshold ends it", 26 * time.Second, planned, 25 * time.Second, 0, true},
		{"it has not begun", planned, timebase.Never.Start(), 0, 0, false},
		{"it ends before it has begun", planned, timebase.Never.Start(), 25 * time.Second, 0, true},
	} {
		t.Run(c.sentence, func(t *testing.T) {
			assert.Equal(t, c.due, c.samples.due(c.now, c.planned, c.stop))
		})
	}
}

// A worker that hears nothing takes its coordinator for lost, and then sees its people out.
func TestWorkersHaveLeftTenSecondsAfterTheirCoordinator(t *testing.T) {
	assert.LessOrEqual(t, link.LostAfter+scoreboard.HurriedLeave, 10*time.Second)
}

// Workers hold what they receive against what the others sent. Of what they learn too late the server would be
// said to have lost it.
func TestNobodyMeasuresAgainstWhatIsForgotten(t *testing.T) {
	assert.Less(t, maxBehind+2*link.ReportEvery, ledger.Remembered)
	for _, c := range []struct {
		sentence string
		worker   workerState
		late     time.Duration
		trouble  bool
	}{
		{"it has told of the present", workerState{}, time.Second, false},
		{"it is behind, and would be lost", workerState{}, link.BusyFor + link.LostAfter, false},
		{"what it told waits", workerState{}, maxBehind + time.Second, true},
		{"it has told nothing yet", workerState{}, time.Hour, false},
		{"it has told all", workerState{measured: true}, maxBehind + time.Second, false},
		{"it is lost", workerState{Worker: scoreboard.Worker{Lost: "it is"}}, maxBehind + time.Second, false},
	} {
		t.Run(c.sentence, func(t *testing.T) {
			const ran = time.Minute
			co := &coordinator{
				Scoreboard: scoreboard.New(scoreboard.Config{Scenario: &scenario.Scenario{}}, timebase.NewClockSince(time.Now().Add(-ran)), problem.NewCounter()), hub: noHub{},
				workers: []*workerState{&c.worker},
			}
			c.worker.horizon = timebase.BinAt(max(0, ran-c.late))
			co.checkSelf()
			assert.Equal(t, c.trouble, co.trouble != "", co.trouble)
		})
	}
}

// Each worker learns what each has dropped.
func TestCoordinatorTellsWhatEachWorkerDropped(t *testing.T) {
	c := &coordinator{workers: []*workerState{{}, {}, {}}}
	assert.Nil(t, droppedBy(c.workers), "nothing has been")
	for i, dropped := range []uint64{0, 7, 5} {
		require.NoError(t, c.take(i, c.workers[i], link.Report{Dropped: dropped}))
	}
	assert.Equal(t, []uint64{0, 7, 5}, droppedBy(c.workers))
}
