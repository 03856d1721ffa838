package endtoend_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/earshot-audio/earshot/loadgen/metric"
	"github.com/earshot-audio/earshot/signaling/wire"
)

// unhurried is a connection of a server that takes its time to answer the offers of listeners' mics.
type unhurried struct {
	takes time.Duration

	named  chan string
	name   string
	offers int
}

func (u *unhurried) fromClient(m message) (answer any, pass, open bool) {
	if m.Type == wire.TypeJoin {
		u.named <- m.Name
	}
	return nil, true, true
}

func (u *unhurried) fromServer(m message) {
	switch m.Type {
	case wire.TypeJoined:
		u.name = <-u.named
	case wire.TypeAnswer:
		if u.offers++; u.offers > 1 && strings.HasPrefix(u.name, "listener") { // after their ears'
			time.Sleep(u.takes)
		}
	}
}

// serveUnhurried starts one.
func serveUnhurried(t *testing.T, takes time.Duration) string {
	return proxySignaling(t, serve(t), func() signalingTap { return &unhurried{takes: takes, named: make(chan string, 4)} })
}

// Two acts of the timeline are for one person, and a sound server takes its time for the first. The second
// waits: else the generator would end by the one what it awaits of the other, a mic or an ear that opens, and the
// server would be to blame.
func TestActsOnOnePersonDoNotOverlap(t *testing.T) {
	t.Parallel()
	const takes = 2500 * time.Millisecond
	for _, c := range []struct {
		sentence string
		events   string
		want     map[string]int // samples
		owed     uint64         // packets, at least
	}{
		{"who is being promoted is kicked", `
  - {at: 700ms, who: listener, count: 1, do: promote}
  - {at: 2500ms, who: speaker, count: 2, do: kick}
`, map[string]int{"promote_duration": 1, "kick_silence": 2}, 0},
		{"who is being promoted is banned", `
  - {at: 700ms, who: listener, count: 1, do: promote}
  - {at: 2500ms, who: speaker, count: 2, do: ban}
`, map[string]int{"promote_duration": 1, "kick_silence": 2}, 0},
		{"who is being promoted is demoted", `
  - {at: 700ms, who: listener, count: 1, do: promote}
  - {at: 2500ms, who: speaker, count: 2, do: demote}
`, map[string]int{"promote_duration": 1, "mute_silence": 2}, 0},
		{"who is being promoted leaves", `
  - {at: 700ms, who: listener, count: 1, do: promote}
  - {at: 2500ms, who: speaker, count: 2, do: leave}
`, map[string]int{"promote_duration": 1}, 0},
		{"two become the host at once, and another is muted", `
  - {at: 700ms, who: listener, count: 2, do: pass-host}
  - {at: 700ms, who: speaker, count: 1, do: mute}
`, map[string]int{"promote_duration": 2, "mute_silence": 1}, 0},
		{"the room ends while somebody is being promoted", `
  - {at: 700ms, who: listener, count: 1, do: promote}
  - {at: 2500ms, do: end}
`, map[string]int{"promote_duration": 1}, 0},
		{"who is being muted is unmuted, and muted again", `
  - {at: 700ms, who: speaker, count: 1, do: mute}
  - {at: 1000ms, who: speaker, count: 1, do: unmute}
  - {at: 5s, who: speaker, count: 1, do: mute}
`, map[string]int{"mute_silence": 2}, 2600}, // of the host 1,800, and of the speaker less than 600 if they stay mute
	} {
		t.Run(c.sentence, func(t *testing.T) {
			t.Parallel()
			r := played(t, native(t, serveUnhurried(t, takes)), fmt.Sprintf(`
name: two at once
room: {capacity: 9, slots: 3}
cast:
  - {role: host, count: 1, audio: audio/host.ogg}
  - {role: speaker, count: 1, audio: audio/guest.ogg}
  - {role: listener, count: 6, audio: audio/reader.ogg, arrive: {within: 100ms}}
timeline:%s
hold: 6s
`, c.events))
			assert.Empty(t, r.Problems)
			for _, name := range []string{"joined", "published", "delivered"} {
				all := rateOf(t, r, name)
				assert.Equal(t, all.Total, all.Passes, name)
				assert.Positive(t, all.Total, name)
			}
			assert.Zero(t, r.Mics.Ended, "mics that the server ended")
			assert.GreaterOrEqual(t, rateOf(t, r, "delivered").Total, c.owed, "packets that listeners are owed")
			for name, n := range c.want {
				assert.EqualValues(t, n, trendOf(t, r.Values, name).Count(), name)
				if best, doubted := r.Best[name].(*metric.Trend); doubted {
					assert.EqualValues(t, n, best.Count(), "all of %s have been played", name)
				}
			}
		})
	}
}
