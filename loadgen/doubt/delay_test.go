package doubt

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

func TestDelayIsTheMostThatCausesTogetherDelayAPacket(t *testing.T) {
	const second, ms = time.Second, time.Millisecond
	steal := func(took time.Duration) func(*Register) {
		return func(d *Register) { d.Steal(4*second, 5*second, took, 0.5) }
	}
	waits := func(server time.Duration) func(*Register) {
		return func(d *Register) {
			d.Contend(4*second, 5*second, second)
			d.Cores.Deprive(3*second, 5*second, server)
		}
	}
	late := func(room int, at, by time.Duration) func(*Register) {
		return func(d *Register) { d.Sent(room, VoiceOf(1), at, by) }
	}
	for _, c := range []struct {
		sentence string
		books    []func(*Register)
		most     time.Duration
		more     bool
	}{
		{"nothing happened", nil, 0, false},
		{"a frame was late", []func(*Register){late(1, 4*second, 30*ms)}, 30 * ms, false},
		{"two were, of which one is the packet", []func(*Register){late(1, 4*second, 30*ms), late(1, 5*second, 20*ms)}, 30 * ms, false},
		{"one was very late", []func(*Register){late(1, 4*second, 100*ms)}, 100 * ms, true},
		{"one of another room was", []func(*Register){late(2, 4*second, 100*ms)}, 0, false},
		{"one was long before", []func(*Register){late(1, second, 100*ms)}, 0, false},
		{"one was no later than is never heard", []func(*Register){late(1, 4*second, 5*ms)}, 0, false},
		{"cores were taken", []func(*Register){steal(40 * ms)}, 40 * ms, false},
		{"they were taken for long", []func(*Register){steal(100 * ms)}, 100 * ms, true},
		{"all of them delayed it", []func(*Register){steal(40 * ms), late(1, 4*second, 30*ms), waits(20 * ms)}, 90 * ms, false},
		{"the process stopped for a moment, twice", []func(*Register){
			func(d *Register) { d.Book(Stalled, 4*second, 4*second+50*ms) }, func(d *Register) { d.Book(Stalled, 5*second, 5*second+60*ms) },
		}, 110 * ms, false},
		{"it stopped for long", []func(*Register){func(d *Register) { d.Book(Stalled, 4*second, 4*second+100*ms) }}, 100 * ms, true},
		{"the server waited for cores", []func(*Register){waits(30 * ms)}, 30 * ms, false},
		{"it waited for long", []func(*Register){waits(100 * ms)}, 100 * ms, true},
		{"it waited in two seconds, which are both of one packet", []func(*Register){waits(60 * ms), func(d *Register) { d.Cores.Deprive(4*second, 6*second, 60*ms) }}, 120 * ms, true},
		{"nobody knows how long it waited", []func(*Register){func(d *Register) { d.Contend(4*second, 5*second, 100*ms) }}, 0, true},
		{"all threads together waited for less than a loss takes", []func(*Register){func(d *Register) { d.Contend(4*second, 5*second, 99*ms) }}, 99 * ms, false},
		{"the server was behind", []func(*Register){func(d *Register) { d.Compete(4*second, 5*second, 70*ms, 50*ms, false) }}, 50 * ms, false},
		{"it was far behind", []func(*Register){func(d *Register) { d.Compete(4*second, 5*second, 70*ms, 100*ms, false) }}, 100 * ms, true},
		{"packets were dropped", []func(*Register){func(d *Register) { d.Book(Dropped, 4*second, 5*second) }}, 0, true},
		{"the clock was stepped", []func(*Register){func(d *Register) { d.Book(Stepped, 4*second, 5*second) }}, 0, true},
		{"a quota kept the generator from running, whose late frames are counted", []func(*Register){func(d *Register) { d.Throttle(4*second, 5*second, second) }}, 0, false},
	} {
		t.Run(c.sentence, func(t *testing.T) {
			d := &Register{}
			for _, book := range c.books {
				book(d)
			}
			most, more := d.Delay(1, 3*second, 8*second)
			assert.Equal(t, c.most, most)
			assert.Equal(t, c.more, more)
		})
	}
}
