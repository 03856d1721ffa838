//go:build unix

package faults

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

// scoredScenario is one that asks for nothing but what probes hear.
func (s size) scoredScenario(t *testing.T, check, score string) string {
	t.Helper()
	return writeScenario(t, `
name: what probes hear
room: {capacity: %d, slots: 1}
cast:
  - {role: speaker, count: 1, audio: speech.ogg}
  - {role: listener, count: %d, arrive: {within: %v, shape: linear}}
audio_check: %s
audio_score: true
join_deadline: %v
hold: %v
thresholds:
  audio_score: ["%s"]
`, s.listeners, s.listeners, s.arrivals, check, s.join, s.hold, score)
}

// decodes is how many times as much a run computes that decodes what its probes hear.
const decodes = 2

// A score is never the server's fault where the generator may have done it.
func TestAudioScoreJudgesWhatIsHeard(t *testing.T) {
	t.Parallel()
	s := tableSize()
	s.listeners, s.hold = 4, max(s.hold, 4*time.Second)
	sound := generatorFaults(s)[0]
	for _, c := range []struct {
		sentence  string
		does      string
		generator generatorFault
		check     string
		score     string
		may       []string
		crosses   string
	}{
		{"all packets sound as they were said", "forwards every packet", sound, "packets", "min >= 4.5", []string{pass}, ""},
		{"so do they in other numbers", JumpsSequence, sound, "packets", "min >= 4.5", []string{pass}, ""},
		{"a fifth less does not", "loses a fifth of all packets", sound, "packets", "min >= 4.5", []string{fail}, "audio_score"},
		{"half of them do not", HalfRate, sound, "packets", "min >= 4", []string{fail}, "audio_score"},
		{"another room does not", Elsewhere, sound, "packets", "min >= 3", []string{fail}, Foreign},
		{"silence does not", "plays silence", sound, "packets", "min >= 3", []string{fail}, Foreign},
		{"nothing does not", "connects and forwards nothing", sound, "packets", "min >= 3", []string{fail}, "audio_score"},
		{"a mix is scored where the audio is marked", Mixes, sound, "marker", "min >= 3.5", []string{pass}, ""},
		// A sound server has 4.83 to 4.86 where nothing is in the way: a jitter buffer gets shorter at first.
		{"a generator that stands still fails no server", "forwards every packet", generatorFaults(s)[2], "packets", "min >= 4.8", []string{pass, invalid}, ""},
		{"nor one whose sockets drop packets", "forwards every packet", generatorFaults(s)[6], "packets", "min >= 4.99", []string{pass, invalid}, ""},
		{"nor does it pass one", "loses a fifth of all packets", generatorFaults(s)[2], "packets", "min >= 4.5", []string{fail, invalid}, "audio_score"},
	} {
		t.Run(c.sentence, func(t *testing.T) {
			t.Parallel()
			o := playSharing(t, c.may, decodes, func() *outcome {
				return generate(t, serve(t, Fault{Does: c.does}, s), c.generator, s.scoredScenario(t, c.check, c.score))
			})
			t.Log(o.Verdict, o.Reasons, o.Doubts, o.Metrics["audio_score"]["min"])
			assert.Contains(t, c.may, o.Verdict, "%v", o)
			if o.Verdict == fail {
				assert.True(t, o.crossed(c.crosses), "%s is not crossed: %v", c.crosses, o)
			}
		})
	}
}
