package signaling

import (
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/earshot-audio/earshot/signaling/wire"
)

// counted returns how many mics and ears the server counts.
func (h *testServer) counted() (mics, ears int) {
	return int(h.metric("earshot_mics")), int(h.metric("earshot_ears"))
}

func (h *testServer) awaitMedia(mics, ears int) {
	h.t.Helper()
	require.Eventually(h.t, func() bool {
		m, e := h.counted()
		return m == mics && e == ears
	}, eventually, often)
}

func TestMicIsHeardByAllButItsOwner(t *testing.T) {
	h := open(t, nil)
	host, ada := h.enter("a", wire.RoleHost, "Ada")
	c, _ := h.enter("a", "", "Bo")
	own, ear := host.openMedia(wire.MediaEar), c.openMedia(wire.MediaEar)
	mic := host.openMedia(wire.MediaMic)
	ear.awaitFrame(ada.Talker, 0)
	for {
		if m, ok := c.next().(wire.Talkers); ok && len(m.Talkers) > 0 {
			assert.Equal(t, []uint32{ada.Talker}, m.Talkers)
			break
		}
	}
	late, joined := h.enter("a", "", "Cy")
	assert.Equal(t, []uint32{ada.Talker}, joined.Talkers, "a latecomer knows who talks")
	late.awaitOK(wire.Leave{})

	ear.awaitFrame(ada.Talker, mic.sent.Load())
	assert.Empty(t, own.all(), "nobody hears their own mic")
	h.awaitMedia(1, 2)
}

func TestMuteStopsTheMic(t *testing.T) {
	h := open(t, nil)
	host, ada := h.enter("a", wire.RoleHost, "Ada")
	c, _ := h.enter("a", "", "Bo")
	ear, mic := c.openMedia(wire.MediaEar), host.openMedia(wire.MediaMic)
	ear.awaitFrame(ada.Talker, 0)

	host.awaitOK(wire.Mute{Muted: true})
	assert.Equal(t, wire.Muted{Muted: true, MayUnmute: true, By: ada.Member}, host.answer())
	// What is sent from here on must not pass, except what is in flight when the mute
	// ends.
	const silent, underway = 10, 40
	from := mic.sent.Load()
	to := from + silent
	require.Eventually(t, func() bool { return mic.sent.Load() >= to+underway }, eventually, often)
	host.awaitOK(wire.Mute{Muted: false})
	ear.awaitFrame(ada.Talker, to+underway)
	for _, got := range ear.all() {
		assert.False(t, got.frame > from && got.frame <= to, "frame %d was sent while muted (%d to %d)", got.frame, from, to)
	}
}

// pauses counts how often nothing came for 10 ms, amid the last 50 frames that the
// peer has heard since a time. It returns false if there are fewer yet.
func (p *peer) pauses(since time.Time) (n int, ok bool) {
	all := p.all()
	const frames = 50
	if len(all) < frames || all[len(all)-frames].at.Before(since) {
		return 0, false
	}
	all = all[len(all)-frames:]
	for i := 1; i < frames; i++ {
		if all[i].at.Sub(all[i-1].at) > 10*time.Millisecond {
			n++
		}
	}
	return n, true
}

// A host has the audience's packets come in bundles, and at once again; people on stage
// never wait.
func TestHostChangesTheAudienceHold(t *testing.T) {
	h := open(t, nil)
	_, answer := h.call(http.MethodPost, "/api/rooms", "", `{"name":"a","audience_hold_ms":200}`)
	assert.Equal(t, 200.0, answer["audience_hold_ms"])
	host, ada := h.enter("a", wire.RoleHost, "Ada")
	speaker, _ := h.enter("a", wire.RoleSpeaker, "Cy")
	c, bo := h.enter("a", "", "Bo")
	assert.Equal(t, 200, bo.Rules.AudienceHold)
	ear, onStage := c.openMedia(wire.MediaEar), speaker.openMedia(wire.MediaEar)
	host.openMedia(wire.MediaMic)
	awaitPauses := func(p *peer, fits func(int) bool, why string) {
		t.Helper()
		from := time.Now()
		require.Eventually(t, func() bool {
			n, ok := p.pauses(from)
			return ok && fits(n)
		}, eventually, often, why)
	}
	few, many := func(n int) bool { return n < 15 }, func(n int) bool { return n > 25 }
	ear.awaitFrame(ada.Talker, 0)
	awaitPauses(ear, few, "ten frames leave at a time")
	awaitPauses(onStage, many, "on stage they come one by one")

	none := 0
	c.expectError(wire.SetRules{AudienceHold: &none}, wire.CodeForbidden)
	host.awaitOK(wire.SetRules{AudienceHold: &none})
	p := c.presence(func(p wire.Presence) bool { return p.Rules != nil })
	assert.Zero(t, p.Rules.AudienceHold)
	awaitPauses(ear, many, "one by one")
	_, answer = h.call(http.MethodGet, "/api/rooms/a", "", "")
	assert.NotContains(t, answer, "audience_hold_ms")

	some := 120
	host.awaitOK(wire.SetRules{AudienceHold: &some})
	awaitPauses(ear, few, "in bundles again")
	_, answer = h.call(http.MethodGet, "/api/rooms/a", "", "")
	assert.Equal(t, 120.0, answer["audience_hold_ms"])
}

