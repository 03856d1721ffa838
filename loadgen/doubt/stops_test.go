package doubt

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

// A server takes people for gone of whom it hears nothing for long, and not since a machine is busy now and then.
func TestStoppedLongIsWithinAShortTime(t *testing.T) {
	for _, c := range []struct {
		sentence string
		every    time.Duration // a stop begins
		stop     time.Duration
		stops    int
		long     bool
	}{
		{"one stop that is long", time.Minute, LongStop, 1, true},
		{"one that is shorter", time.Minute, LongStop - 100*time.Millisecond, 1, false},
		{"half of ten seconds, in short stops", 200 * time.Millisecond, 100 * time.Millisecond, 60, true},
		{"a tenth of a minute", time.Second, 100 * time.Millisecond, 60, false},
		{"a third of a minute", 300 * time.Millisecond, 100 * time.Millisecond, 200, false},
	} {
		t.Run(c.sentence, func(t *testing.T) {
			d := &Register{}
			for n := range c.stops {
				from := 10*time.Second + time.Duration(n)*c.every
				d.Contend(from, from+c.stop, c.stop)
			}
			assert.Equal(t, c.long, d.StoppedLong(0, 80*time.Second))
		})
	}
}
