//go:build unix

package faults

import (
	"slices"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
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
// busy to say more.
const tries = 3

// alone is held for writing by a cell that nothing else is to be played beside.
var alone sync.RWMutex

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

// playCell plays a pair, and once more and alone if the run says that the machine was
// too busy for a verdict that the cell needs.
func playCell(t *testing.T, s size, server Fault, generator generatorFault) {
	t.Helper()
	scenario, may := s.scenario(t, tableThresholds), allowed(server, generator)
	var o *outcome
	for try := range tries {
		func() {
			if try == 0 {
				alone.RLock()
				defer alone.RUnlock()
			} else {
				alone.Lock()
				defer alone.Unlock()
			}
			o = generate(t, serve(t, server, s), generator, scenario)
		}()
		if o.Verdict != invalid || slices.Contains(may, invalid) || !o.busy() {
			break
		}
		t.Log("the machine was too busy:", o.Reasons)
	}
	t.Log(o.Verdict, o.Reasons, o.Doubts)
	assert.Contains(t, may, o.Verdict, "%v", o)
	if o.Verdict == fail {
		assert.True(t, slices.ContainsFunc(server.Crosses, o.crossed), "none of %q is crossed: %v", server.Crosses, o)
	}
	if len(generator.leaves) > 0 && server.Does == Faults(Run{})[0].Does {
		assert.True(t, slices.ContainsFunc(generator.leaves, func(doubt string) bool { return o.Doubts[doubt] > 0 }),
			"the fault left none of %q: %v", generator.leaves, o)
	}
}
