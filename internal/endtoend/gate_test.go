package endtoend_test

import (
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/earshot-audio/earshot/internal/calm"
	"github.com/earshot-audio/earshot/loadgen"
	"github.com/earshot-audio/earshot/loadgen/client"
	"github.com/earshot-audio/earshot/loadgen/metric"
	"github.com/earshot-audio/earshot/loadgen/report"
	"github.com/earshot-audio/earshot/loadgen/scenario"
)

func judged(r *loadgen.Result, s *scenario.Scenario) map[string]report.Judgement {
	all := map[string]report.Judgement{}
	for _, j := range report.Judge(r, s.Thresholds).Thresholds {
		all[j.Source()] = j
	}
	return all
}

func TestThresholdsOnPartsOfRealRun(t *testing.T) {
	t.Parallel()
	s := written(t, `
name: parts
room: {capacity: 8, slots: 3}
cast:
  - {role: host, count: 1, audio: audio/host.ogg}
  - {role: speaker, count: 1, audio: audio/speech.ogg}
  - {role: listener, count: 4, arrive: {within: 500ms}, depart: {within: 1s}}
  - {role: listener, count: 2, network: wifi}
timeline:
  - {at: 1500ms, name: first, for: 1s}
  - {at: 3s, name: last}
warm_up: 1s
hold: 4s
thresholds:
  delivered{phase:arrivals}: rate > 0.5
  delivered{phase:warm_up}: rate > 0.5
  delivered{phase:steady}: rate > 0.5
  delivered{phase:departures}: rate > 0.5
  delivered{phase:first}: rate > 0.5
  delivered{phase:last}: rate > 0.5
  delivered{role:speaker}: rate > 0.5
  delivered{role:host}: rate > 0.5
  latency{network:wifi}: p(50) < 10s
  latency{role:speaker,phase:first}: p(50) < 10s
  latency: p(50) < 10s over 2s
`)
	url := serve(t)
	var r *loadgen.Result
	var all map[string]report.Judgement
	calm.Play(5, func() (busy bool) {
		var err error
		r, err = loadgen.Run(t.Context(), loadgen.Config{Scenario: s, Driver: native(t, url)})
		require.NoError(t, err)
		assert.Empty(t, r.Problems)
		all = judged(r, s)
		return slices.ContainsFunc(slices.Collect(maps.Values(all)), func(j report.Judgement) bool { return j.Undecided })
	})
	for name, j := range all {
		if assert.NotNil(t, j.OK, "%s: %s", name, j.Reason) {
			assert.True(t, *j.OK, "%s: %v", name, j.Value)
		}
	}
	wifi, ok := r.Values["latency{network:wifi}"].(*metric.Trend)
	require.True(t, ok)
	assert.Greater(t, wifi.Summary().Med, 1.0, "ms: the simulated network's delay is in it")
	assert.InDelta(t, 3, r.Steady.Seconds(), 1, "the hold without the warm-up")

	owed := func(phase string) uint64 {
		v, ok := r.Values["delivered{phase:"+phase+"}"].(metric.Rate)
		require.True(t, ok)
		return v.Total
	}
	// 6 listeners, two voices, 50 frames a second.
	assert.InDelta(t, 600, owed("warm_up"), 20)
	assert.InDelta(t, 600, owed("first"), 20)
	assert.InDelta(t, 600, owed("last"), 20)
	assert.Less(t, owed("departures"), uint64(1200), "those who leave are owed no more")
	assert.Positive(t, owed("departures"))
	last := r.Series.Points[len(r.Series.Points)-1]
	assert.Equal(t, 4, last.Left)
	assert.Equal(t, 6, last.Joined)
	var names []string
	for _, m := range r.Marks {
		names = append(names, m.Name)
	}
	assert.Equal(t, []string{"arrivals", "warm_up", "first", "steady", "last", "departures"}[0:2], names[0:2])
	assert.Contains(t, names, "departures")
	complete := rateOf(t, r, "joined")
	assert.Equal(t, metric.Rate{Passes: 6, Total: 6}, complete, "listeners alone")
}

func TestAbortOnFailEndsRun(t *testing.T) {
	t.Parallel()
	url := serve(t)
	s := written(t, `
name: the room is gone
room: {capacity: 8, slots: 1}
cast:
  - {role: speaker, count: 1, audio: audio/speech.ogg}
  - {role: listener, count: 3, arrive: {within: 200ms, shape: linear}}
hold: 10m
thresholds:
  delivered: {threshold: rate >= 0.999 over 1s, abort_on_fail: true, delay: 1s}
  onset_clip: max < 10ms
`)
	began := time.Now()
	var ended bool
	r, err := loadgen.Run(t.Context(), loadgen.Config{Scenario: s, Driver: native(t, url), Progress: func(p loadgen.Progress) {
		if p.Phase != "steady" || p.InPhase < time.Second || ended {
			return
		}
		ended = true
		endRooms(t, url)
	}})
	require.NoError(t, err)
	assert.Less(t, time.Since(began), 5*time.Minute)
	require.NotNil(t, r.Aborted)
	assert.Equal(t, "delivered over 1s", r.Aborted.Threshold.Source())
	assert.False(t, r.Interrupted)
	judgement := report.Judge(r, s.Thresholds)
	assert.Equal(t, report.Fail, judgement.Verdict, judgement.Reasons)
	assert.False(t, *judgement.Thresholds[0].OK)
	assert.Nil(t, judgement.Thresholds[1].OK, "there was no data for it, and it did not pass")
}

// TestWhatHappensWhileAudioIsScored says nothing of the measured time: then all cores are at it, and a server on this
// machine may well lose mics.
func TestWhatHappensWhileAudioIsScored(t *testing.T) {
	t.Parallel()
	s := written(t, `
name: the server is gone before the scores are there
room: {capacity: 8, slots: 1}
audio_score: true
cast:
  - {role: speaker, count: 1, audio: audio/speech.ogg}
  - {role: listener, count: 3, arrive: {within: 200ms, shape: linear}}
hold: 3s
thresholds: {published: rate == 1, mic_loss: max == 0, audio_score: min > 1}
`)
	for name, play := range map[string]func(t *testing.T, url string, progress func(loadgen.Progress)) (*loadgen.Result, error){
		"one process": func(t *testing.T, url string, progress func(loadgen.Progress)) (*loadgen.Result, error) {
			return loadgen.Run(t.Context(), loadgen.Config{Scenario: s, Driver: native(t, url), Progress: progress})
		},
		"workers": func(t *testing.T, url string, progress func(loadgen.Progress)) (*loadgen.Result, error) {
			return playedByWorkers(t, 2, s, url, func(worker int, cfg *loadgen.Config) {
				if worker == 1 { // and the other has measured all by then
					cfg.Progress = progress
				}
			})
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var ended bool
			r := tried(t, func() (*loadgen.Result, error) {
				url := serve(t)
				ended = false
				return play(t, url, func(p loadgen.Progress) {
					if p.Phase != "scoring" || ended {
						return
					}
					ended = true
					endRooms(t, url)
					time.Sleep(client.PatienceOfMics + time.Second) // the mics have noticed
				})
			})
			assert.True(t, ended)
			assert.NotEqual(t, report.Fail, report.Judge(r, s.Thresholds).Verdict, "a busy machine may make it invalid")
			assert.Zero(t, r.Mics.Ended)
		})
	}
}
