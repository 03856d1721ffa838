package signaling

import (
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/earshot-audio/earshot/signaling/wire"
)

// N joins at once must cost each participant a few messages and not N: the number of
// messages grows with the time that it takes, not with N².
func TestPresenceInAJoinStorm(t *testing.T) {
	const people = 200
	const every = 250 * time.Millisecond
	h := open(t, func(cfg *Config) { cfg.PresenceEvery = every })
	start := time.Now()
	clients := make([]*client, people)
	var joining sync.WaitGroup
	for i := range clients {
		clients[i] = h.greet()
	}
	for _, c := range clients {
		joining.Go(func() { c.send(wire.Join{Room: "a"}) })
	}
	joining.Wait()

	// Everybody ends up with the right count, whatever they were shown first.
	for _, c := range clients {
		count := 0
		for count != people {
			switch m := c.next().(type) {
			case wire.Joined:
				count = m.Audience
			case wire.Presence:
				count = m.Audience
			}
		}
	}
	bound := int(time.Since(start)/every) + 2
	sent := h.metric("earshot_ws_messages_total", "out", string(wire.TypePresence))
	assert.LessOrEqual(t, sent, float64(people*bound))
	assert.Positive(t, sent)
}

func TestPresenceSendsTheLatestState(t *testing.T) {
	h := open(t, func(cfg *Config) { cfg.PresenceEvery = 100 * time.Millisecond })
	host, ada := h.enter("a", wire.RoleHost, "Ada")
	c, me := h.enter("a", "", "Bo")
	watcher, seen := h.enter("a", "", "Cy")
	require.Equal(t, []wire.StageMember{{Member: ada.Member, Name: "Ada", Role: wire.RoleHost, Talker: ada.Talker}}, seen.Stage)

	// Promoted, muted, unmuted and demoted, faster than the interval or not.
	host.expectOK(wire.Promote{Member: me.Member})
	host.expectOK(wire.Mute{Member: me.Member, Muted: true})
	host.expectOK(wire.Mute{Member: me.Member})
	host.expectOK(wire.Demote{Member: me.Member})
	// The last state is: on stage and muted.
	host.expectOK(wire.Promote{Member: me.Member, Role: wire.RoleHost})
	c.awaitOK(wire.Mute{Muted: true})

	// A client that applies the changes by member has the right state.
	want := []wire.StageMember{
		{Member: ada.Member, Name: "Ada", Role: wire.RoleHost, Talker: ada.Talker},
		{Member: me.Member, Name: "Bo", Role: wire.RoleHost, Talker: me.Talker, Muted: true},
	}
	stage := seen.Stage
	for !slices.Equal(stage, want) {
		p := watcher.presence(func(wire.Presence) bool { return true })
		for _, change := range p.StageChanges {
			stage = slices.DeleteFunc(stage, func(m wire.StageMember) bool { return m.Member == change.Member })
			if !change.Gone {
				stage = append(stage, change.StageMember)
			}
		}
		if slices.Equal(stage, want) {
			assert.Equal(t, 1, p.Audience)
		}
	}
}

// A newcomer is shown a count that then changes back to what all others were sent
// last. The newcomer must be sent it, too.
// TestApplauseIsShownToEverybody has somebody on stage applaud: all are told. A listener
// cannot, and who comes later sees nothing of it.
func TestApplauseIsShownToEverybody(t *testing.T) {
	h := open(t, func(cfg *Config) { cfg.PresenceEvery = 100 * time.Millisecond })
	host, ada := h.enter("a", wire.RoleHost, "Ada")
	bo, _ := h.enter("a", "", "Bo")
	for _, c := range []*client{host, bo} { // that Ada has come is said by then
		c.presence(func(p wire.Presence) bool { return p.Audience == 1 })
	}
	bo.expectError(wire.Applaud{}, wire.CodeConflict)
	host.expectOK(wire.Applaud{})
	for _, c := range []*client{host, bo} {
		p := c.presence(func(p wire.Presence) bool { return len(p.Applause) > 0 })
		assert.Equal(t, []string{ada.Member}, p.Applause)
		assert.Empty(t, p.StageChanges)
	}
	cy, _ := h.enter("a", "", "Cy")
	host.expectOK(wire.Mute{Member: ada.Member, Muted: true})
	p := cy.presence(func(p wire.Presence) bool { return len(p.StageChanges) > 0 })
	assert.Empty(t, p.Applause)
}

func TestPresenceCorrectsANewcomer(t *testing.T) {
	h := open(t, func(cfg *Config) { cfg.PresenceEvery = 300 * time.Millisecond })
	gone, _ := h.enter("a", "", "")
	gone.presence(func(p wire.Presence) bool { return p.Audience == 1 })
	c, joined := h.enter("a", "", "")
	require.Equal(t, 2, joined.Audience)
	gone.expectOK(wire.Leave{})
	c.presence(func(p wire.Presence) bool { return p.Audience == 1 })
}

func TestPresenceWithoutAChange(t *testing.T) {
	h := open(t, func(cfg *Config) { cfg.PresenceEvery = time.Millisecond })
	host, _ := h.enter("a", wire.RoleHost, "Ada")
	c, _ := h.enter("a", "", "Bo")
	c.presence(func(p wire.Presence) bool { return p.Audience == 1 })
	c.awaitOK(wire.RaiseHand{})
	host.presence(func(p wire.Presence) bool { return len(p.Hands) == 1 })
	c.awaitOK(wire.RaiseHand{})
	c.awaitOK(wire.LowerHand{})
	next := host.presence(func(wire.Presence) bool { return true })
	assert.NotNil(t, next.Hands)
	assert.Empty(t, next.Hands, "raising a raised hand tells nobody")
}
