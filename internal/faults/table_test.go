//go:build unix

package faults

import (
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sync/semaphore"

	"github.com/earshot-audio/earshot/internal/calm"
)

// The verdicts.
const (
	pass    = "pass"
	fail    = "fail"
	invalid = "invalid"
)

// allowed are the verdicts that a cell may come out as.
func allowed(server Fault, generator generatorFault) []string {
	switch {
	case server.Sound() && generator.sound():
		return []string{pass}
	case server.Sound():
		return []string{pass, invalid}
	case server.Plain || generator.brief:
		return []string{fail}
	}
	return []string{fail, invalid}
}

// tries is how often a cell is played whose run says itself that the machine was too
// busy to say more: at first beside others, then in half of the machine, then twice alone.
const tries = 4

// machine is shared by the cells that are played at the same time. One that may come out
// as invalid takes a place of it, one that may not takes two, since it needs a machine
// that is not too busy; and one that is played again takes more.
var machine = semaphore.NewWeighted(sideBySide)

// morePlaces are those of a cell that is played again. Until it has all of them, nothing else
// begins: half of them are free soon, and mostly enough.
func morePlaces(had int64) int64 {
	if had < sideBySide/2 {
		return sideBySide / 2
	}
	return sideBySide
}

// share plays something with so much of the machine.
func share(t *testing.T, places int64, play func()) {
	t.Helper()
	require.NoError(t, machine.Acquire(t.Context(), places))
	defer machine.Release(places)
	if places == sideBySide {
		calm.Await()
	}
	play()
}

func TestFaultTable(t *testing.T) {
	s := tableSize()
	servers := Faults(Run{Listeners: s.listeners, Middle: s.middle()})
	columns := func(t *testing.T, around bool) {
		for _, generator := range generatorFaults(s) {
			if around != (generator.around != nil) {
				continue
			}
			t.Run("a generator that "+generator.sentence, func(t *testing.T) {
				if around {
					generator.around(t)
				} else {
					t.Parallel()
				}
				for _, server := range servers {
					t.Run("a server that "+server.Does, func(t *testing.T) {
						t.Parallel()
						playCell(t, s, server, generator)
					})
				}
			})
		}
	}
	t.Run("side by side", func(t *testing.T) { columns(t, false) })
	t.Run("one after the other", func(t *testing.T) { columns(t, true) })
}

// assertKeeps asserts that the server is blamed for nothing that it does not do.
func assertKeeps(t *testing.T, server Fault, o *outcome) {
	t.Helper()
	for _, threshold := range o.Thresholds {
		if metric, _, _ := strings.Cut(threshold.Metric, "{"); server.keeps(metric) {
			assert.False(t, o.crossed(metric), "%s is crossed by the generator's doing: %v", metric, o)
		}
	}
}

// playCell plays a pair, and again beside fewer others if the run says that the machine was
// too busy for a verdict that the cell needs.
func playCell(t *testing.T, s size, server Fault, generator generatorFault) {
	t.Helper()
	scenario, may := s.scenario(t, tableThresholds), allowed(server, generator)
	o := playUntilDecided(t, may, func() *outcome { return generate(t, serve(t, server, s), generator, scenario) })
	t.Log(o.Verdict, o.Reasons, o.Doubts)
	assert.Contains(t, may, o.Verdict, "%v", o)
	if o.Verdict == fail {
		assert.True(t, slices.ContainsFunc(server.Crosses, o.crossed), "none of %q is crossed: %v", server.Crosses, o)
	}
	assertKeeps(t, server, o)
	if len(generator.leaves) > 0 && server.Does == Faults(Run{})[0].Does {
		assert.True(t, o.hasOneOf(generator.leaves), "the fault left none of %q: %v", generator.leaves, o)
	}
}
