package fanout

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// A packet's earlier frame is that of the packet before it in the section, or none.
func TestPacketEarlier(t *testing.T) {
	s := newStage(t, Config{Slots: 1})
	ear, moved := s.ear(SubscribeOptions{Sections: 1}), &fakeEar{}
	sub, err := s.router.Subscribe(moved, SubscribeOptions{Sections: 1})
	require.NoError(t, err)
	a, b := s.voice(1), s.voice(2)
	say := func(v *voice, payload string) {
		v.say(payload, 40)
		s.tick()
	}
	say(a, "first")
	say(a, "second")
	a.lose()
	s.tick()
	say(a, "after one that was lost")
	say(a, "next")
	a.pause()
	s.tick()
	say(a, "after a pause")
	s.flush()
	sub.SetOwner(9)
	say(a, "after a move")
	say(a, "then")
	a.mic.Close()
	say(b, "another talker")
	s.flush()
	earlier := func(e *fakeEar) (list []string) {
		var last heard
		for _, p := range e.all() {
			text := "-"
			if p.Earlier != nil {
				text = string(p.Earlier.Payload)
				assert.Equal(t, last.Seq+1, p.Seq)
				assert.Equal(t, last.Timestamp+p.EarlierBy, p.Timestamp)
			}
			list, last = append(list, text), p
		}
		return list
	}
	assert.Equal(t, []string{"-", "first", "-", "after one that was lost", "next", "after a pause", "after a move", "-"}, earlier(ear))
	assert.Equal(t, []string{"-", "first", "-", "after one that was lost", "next", "-", "after a move", "-"}, earlier(moved))
}
