package signaling

import (
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/earshot-audio/earshot/signaling/wire"
)

// A storm of N joins must cost each person a few messages and not N: what is
// sent grows with the time it takes, not with N².
func TestPresenceOfAJoinStormIsGathered(t *testing.T) {
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
	sent := testutil.ToFloat64(h.server.metrics.out[wire.TypePresence])
	assert.LessOrEqual(t, sent, float64(people*bound))
	assert.Positive(t, sent)
}

func TestPresenceTellsTheLatestState(t *testing.T) {
	h := open(t, func(cfg *Config) { cfg.PresenceEvery = 100 * time.Millisecond })
	host, ada := h.enter("a", wire.RoleHost, "Ada")
	c, me := h.enter("a", "", "Bo")
	watcher, seen := h.enter("a", "", "Cy")
	require.Equal(t, []wire.StageMember{{Member: ada.Member, Name: "Ada", Role: wire.RoleHost, Talker: ada.Talker}}, seen.Stage)

	// Up, muted, unmuted, and down again, faster than the interval or not.
	host.ask(wire.Promote{Member: me.Member})
	host.ask(wire.Mute{Member: me.Member, Muted: true})
	host.ask(wire.Mute{Member: me.Member})
	host.ask(wire.Demote{Member: me.Member})
	// Promoted for good, so that the last state is to be on stage and muted.
	host.ask(wire.Promote{Member: me.Member, Role: wire.RoleHost})
	c.ask2(wire.Mute{Muted: true})

	// Whoever applies the changes by member has the right picture.
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

// A newcomer is shown a count that changes back to what all others were told
// last: it must still learn that.
func TestANewcomerIsNotLeftWithAnOldCount(t *testing.T) {
	h := open(t, func(cfg *Config) { cfg.PresenceEvery = 300 * time.Millisecond })
	gone, _ := h.enter("a", "", "")
	gone.presence(func(p wire.Presence) bool { return p.Audience == 1 })
	c, joined := h.enter("a", "", "")
	require.Equal(t, 2, joined.Audience)
	gone.ask(wire.Leave{})
	c.presence(func(p wire.Presence) bool { return p.Audience == 1 })
}

func TestNobodyIsToldWhatHasNotChanged(t *testing.T) {
	h := open(t, func(cfg *Config) { cfg.PresenceEvery = time.Millisecond })
	host, _ := h.enter("a", wire.RoleHost, "Ada")
	c, _ := h.enter("a", "", "Bo")
	c.presence(func(p wire.Presence) bool { return p.Audience == 1 })
	c.ask2(wire.RaiseHand{})
	host.presence(func(p wire.Presence) bool { return len(p.Hands) == 1 })
	c.ask2(wire.RaiseHand{})
	c.ask2(wire.LowerHand{})
	next := host.presence(func(wire.Presence) bool { return true })
	assert.NotNil(t, next.Hands)
	assert.Empty(t, next.Hands, "raising a raised hand tells nobody")
}
