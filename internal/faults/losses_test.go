//go:build unix

package faults

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

// Where a foreign server loses packets, its RTCP reports tell. No server passes for what it
// says. A busy machine makes the verdict invalid, and the places no others.
func TestLossesOfAForeignServerArePlaced(t *testing.T) {
	t.Parallel()
	s := tableSize()
	s.hold = max(s.hold, 4*time.Second) // Pion reports once a second
	for _, c := range []struct {
		does  string
		place string // where nearly all of it is lost; "" is nowhere
		may   []string
	}{
		{Reports, "", []string{pass, invalid}},
		{ReportsLossyIn, "uplink", []string{fail, invalid}},
		{ReportsLossy, "server", []string{fail, invalid}},
		{ReportsLossOut, "downlink", []string{fail, invalid}},
	} {
		t.Run("a server that "+c.does, func(t *testing.T) {
			t.Parallel()
			o := playUntilDecided(t, c.may, func() *outcome {
				return generate(t, serve(t, Fault{Does: c.does}, s), generatorFault{}, s.scenario(t, "  delivered: [\"rate >= 0.99\"]\n"))
			})
			assert.Contains(t, c.may, o.Verdict, "%v", o)
			if c.place == "" {
				return
			}
			lost := o.Losses.Lost
			for place, is := range map[string]packets{"uplink": o.Losses.Uplink, "server": o.Losses.Server, "downlink": o.Losses.Downlink} {
				// What was sent after the last reports is not known, nor what probes lost.
				if place == c.place {
					assert.Greater(t, is.Most, lost*3/4, "%s: %v", place, o)
					assert.Greater(t, is.Least, lost/8, "%s: %v", place, o)
				} else {
					assert.Less(t, is.Least, lost/8, "%s: %v", place, o)
				}
			}
			assert.Equal(t, 1, o.Losses.MicsReported, "%v", o)
			assert.Positive(t, o.Losses.EarsReported, "%v", o)
		})
	}
}
