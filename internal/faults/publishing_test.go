//go:build unix

package faults

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

// publishingScenario is one in which nobody listens.
func (s size) publishingScenario(t *testing.T) string {
	t.Helper()
	return writeScenario(t, `
name: those who publish alone
room: {capacity: %d}
cast:
  - {role: speaker, count: %d, audio: speech.ogg, arrive: {within: %v, shape: linear}}
join_deadline: %v
hold: %v
thresholds:
  published: ["rate == 1"]
  publish_duration: ["p(95) < 1400ms"]
  mic_loss: ["max < 5%%"]
  mic_jitter: ["max < 100ms"]
  mic_rtt: ["max < 500ms"]
`, s.listeners, s.listeners, s.arrivals, s.join, s.hold)
}

// TestFaultTableOfPublishingAlone plays servers that take publishers, or do not, against the
// generators of the fault table. Each server is played against all of them at full length.
func TestFaultTableOfPublishingAlone(t *testing.T) {
	s := tableSize()
	s.hold = max(s.hold, 4*time.Second)
	for _, generator := range slices.Concat(generatorFaults(s), generatorFaultsBeside(s)) {
		for _, server := range Publishing(Run{Listeners: s.listeners, Middle: s.middle()}) {
			// A fault of the generator that lasts has more in doubt, and not less.
			if generator.around != nil || generator.sentence == noMoreFiles || !server.Sound() && !generator.brief && !atFullLength() {
				continue
			}
			t.Run(fmt.Sprintf("a generator that %s and a server that %s", generator.sentence, server.Does), func(t *testing.T) {
				t.Parallel()
				may := allowed(server, generator)
				if !server.Sound() && !server.Plain && !generator.sound() {
					may = []string{fail, invalid}
				}
				o := playUntilDecided(t, may, func() *outcome { return generate(t, serve(t, server, s), generator, s.publishingScenario(t)) })
				t.Log(o.Verdict, o.Reasons, o.Doubts)
				assert.Contains(t, may, o.Verdict, "%v", o)
				if generator.strike != nil {
					assert.Contains(t, o.text, " published", "its phases are shown, by which the fault strikes")
				}
				if o.Verdict == fail {
					assert.True(t, slices.ContainsFunc(server.Crosses, o.crossed), "none of %q is crossed: %v", server.Crosses, o)
				}
			})
		}
	}
}
