package link

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

func TestSilenceCountsWhatCouldBeHeard(t *testing.T) {
	for _, c := range []struct {
		sentence string
		passes   []time.Duration // a negative one is a word of the other side's
		lost     int
	}{
		{"nothing for long", repeated(ReportEvery, 16), 1},
		{"it is lost once", repeated(ReportEvery, 60), 1},
		{"not yet", repeated(ReportEvery, 15), 0},
		{"now and then a word", append(append(repeated(ReportEvery, 14), -1), repeated(ReportEvery, 14)...), 0},
		{"this process stood still", repeated(time.Hour, 7), 0},
		{"it is slow, and hears nothing all the same", repeated(time.Second, 8), 1},
	} {
		t.Run(c.sentence, func(t *testing.T) {
			var s Silence
			lost := 0
			for _, d := range c.passes {
				if d < 0 {
					s.Break()
				} else if s.Pass(d) {
					lost++
				}
			}
			assert.Equal(t, c.lost, lost)
		})
	}
}

func repeated(d time.Duration, n int) (all []time.Duration) {
	for range n {
		all = append(all, d)
	}
	return all
}
