//go:build unix

package faults

import (
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

// markedScenario is one whose audio is marked, with so many speakers, and with more
// thresholds. A server that mixes keeps what comes late in a buffer of its own: it is some 200 ms
// late.
func (s size) markedScenario(t *testing.T, speakers int, delivered, latency, more string) string {
	t.Helper()
	return writeScenario(t, `
name: a server that mixes
room: {capacity: %d, slots: 1}
cast:
  - {role: speaker, count: %d, audio: [speech.ogg, guest.ogg]}
  - {role: listener, count: %d, arrive: {within: %v, shape: linear}}
audio_check: marker
join_deadline: %v
hold: %v
thresholds:
  joined: ["rate == 1"]
  delivered{phase:steady}: ["%s"]
  latency: ["p(99) < %s"]
%s`, s.listeners, speakers, s.listeners, s.arrivals, s.join, s.hold, delivered, latency, more)
}

func TestMarkerMeasuresServersThatMixAndTranscode(t *testing.T) {
	t.Parallel()
	s := tableSize()
	s.listeners, s.hold = 4, max(s.hold, 4*time.Second)
	for _, c := range []struct {
		sentence string
		does     string
		speakers int
		asks     string
		may      []string
		crosses  string
	}{
		{"a server that passes packets on", "forwards every packet", 1, "rate >= 0.95", []string{pass}, ""},
		{"one that transcodes", Mixes, 1, "rate >= 0.85", []string{pass}, ""},
		{"one that mixes two speakers", Mixes, 2, "rate >= 0.85", []string{pass}, ""},
		{"one that is late", MixesLate, 2, "rate >= 0.5", []string{fail}, "latency"},
		{"one that loses some of the mix", MixesLossy, 1, "rate >= 0.95", []string{fail}, "delivered"},
		{"one that conceals what it does not get is not passed", MixesDeaf, 1, "rate >= 0.97", []string{fail, invalid}, "delivered"},
		{"one that plays what nobody in the room said", Elsewhere, 1, "rate >= 0.95", []string{fail}, Foreign},
	} {
		t.Run(c.sentence, func(t *testing.T) {
			t.Parallel()
			o := playSharing(t, c.may, decodes, func() *outcome {
				return generate(t, serve(t, Fault{Does: c.does}, s), generatorFault{}, s.markedScenario(t, c.speakers, c.asks, "250ms", ""))
			})
			t.Log(o.Verdict, o.Reasons, o.Doubts)
			for _, threshold := range o.Thresholds {
				if threshold.Value != nil {
					t.Log(threshold.Metric, *threshold.Value)
				}
			}
			assert.Contains(t, c.may, o.Verdict, "%v", o)
			if o.Verdict == fail {
				assert.True(t, o.crossed(c.crosses), "%s is not crossed: %v", c.crosses, o)
			}
		})
	}
}

// markedThresholds are what a sound server that mixes holds besides.
const markedThresholds = `
  join_duration: ["p(95) < 1400ms"]
  audio_gap: ["max < 1s"]
  jitter: ["max < 100ms"]
  rtt: ["max < 500ms"]
  mos: ["min > 2"]
`

// TestFaultTableOfMarkedAudio plays servers that mix, and are sound or not, against the
// generators of the fault table and those beside it.
func TestFaultTableOfMarkedAudio(t *testing.T) {
	s := tableSize()
	s.listeners, s.hold, s.join = 4, max(s.hold, 4*time.Second), max(s.join, 3*time.Second)
	for _, generator := range slices.Concat(generatorFaults(s), generatorFaultsBeside(s)) {
		if generator.sound() || generator.around != nil {
			continue // TestMarkerMeasuresServersThatMixAndTranscode has those that are sound
		}
		for _, c := range []struct {
			does string
			may  []string
		}{
			{Mixes, []string{pass, invalid}},
			{MixesLossy, []string{fail, invalid}},
		} {
			if c.does == MixesLossy && !generator.brief && !atFullLength() {
				continue // they have more in doubt, not less
			}
			t.Run("a generator that "+generator.sentence+" and a server that "+c.does, func(t *testing.T) {
				t.Parallel()
				o := playSharing(t, c.may, decodes, func() *outcome {
					return generate(t, serve(t, Fault{Does: c.does}, s), generator, s.markedScenario(t, 1, "rate >= 0.85", "250ms", markedThresholds))
				})
				t.Log(o.Verdict, o.Reasons, o.Doubts)
				assert.Contains(t, c.may, o.Verdict, "%v", o)
			})
		}
	}
}
