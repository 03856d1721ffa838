package network

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

func TestProfileValidateNamesTheField(t *testing.T) {
	for _, c := range []struct {
		name string
		p    Profile
		says string
	}{
		{"a name with a space", Profile{Name: "my net"}, "name: "},
		{"no name", Profile{}, "name: "},
		{"a negative delay", Profile{Name: "x", Up: Direction{Delay: -1}}, "up.delay: "},
		{"a delay of a minute", Profile{Name: "x", Down: Direction{Delay: time.Minute}}, "down.delay: "},
		{"a loss of 5 that was meant as percent", Profile{Name: "x", Down: Direction{Loss: 5}}, "down.loss: 5 is no share"},
		{"a burst without a length", Profile{Name: "x", Down: Direction{Bursts: Bursts{Every: 10}}}, "down.bursts.length: "},
		{"a burst too dense", Profile{Name: "x", Up: Direction{Bursts: Bursts{Every: 10, Length: 1, Density: 2}}}, "up.bursts.density: "},
		{"a bandwidth of a bit", Profile{Name: "x", Up: Direction{Bandwidth: 1}}, "up.bandwidth: "},
		{"a shape that is none", Profile{Name: "x", Up: Direction{Jitter: Jitter{Shape: "triangle"}}}, "up.shape: "},
		{"an outage of no length", Profile{Name: "x", Outages: []Outage{{At: 1}}}, "outages[0]: "},
		{"a rebind in the past", Profile{Name: "x", Rebinds: []time.Duration{-1}}, "rebinds[0]: "},
	} {
		t.Run(c.name, func(t *testing.T) {
			assert.ErrorContains(t, c.p.Validate(), c.says)
		})
	}
	assert.NoError(t, (&Profile{Name: "nothing-special"}).Validate())
}

func TestProfileOutagesAndRebinds(t *testing.T) {
	p := Profile{Name: "x", Outages: []Outage{{At: time.Second, For: time.Second}}, Rebinds: []time.Duration{0, 3 * time.Second}}
	assert.False(t, p.Out(999*time.Millisecond))
	assert.True(t, p.Out(time.Second))
	assert.True(t, p.Out(1999*time.Millisecond))
	assert.False(t, p.Out(2*time.Second))
	assert.Equal(t, 0, p.Rebound(-1))
	assert.Equal(t, 1, p.Rebound(time.Second))
	assert.Equal(t, 2, p.Rebound(3*time.Second))
}
