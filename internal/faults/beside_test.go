//go:build unix

package faults

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
)

// besideThresholds ask for what is heard in the whole run: a second that is missing is much of a
// compressed one, and less than a twentieth of one at full length.
func besideThresholds() string {
	delivered := "0.95"
	if atFullLength() {
		delivered = "0.97"
	}
	return `
  joined: ["rate == 1"]
  delivered: ["rate >= ` + delivered + `"]
  latency: ["p(99) < 200ms"]
  join_duration: ["p(95) < 1400ms"]
  audio_gap: ["max < 1s"]
  mos: ["min > 3"]
`
}

func TestServersBesideTheTable(t *testing.T) {
	t.Parallel()
	s := tableSize()
	for _, server := range Beside(Run{Listeners: s.listeners, Middle: s.middle()}) {
		t.Run("a server that "+server.Does, func(t *testing.T) {
			t.Parallel()
			may := allowed(server, generatorFault{})
			if !server.Sound() {
				may = []string{fail}
			}
			o := playUntilDecided(t, may, func() *outcome {
				return generate(t, serve(t, server, s), generatorFault{}, s.scenario(t, besideThresholds()))
			})
			t.Log(o.Verdict, o.Reasons, o.Doubts)
			assert.Contains(t, may, o.Verdict, "%v", o)
			if o.Verdict == fail {
				assert.True(t, slices.ContainsFunc(server.Crosses, o.crossed), "none of %q is crossed: %v", server.Crosses, o)
			}
		})
	}
}

func TestGeneratorsBesideTheTable(t *testing.T) {
	t.Parallel()
	s := tableSize()
	for _, generator := range generatorFaultsBeside(s) {
		for _, server := range Faults(Run{Listeners: s.listeners, Middle: s.middle()}) {
			if !slices.Contains([]string{"forwards every packet", "loses a fifth of all packets", "refuses three of four"}, server.Does) {
				continue
			}
			t.Run("a generator that "+generator.sentence+" and a server that "+server.Does, func(t *testing.T) {
				t.Parallel()
				may := []string{pass, invalid}
				if !server.Sound() {
					may = []string{fail, invalid}
				}
				o := playUntilDecided(t, may, func() *outcome {
					return generate(t, serve(t, server, s), generator, s.scenario(t, besideThresholds()))
				})
				t.Log(o.Verdict, o.Reasons, o.Doubts)
				assert.Contains(t, may, o.Verdict, "%v", o)
				assert.False(t, o.crossed(Died), "none of these servers dies: %v", o)
				assertKeeps(t, server, o)
			})
		}
	}
}
