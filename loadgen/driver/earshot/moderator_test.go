package earshot

import (
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/earshot-audio/earshot/loadgen/scenario"
	"github.com/earshot-audio/earshot/signaling/wire"
)

// TestModeratorComesBack has the server break the moderator's connection off: the next act is carried out by one who is
// there again.
func TestModeratorComesBack(t *testing.T) {
	const resumed = `","room":"room","member":"m","role":"host","talker":7,"slots":3,"audience":1,"talkers":[],"rev":9,"resume":{"key":"key","window_s":5}}`
	for _, c := range []struct {
		name   string
		answer func(id string) string // to resume
		joins  int32
	}{
		{"their session is resumed", func(id string) string { return `{"type":"resumed","id":"` + id + resumed }, 2},
		{"their session is over, and they join again", func(id string) string {
			return `{"type":"error","id":"` + id + `","code":"not_found","message":"no such session"}`
		}, 3},
		{"their room is on its way to another node at first", func() func(id string) string {
			refused := false
			return func(id string) string {
				if !refused {
					refused = true
					return `{"type":"error","id":"` + id + `","code":"unavailable","message":"try again"}`
				}
				return `{"type":"resumed","id":"` + id + resumed
			}
		}(), 2},
	} {
		t.Run(c.name, func(t *testing.T) {
			var joins, bans atomic.Int32
			room := fakeServer(t, func(m wire.ClientMessage, say func(string)) {
				switch m := m.(type) {
				case wire.Resume:
					say(c.answer(m.ID))
				case wire.Ban:
					bans.Add(1)
					say(`{"type":"ok","id":"` + m.ID + `"}`)
				case wire.Remove:
					say(strings.Repeat("x", 2*wire.MaxMessage)) // which ends the connection
				case wire.Leave:
					say(`{"type":"ok","id":"` + m.ID + `"}`)
				case wire.Join:
					joins.Add(1)
					answerJoin(m, say)
				default:
					answerJoin(m, say)
				}
			})
			visit, err := room.Join(t.Context(), "name", scenario.Listener)
			require.NoError(t, err)
			require.Error(t, room.Act(t.Context(), scenario.Kick, visit), "nobody knows whether it was carried out")
			require.NoError(t, room.Act(t.Context(), scenario.Ban, visit))
			require.NoError(t, room.Act(t.Context(), scenario.Ban, visit))
			assert.EqualValues(t, 2, bans.Load())
			assert.Equal(t, c.joins, joins.Load())
			require.NoError(t, visit.Leave(t.Context()))
			require.NoError(t, room.moderator.close())
		})
	}
}
