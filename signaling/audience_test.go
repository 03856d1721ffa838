package signaling

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/earshot-audio/earshot/signaling/wire"
)

func TestAudienceIsListedToWhoAsks(t *testing.T) {
	h := open(t, nil)
	host, _ := h.enter("a", wire.RoleHost, "Ada")
	bo, me := h.enter("a", "", "Bo")
	_, cy := h.enter("a", "", "Cy")
	bo.awaitOK(wire.RaiseHand{})

	all := wire.Audience{ID: "7", People: []wire.AudienceMember{{Member: me.Member, Name: "Bo", Hand: true}, {Member: cy.Member, Name: "Cy"}}, Count: 2}
	for _, c := range []*client{host, bo} {
		c.send(wire.ListAudience{ID: "7"})
		assert.Equal(t, all, await[wire.Audience](c))
	}
	host.send(wire.ListAudience{ID: "8", Search: "c"})
	assert.Equal(t, wire.Audience{ID: "8", People: all.People[1:], Count: 1}, await[wire.Audience](host))
	bo.send(wire.ListAudience{Search: "c"})
	assert.Equal(t, wire.CodeForbidden, await[wire.Error](bo).Code, "a listener searches")

	// Someone whose hand is down is invited and put out like any other.
	host.expectOK(wire.InviteToStage{Member: cy.Member})
	host.expectOK(wire.Remove{Member: cy.Member})
	await[wire.StageInviteClosed](host)
	host.send(wire.ListAudience{ID: "9"})
	assert.Equal(t, 1, await[wire.Audience](host).Count)
}

// Names are sent to those who ask, and cost the others nothing: a listener gets the
// same messages, byte by byte, whether or not somebody looks at the audience.
func TestAudienceCostsListenersNothing(t *testing.T) {
	received := func(looking bool) (messages int, bytes int) {
		h := open(t, func(cfg *Config) { cfg.PresenceEvery = time.Millisecond })
		curious, _ := h.enter("a", wire.RoleHost, "Ada")
		quiet, _ := h.enter("a", "", "Bo")
		quiet.presence(func(p wire.Presence) bool { return p.Audience == 1 })
		for i := range 5 {
			another, _ := h.enter("a", "", fmt.Sprint("listener ", i))
			if looking {
				curious.send(wire.ListAudience{})
				another.send(wire.ListAudience{})
				require.Equal(t, 2+i, await[wire.Audience](curious).Count)
				require.Equal(t, 2+i, await[wire.Audience](another).Count)
			}
			for arrived := false; !arrived; {
				m := quiet.next()
				data, err := wire.Encode(m)
				require.NoError(t, err)
				messages, bytes = messages+1, bytes+len(data)
				p, ok := m.(wire.Presence)
				arrived = ok && p.Audience == 2+i
			}
		}
		return messages, bytes
	}
	messages, bytes := received(false)
	lookedAt, bytesLookedAt := received(true)
	assert.Equal(t, messages, lookedAt)
	// The number of the last change begins with the time, and may have a digit more.
	assert.InDelta(t, bytes, bytesLookedAt, float64(messages))
	assert.Less(t, bytes/messages, 100, "bytes of a presence message")
}
