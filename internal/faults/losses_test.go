//go:build unix

package faults

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Where a foreign server loses packets, its RTCP reports tell. No server passes for what it
// says. A busy machine makes the verdict invalid, and the places no others.
func TestLossesOfAForeignServerArePlaced(t *testing.T) {
	t.Parallel()
	s := tableSize()
	s.hold = max(s.hold, 4*time.Second) // Pion reports once a second
	drops := generatorFault{environment: []string{receiveBuffer + "=4096"}, strike: func(g *generator) error {
		for run := g.in("steady", 200*time.Millisecond); run && !g.has("settling"); run = g.sleep(600 * time.Millisecond) {
			g.stop(200 * time.Millisecond)
		}
		return nil
	}}
	for _, c := range []struct {
		does      string
		generator generatorFault
		place     string // where nearly all of it is lost
		may       []string
	}{
		{Reports, generatorFault{}, "nowhere", []string{pass, invalid}},
		{ReportsLossyIn, generatorFault{}, "uplink", []string{fail, invalid}},
		{ReportsLossy, generatorFault{}, "server", []string{fail, invalid}},
		{ReportsLossOut, generatorFault{}, "downlink", []string{fail, invalid}},
		{Reports, drops, "generator", []string{pass, invalid}},
	} {
		t.Run("a server that "+c.does+", and the place is "+c.place, func(t *testing.T) {
			t.Parallel()
			o := playUntil(t, 1, func(o *outcome) bool { return c.place == "nowhere" || o.placed(c.place) }, func() *outcome {
				return generate(t, serve(t, Fault{Does: c.does}, s), c.generator, s.scenario(t, "  delivered: [\"rate >= 0.99\"]\n"))
			})
			assert.Contains(t, c.may, o.Verdict, "%v", o)
			t.Logf("%s: %+v", o.Verdict, o.Losses)
			if c.place == "nowhere" {
				return
			}
			require.Positive(t, o.Losses.Lost, "%v", o)
			assert.True(t, o.placed(c.place) || o.busy(), "not placed: %v", o)
			for place, is := range o.places() {
				// What was sent after the last reports is not known, nor what probes lost.
				if place == c.place {
					assert.Greater(t, is.Most, o.Losses.Lost*3/4, "%s: %v", place, o)
				} else {
					assert.Less(t, is.Least, o.Losses.Lost/8, "%s: %v", place, o)
				}
			}
			assert.Equal(t, 1, o.Losses.MicsReported, "%v", o)
			assert.Positive(t, o.Losses.EarsReported, "%v", o)
		})
	}
}

// places are the places where packets may have been lost.
func (o *outcome) places() map[string]packets {
	return map[string]packets{"uplink": o.Losses.Uplink, "server": o.Losses.Server, "downlink": o.Losses.Downlink, "generator": o.Losses.Generator}
}

// placed reports whether an eighth of the losses were surely at a place. Whose packets the
// kernel dropped is never sure: for the generator most of them may have been there.
func (o *outcome) placed(place string) bool {
	if place == "generator" {
		return o.Losses.Generator.Most > o.Losses.Lost*3/4
	}
	return o.places()[place].Least > o.Losses.Lost/8
}