func TestPromoteAndDemoteMic(t *testing.T) {
	h := open(t, nil)
	host, ada := h.enter("a", wire.RoleHost, "Ada")
	c, bo := h.enter("a", "", "Bo")
	hostEar, ear := host.openMedia(wire.MediaEar), c.openMedia(wire.MediaEar)
	host.openMedia(wire.MediaMic)
	ear.awaitFrame(ada.Talker, 0)

	c.expectError(wire.Offer{Media: wire.MediaMic, SDP: "v=0"}, wire.CodeForbidden)
	host.awaitOK(wire.Promote{Member: bo.Member})
	assert.Equal(t, wire.RoleChanged{Role: wire.RoleSpeaker, By: ada.Member}, c.answer())
	mic := c.openMedia(wire.MediaMic)
	hostEar.awaitFrame(bo.Talker, 0)
	ear.awaitFrame(ada.Talker, last(ear.all()))
	for _, got := range ear.all() {
		assert.NotEqual(t, bo.Talker, got.talker, "the ear of one who was promoted leaves out their own mic")
	}

	host.awaitOK(wire.Demote{Member: bo.Member})
	assert.Equal(t, wire.RoleChanged{Role: wire.RoleListener, By: ada.Member}, c.answer())
	assert.Equal(t, wire.MediaClosed{Media: wire.MediaMic, Reason: wire.CloseDemoted}, c.answer())
	mic.awaitEnd()
	h.awaitMedia(1, 2)
	ear.awaitFrame(ada.Talker, last(ear.all()))

	// On stage again, with a new mic.
	host.awaitOK(wire.Promote{Member: bo.Member})
	c.answer()
	heardBefore := len(hostEar.all())
	c.openMedia(wire.MediaMic)
	require.Eventually(t, func() bool { return len(hostEar.all()) > heardBefore }, eventually, often)
}

// last returns the number of the latest frame.
func last(all []heard) uint32 {
	var n uint32
	for _, h := range all {
		n = max(n, h.frame)
	}
	return n
}

func TestSecondOfferReplacesTheFirst(t *testing.T) {
	h := open(t, func(cfg *Config) { cfg.Capacity = 1 })
	host, ada := h.enter("a", wire.RoleHost, "Ada")
	c, _ := h.enter("a", "", "Bo")
	oldMic, oldEar := host.openMedia(wire.MediaMic), c.openMedia(wire.MediaEar)
	oldEar.awaitFrame(ada.Talker, 0)

	ear := newPeer(t, wire.MediaEar, 3)
	c.send(wire.Offer{ID: "2", Media: wire.MediaEar, SDP: ear.offer()})
	ear.accept(await[wire.Answer](c).SDP)
	oldEar.awaitEnd()
	ear.awaitFrame(ada.Talker, 0)
	assert.Equal(t, 1, h.audience("a"), "no second seat")

	mic := newPeer(t, wire.MediaMic, 1)
	host.send(wire.Offer{Media: wire.MediaMic, SDP: mic.offer()})
	mic.accept(await[wire.Answer](host).SDP)
	oldMic.awaitEnd()
	heardBefore := len(ear.all())
	require.Eventually(t, func() bool { return len(ear.all()) > heardBefore+10 }, eventually, often)
	h.awaitMedia(1, 1)
	c.awaitOK(wire.Leave{})
	for _, m := range c.drain() {
		assert.NotEqual(t, wire.TypeMediaClosed, wire.TypeOf(m), "a client knows what it has replaced")
	}
}

