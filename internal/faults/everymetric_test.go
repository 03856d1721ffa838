//go:build unix

package faults

import (
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

// everyMetric are thresholds on each metric that a run of one turn against a foreign server has. A sound
// server and a sound generator hold them with ease.
const everyMetric = `
  joined: ["rate == 1"]
  join_duration: ["p(95) < 1400ms"]
  join_step: ["max < 1400ms"]
  delivered{phase:steady}: ["rate >= 0.99"]
  latency: ["p(99) < 200ms"]
  latency_listener: ["max < 250ms"]
  rtt: ["max < 200ms"]
  unrecognised: ["rate <= 0.02"]
  jitter: ["max < 60ms"]
  loss: ["max < 5"]
  concealed: ["max < 10"]
  audio_gap: ["max < 1s"]
  gaps_per_minute: ["max < 30"]
  frozen_time: ["max < 500ms"]
  mos: ["min > 3"]
  published: ["rate == 1"]
  publish_duration: ["max < 1400ms"]
  mic_rtt: ["max < 200ms"]
  mic_loss: ["max < 5%"]
  mic_jitter: ["max < 60ms"]
  duplicates: ["count == 0"]
  out_of_order: ["count == 0"]
  unauthentic: ["count == 0"]
`

// A generator in whatever trouble blames a sound server for nothing, whatever is asked for.
func TestNoThresholdOfASoundServerIsCrossedByTheGenerator(t *testing.T) {
	t.Parallel()
	s := tableSize()
	s.hold = max(s.hold, 4*time.Second) // Pion reports once a second
	for _, generator := range slices.Concat(generatorFaults(s), generatorFaultsBeside(s)) {
		if generator.around != nil {
			continue
		}
		t.Run("a generator that "+generator.sentence, func(t *testing.T) {
			t.Parallel()
			may := []string{pass, invalid}
			if generator.sound() {
				may = []string{pass}
			}
			o := playUntilDecided(t, may, func() *outcome {
				return generate(t, serve(t, Fault{Does: Reports}, s), generator, s.scenario(t, everyMetric))
			})
			o.assertNothingCrossed(t)
			assert.Contains(t, may, o.Verdict, "%v", o)
		})
	}
}
