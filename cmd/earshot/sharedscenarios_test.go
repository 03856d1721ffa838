package main

import (
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// playShared has two workers of this machine play a scenario, with more arguments.
func playShared(t *testing.T, text string, args ...string) (s sharedSummary, out string) {
	t.Helper()
	summary := filepath.Join(t.TempDir(), "summary.json")
	args = append([]string{"run", file(t, "shared.yaml", text), "--workers", "2", "--summary", summary}, args...)
	said, err := earshotProcess(t, args...).CombinedOutput()
	_ = err // a busy machine may make it invalid
	s = readShared(t, summary)
	require.Len(t, s.Workers, 2, "%s", said)
	for _, w := range s.Workers {
		assert.Empty(t, w.Lost, "%s: %s", w.Name, said)
	}
	assert.NotEqual(t, "fail", s.Verdict, "%s", said)
	return s, string(said)
}

// TestWorkersPlayWhatIsMeasuredOtherwise plays the scenarios in which something else is
// measured than how packets come.
func TestWorkersPlayWhatIsMeasuredOtherwise(t *testing.T) {
	realTime(t)
	t.Run("publishing alone", func(t *testing.T) {
		t.Parallel()
		s, out := playShared(t, `name: publishing
room: {capacity: 5, slots: 3}
cast:
  - {role: speaker, count: 5, audio: `+voice(t)+`, arrive: {within: 500ms}}
hold: 3s
thresholds:
  published: ["rate == 1"]
`, "--local")
		assert.EqualValues(t, 5, s.Metrics["published"].Total, "%s", out)
		assert.EqualValues(t, 5, s.Metrics["published"].Passes, "%s", out)
		assert.EqualValues(t, 5, s.Metrics["publish_duration"].Count, "%s", out)
	})
	t.Run("marks", func(t *testing.T) {
		t.Parallel()
		s, out := playShared(t, `name: marks
room: {capacity: 5, slots: 3}
audio_check: marker
cast:
  - {role: speaker, count: 2, audio: builtin:speech}
  - {role: listener, count: 3}
hold: 4s
thresholds:
  joined: ["rate == 1"]
`, "--local")
		assert.EqualValues(t, 3, s.Metrics["joined"].Passes, "%s", out)
		d := s.Metrics["delivered"]
		assert.Positive(t, d.Total)
		assert.Greater(t, float64(d.Passes), 0.8*float64(d.Total), "marks of the other worker's speaker are found: %s", out)
		assert.Zero(t, s.Metrics["unrecognised"].Passes, "%s", out)
	})
	t.Run("what probes hear", func(t *testing.T) {
		t.Parallel()
		s, out := playShared(t, `name: score
room: {capacity: 5, slots: 3}
audio_score: true
cast:
  - {role: speaker, count: 1, audio: builtin:speech}
  - {role: listener, count: 4}
hold: 6s
thresholds:
  audio_score: ["med > 1"]
`, "--local")
		assert.EqualValues(t, 2, s.Metrics["audio_score"].Count, "each worker has a probe, and one of them hears another's speaker: %s", out)
		assert.Greater(t, s.Metrics["audio_score"].Med, 3.0, "%s", out)
	})
}