func TestBadOfferKeepsTheOpenSession(t *testing.T) {
	h := open(t, nil)
	host, ada := h.enter("a", wire.RoleHost, "Ada")
	c, _ := h.enter("a", "", "Bo")
	ear := c.openMedia(wire.MediaEar)
	mic := host.openMedia(wire.MediaMic)
	ear.awaitFrame(ada.Talker, 0)
	c.expectError(wire.Offer{Media: wire.MediaEar, SDP: "nonsense"}, wire.CodeBadRequest)
	host.expectError(wire.Offer{Media: wire.MediaMic, SDP: newPeer(t, wire.MediaEar, 1).offer()}, wire.CodeUnprocessable)
	ear.awaitFrame(ada.Talker, mic.sent.Load())
	h.awaitMedia(1, 1)
}

func TestHangup(t *testing.T) {
	h := open(t, nil)
	host, _ := h.enter("a", wire.RoleHost, "Ada")
	mic, ear := host.openMedia(wire.MediaMic), host.openMedia(wire.MediaEar)
	mic.awaitConnected()
	ear.awaitConnected()
	host.awaitOK(wire.Hangup{Media: wire.MediaMic})
	mic.awaitEnd()
	h.awaitMedia(0, 1)
	host.awaitOK(wire.Hangup{Media: wire.MediaMic})
	host.awaitOK(wire.Hangup{Media: wire.MediaEar})
	ear.awaitEnd()
	h.awaitMedia(0, 0)
}

func TestEarClosedByTheClient(t *testing.T) {
	h := open(t, nil)
	host, ada := h.enter("a", wire.RoleHost, "Ada")
	host.openMedia(wire.MediaMic)
	c, _ := h.enter("a", "", "Bo")
	ear := c.openMedia(wire.MediaEar)
	ear.awaitFrame(ada.Talker, 0)
	ear.close()
	assert.Equal(t, wire.MediaClosed{Media: wire.MediaEar, Reason: wire.CloseLost}, c.answer())
	assert.Equal(t, 1, h.audience("a"), "the person is still in the room")
	assert.EqualValues(t, 1, h.metric("earshot_media_sessions_ended_total", "ear", "hangup"))
	again := c.openMedia(wire.MediaEar)
	again.awaitFrame(ada.Talker, 0)
}

func TestLeavingEndsMedia(t *testing.T) {
	for name, out := range map[string]func(h *testServer, host *client, c *client, member string){
		"leaves":        func(_ *testServer, _, c *client, _ string) { c.awaitOK(wire.Leave{}) },
		"is removed":    func(_ *testServer, host, _ *client, member string) { host.awaitOK(wire.Remove{Member: member}) },
		"is lost":       func(_ *testServer, _, c *client, _ string) { c.hangUp() },
		"room is ended": func(_ *testServer, host, _ *client, _ string) { host.awaitOK(wire.End{}) },
	} {
		t.Run(name, func(t *testing.T) {
			h := open(t, func(cfg *Config) { cfg.ResumeWindow = time.Second })
			host, _ := h.enter("a", wire.RoleHost, "Ada")
			c, bo := h.enter("a", wire.RoleSpeaker, "Bo")
			mic, ear := c.openMedia(wire.MediaMic), c.openMedia(wire.MediaEar)
			other := host.openMedia(wire.MediaEar)
			other.awaitFrame(bo.Talker, 0)
			ear.awaitConnected()
			out(h, host, c, bo.Member)
			mic.awaitEnd()
			ear.awaitEnd()
			require.Eventually(t, func() bool { m, e := h.counted(); return m == 0 && e <= 1 }, eventually, often)
		})
	}
}

// Opening a session takes a while, and the participant may have left when it is done:
// nothing may be left open. See TestOpenRacesWithLeave in package liveroom.
func TestOfferRacesWithRemoval(t *testing.T) {
	h := open(t, func(cfg *Config) { cfg.ResumeWindow = 10 * time.Millisecond })
	host, _ := h.enter("a", wire.RoleHost, "Ada")
	for i := range 8 {
		c, me := h.enter("a", wire.RoleSpeaker, "Bo")
		c.send(wire.Offer{Media: wire.MediaEar, SDP: newPeer(t, wire.MediaEar, 1).offer()})
		c.send(wire.Offer{Media: wire.MediaMic, SDP: newPeer(t, wire.MediaMic, 1).offer()})
		switch i % 2 {
		case 0:
			host.awaitOK(wire.Remove{Member: me.Member})
		case 1:
			c.hangUp()
		}
		c.drain()
	}
	h.awaitMedia(0, 0)
	require.Eventually(t, func() bool { return len(h.liveRoom("a").Info().Stage) == 1 }, eventually, often)
}
