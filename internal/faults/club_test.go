//go:build unix

package faults

import (
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/earshot-audio/earshot/internal/testaudio"
)

// clubScenario is one in which people come on stage, are muted, and are put out. They speak with
// some recordings, and who comes on stage with another.
func clubScenario(t *testing.T, hold time.Duration, promoted string, recordings ...string) string {
	t.Helper()
	of := func(i int) string { return recordings[i%len(recordings)] }
	return writeScenario(t, `
name: a short night at the club
room: {capacity: 30, slots: 8}
cast:
  - {role: host, count: 1, audio: %s}
  - {role: speaker, count: 2, audio: [%s, %s]}
  - {role: listener, count: 12, audio: %s, arrive: {within: 1s, shape: linear}}
timeline:
  - {at: 1s, who: listener, count: 1, do: promote}
  - {at: 1500ms, who: listener, count: 1, do: invite-to-stage}
  - {at: 2s, who: listener, count: 1, do: accept-stage}
  - {at: 2500ms, who: listener, count: 3, do: reconnect}
  - {at: 3s, who: speaker, count: 1, do: mute}
  - {at: 4500ms, who: listener, count: 1, do: kick}
  - {at: 5s, who: speaker, count: 1, do: kick}
  - {at: 5500ms, who: speaker, count: 1, do: demote}
  - {at: 6s, who: listener, count: 1, do: ban}
join_deadline: 4s
hold: %v
thresholds:
  joined: ["rate == 1"]
  join_duration: ["p(95) < 2s"]
  delivered: ["rate >= 0.99"]
  latency: ["p(99) < 200ms"]
  promote_duration: ["count == 2", "max < 2s"]
  reconnect_duration: ["count == 3", "max < 1s"]
  mute_silence: ["count == 2", "max <= 5"]
  kick_silence: ["count == 3", "max <= 5"]
  onset_clip: ["max < 100ms"]
  audio_gap: ["max < 1s"]
  concealed: ["max < 10"]
  mos: ["min > 3"]
  duplicates: ["count == 0"]
  out_of_order: ["count == 0"]
`, of(0), of(1), of(2), promoted, hold)
}

// A generator in trouble blames a sound server for nothing that moderators do.
func TestNoModerationOfASoundServerIsBlamedForTheGenerator(t *testing.T) {
	t.Parallel()
	s := tableSize()
	s.hold = max(s.hold, 7*time.Second)
	// Both who come on stage have a recording that is long enough for two.
	apart := func(t *testing.T) string {
		return clubScenario(t, s.hold, filepath.Join(testaudio.Dir(), "speech.ogg"), "host.ogg", "guest.ogg", "reader.ogg")
	}
	play := func(t *testing.T, generator generatorFault, scenario func(*testing.T) string, may ...string) *outcome {
		t.Helper()
		o := playUntilDecided(t, may, func() *outcome { return generate(t, nil, generator, scenario(t)) })
		o.assertNothingCrossed(t)
		assert.Contains(t, may, o.Verdict, "%v", o)
		return o
	}
	for _, generator := range slices.Concat(generatorFaults(s), generatorFaultsBeside(s)) {
		// A server that is not of these tests has no list of its clients to flood.
		if generator.around != nil || generator.sentence == floods || generator.brief && !generator.sound() && !atFullLength() {
			continue // the others have more in doubt
		}
		t.Run("a generator that "+generator.sentence, func(t *testing.T) {
			t.Parallel()
			play(t, generator, apart, pass, invalid)
		})
	}
	t.Run("a generator whose mics share a recording, so that their packets are alike", func(t *testing.T) {
		t.Parallel()
		o := play(t, generatorFault{}, func(t *testing.T) string { return clubScenario(t, s.hold, "speech.ogg", "speech.ogg") }, invalid)
		assert.Positive(t, o.Doubts["ambiguous"])
	})
}
