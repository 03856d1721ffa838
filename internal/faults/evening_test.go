//go:build unix

package faults

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/earshot-audio/earshot/loadgen/scenario"
)

// evening is a timeline by chance: so many entries within a time, most of which can be played.
func evening(seed uint64, entries int, within time.Duration) string {
	random := rand.New(rand.NewPCG(seed, 0))
	var verbs []scenario.VerbSpec
	for _, spec := range scenario.Verbs() {
		switch {
		case spec.OfNode, spec.OfRoom:
		case spec.Needs&scenario.Invited != 0: // by another
			verbs = append(verbs, scenario.InviteToStage.Spec(), spec)
		default:
			verbs = append(verbs, spec)
		}
	}
	var text strings.Builder
	for i := range entries {
		spec := verbs[random.IntN(len(verbs))]
		who := spec.Who[random.IntN(len(spec.Who))]
		if who == scenario.Host && spec.Silences || spec.Verb == scenario.Leave && who == scenario.Host {
			who = scenario.Speaker // without a host nothing is moderated
		}
		count := 1
		if who != scenario.Host {
			count += random.IntN(2)
		}
		at := within * time.Duration(i) / time.Duration(entries)
		fmt.Fprintf(&text, "  - {at: %v, who: %s, count: %d, do: %s}\n", at.Round(time.Millisecond), who, count, spec.Verb)
	}
	return text.String()
}

// Whatever a timeline has, and however its entries meet, a generator in trouble blames a sound server for nothing.
// At full length every other evening is played by workers, which together want far more than a machine has.
func TestNoEveningOfASoundServerIsBlamedForTheGenerator(t *testing.T) {
	t.Parallel()
	s, evenings := tableSize(), uint64(1)
	s.hold = max(s.hold, 7*time.Second)
	if atFullLength() {
		evenings = 10
	}
	for _, generator := range generatorFaults(s) {
		if generator.around != nil || generator.sentence == floods || generator.environment != nil {
			continue // they are in TestNoModerationOfASoundServerIsBlamedForTheGenerator
		}
		for seed := range evenings {
			t.Run(fmt.Sprintf("a generator that %s, evening %d", generator.sentence, seed+1), func(t *testing.T) {
				t.Parallel()
				var flags []string
				if seed%2 == 1 {
					flags = []string{"--workers", "3", "--local"}
				}
				o := playUntilDecided(t, []string{pass, invalid, fail}, func() *outcome {
					return generate(t, nil, generator, append(flags, writeScenario(t, `
name: an evening by chance
seed: %d
room: {capacity: 40, slots: 8}
cast:
  - {role: host, count: 1, audio: host.ogg}
  - {role: speaker, count: 3, audio: [guest.ogg, reader.ogg, speech.ogg]}
  - {role: listener, count: 14, audio: reader.ogg, arrive: {within: 1s, shape: linear}}
timeline:
%s
join_deadline: 6s
hold: %v
thresholds:
  joined: ["rate == 1"]
  published: ["rate == 1"]
  publish_duration: ["max < 3s"]
  join_duration: ["p(95) < 2s"]
  delivered: ["rate >= 0.99"]
  unrecognised: ["rate < 0.01"]
  latency: ["p(99) < 200ms"]
  promote_duration: ["max < 2s"]
  reconnect_duration: ["max < 1s"]
  mute_silence: ["max <= 5"]
  kick_silence: ["max <= 5"]
  onset_clip: ["max < 100ms"]
  audio_gap: ["max < 1s"]
  concealed: ["max < 10"]
  mic_loss: ["max < 5"]
  mos: ["min > 3"]
  duplicates: ["count == 0"]
  out_of_order: ["count == 0"]
`, seed+1, evening(seed+1, 20, s.hold), s.hold))...)
				})
				t.Log(o.Verdict, o.Reasons)
				o.assertNothingCrossed(t)
			})
		}
	}
}
