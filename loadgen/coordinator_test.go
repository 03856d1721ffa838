package loadgen

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/earshot-audio/earshot/loadgen/measure"
	"github.com/earshot-audio/earshot/loadgen/scenario"
)

// noHub is a hub that carries nothing.
type noHub struct{ Hub }

func (noHub) Overrun() error  { return nil }
func (noHub) Send(News) error { return nil }

// A worker that ends since it heard nothing says so. Whose fault that was the coordinator knows
// by what it told.
func TestWorkerThatHeardNothingIsBlamedRightly(t *testing.T) {
	const gone = 3 * time.Second
	for _, c := range []struct {
		sentence    string
		silent, ago time.Duration // of the coordinator, and when it ended
		report      Report
		coordinator bool
		says        string
	}{
		{"the coordinator spoke, and the worker did not hear", 200 * time.Millisecond, 0, Report{Failed: "lost", Deaf: true}, false, "it heard nothing of the coordinator for 3s"},
		{"the coordinator paused nearly as long, and the rest was on the way", 2 * time.Second, gone, Report{Failed: "lost", Deaf: true}, true, "it told the workers nothing for 2s"},
		{"that was long ago", 2 * time.Second, time.Minute, Report{Failed: "lost", Deaf: true}, false, "it heard nothing"},
		{"it paused as long, and the worker only fell silent", LostAfter, gone, Report{Failed: "the disk is full", Done: true}, true, "it told the workers nothing for 3s"},
		{"it paused for less, which ends no worker that does not say so", 2 * time.Second, gone, Report{Failed: "the disk is full", Done: true}, false, "the disk is full"},
		{"a worker that ends for another reason says it before it has left", 0, 0, Report{Failed: "2 of its messages did not come"}, false, "2 of its messages"},
	} {
		t.Run(c.sentence, func(t *testing.T) {
			co := &coordinator{
				scoreboard: newScoreboard(Config{Scenario: &scenario.Scenario{}}, measure.NewClock(), newProblems()), hub: noHub{},
				workers: []*workerState{{Worker: Worker{WorkerInfo: WorkerInfo{Name: "1 (one)"}}, offered: map[string]bool{}}},
				sent:    time.Now(), paused: silentTime{c.silent, time.Now().Add(-c.ago)},
			}
			co.merger = measure.NewMerger(co.aggregator, []string{"a"})
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

// A worker that hears nothing takes its coordinator for lost, and then sees its people out.
func TestWorkersHaveLeftTenSecondsAfterTheirCoordinator(t *testing.T) {
	assert.LessOrEqual(t, LostAfter+hurriedLeave, 10*time.Second)
}

func TestSilenceCountsWhatCouldBeHeard(t *testing.T) {
	for _, c := range []struct {
		sentence string
		passes   []time.Duration // a negative one is a word of the other side's
		lost     int
	}{
		{"nothing for long", repeated(ReportEvery, 16), 1},
		{"it is lost once", repeated(ReportEvery, 60), 1},
		{"not yet", repeated(ReportEvery, 15), 0},
		{"now and then a word", append(append(repeated(ReportEvery, 14), -1), repeated(ReportEvery, 14)...), 0},
		{"this process stood still", repeated(time.Hour, 7), 0},
		{"it is slow, and hears nothing all the same", repeated(time.Second, 8), 1},
	} {
		t.Run(c.sentence, func(t *testing.T) {
			var s Silence
			lost := 0
			for _, d := range c.passes {
				if d < 0 {
					s.Break()
				} else if s.Pass(d) {
					lost++
				}
			}
			assert.Equal(t, c.lost, lost)
		})
	}
}

func repeated(d time.Duration, n int) (all []time.Duration) {
	for range n {
		all = append(all, d)
	}
	return all
}

// Workers hold what they receive against what the others sent. Of what they learn too late the server would be
// said to have lost it.
func TestNobodyMeasuresAgainstWhatIsForgotten(t *testing.T) {
	assert.Less(t, maxBehind+2*ReportEvery, measure.Remembered)
	for _, c := range []struct {
		sentence string
		worker   workerState
		late     time.Duration
		trouble  bool
	}{
		{"it has told of the present", workerState{}, time.Second, false},
		{"it is behind, and would be lost", workerState{}, BusyFor + LostAfter, false},
		{"what it told waits", workerState{}, maxBehind + time.Second, true},
		{"it has told nothing yet", workerState{}, time.Hour, false},
		{"it has told all", workerState{measured: true}, maxBehind + time.Second, false},
		{"it is lost", workerState{Worker: Worker{Lost: "it is"}}, maxBehind + time.Second, false},
	} {
		t.Run(c.sentence, func(t *testing.T) {
			const ran = time.Minute
			co := &coordinator{
				scoreboard: newScoreboard(Config{Scenario: &scenario.Scenario{}}, measure.NewClockSince(time.Now().Add(-ran)), newProblems()), hub: noHub{},
				workers: []*workerState{&c.worker},
			}
			c.worker.horizon = measure.BinAt(max(0, ran-c.late))
			co.checkSelf()
			assert.Equal(t, c.trouble, co.trouble != "", co.trouble)
		})
	}
}
