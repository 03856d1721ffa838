package signaling

import (
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/earshot-audio/earshot/room"
	"github.com/earshot-audio/earshot/room/rtc"
	"github.com/earshot-audio/earshot/signaling/whip"
	"github.com/earshot-audio/earshot/signaling/wire"
)

// counted returns how many mics and ears the server counts.
func (h *house) counted() (mics, ears int) {
	heads := headcount{roles: make(map[room.Role]int)}
	for _, l := range h.server.hub.list() {
		l.headcount(&heads)
	}
	return heads.mics, heads.ears
}

func (h *house) awaitMedia(mics, ears int) {
	h.t.Helper()
	require.Eventually(h.t, func() bool {
		m, e := h.counted()
		return m == mics && e == ears
	}, eventually, often)
}

func TestAMicIsHeardByEverybodyButItsOwner(t *testing.T) {
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
	late.ask2(wire.Leave{})

	ear.awaitFrame(ada.Talker, mic.sent.Load())
	assert.Empty(t, own.all(), "nobody hears their own mic")
	h.awaitMedia(1, 2)
}

func TestAMutedMicIsNotPassedOn(t *testing.T) {
	h := open(t, nil)
	host, ada := h.enter("a", wire.RoleHost, "Ada")
	c, _ := h.enter("a", "", "Bo")
	ear, mic := c.openMedia(wire.MediaEar), host.openMedia(wire.MediaMic)
	ear.awaitFrame(ada.Talker, 0)

	host.ask2(wire.Mute{Muted: true})
	assert.Equal(t, wire.Muted{Muted: true, MayUnmute: true, By: ada.Member}, host.answer())
	// What is sent from here on must not pass, but for what is still under way
	// when the mute ends.
	const silent, underway = 10, 40
	from := mic.sent.Load()
	to := from + silent
	require.Eventually(t, func() bool { return mic.sent.Load() >= to+underway }, eventually, often)
	host.ask2(wire.Mute{Muted: false})
	ear.awaitFrame(ada.Talker, to+underway)
	for _, got := range ear.all() {
		assert.False(t, got.frame > from && got.frame <= to, "frame %d was sent while muted (%d to %d)", got.frame, from, to)
	}
}

func TestThePromotedMayTalkAndTheDemotedMayNot(t *testing.T) {
	h := open(t, nil)
	host, ada := h.enter("a", wire.RoleHost, "Ada")
	c, bo := h.enter("a", "", "Bo")
	hostEar, ear := host.openMedia(wire.MediaEar), c.openMedia(wire.MediaEar)
	host.openMedia(wire.MediaMic)
	ear.awaitFrame(ada.Talker, 0)

	c.refused(wire.Offer{Media: wire.MediaMic, SDP: "v=0"}, wire.CodeForbidden)
	host.ask2(wire.Promote{Member: bo.Member})
	assert.Equal(t, wire.RoleChanged{Role: wire.RoleSpeaker, By: ada.Member}, c.answer())
	mic := c.openMedia(wire.MediaMic)
	hostEar.awaitFrame(bo.Talker, 0)
	ear.awaitFrame(ada.Talker, last(ear.all()))
	for _, got := range ear.all() {
		assert.NotEqual(t, bo.Talker, got.talker, "the ear of one who was promoted leaves out their own mic")
	}

	host.ask2(wire.Demote{Member: bo.Member})
	assert.Equal(t, wire.RoleChanged{Role: wire.RoleListener, By: ada.Member}, c.answer())
	assert.Equal(t, wire.MediaClosed{Media: wire.MediaMic, Reason: wire.CloseDemoted}, c.answer())
	mic.awaitEnd()
	h.awaitMedia(1, 2)
	ear.awaitFrame(ada.Talker, last(ear.all()))

	// Up again, with a new mic.
	host.ask2(wire.Promote{Member: bo.Member})
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

func TestASecondOfferReplacesTheFirst(t *testing.T) {
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
	c.ask2(wire.Leave{})
	for _, m := range c.rest() {
		assert.NotEqual(t, wire.TypeMediaClosed, wire.TypeOf(m), "a client knows what it has replaced")
	}
}

func TestABadOfferIsRefusedAndLeavesTheOldSessionAlone(t *testing.T) {
	h := open(t, nil)
	host, ada := h.enter("a", wire.RoleHost, "Ada")
	c, _ := h.enter("a", "", "Bo")
	ear := c.openMedia(wire.MediaEar)
	mic := host.openMedia(wire.MediaMic)
	ear.awaitFrame(ada.Talker, 0)
	c.refused(wire.Offer{Media: wire.MediaEar, SDP: "nonsense"}, wire.CodeBadRequest)
	host.refused(wire.Offer{Media: wire.MediaMic, SDP: newPeer(t, wire.MediaEar, 1).offer()}, wire.CodeUnprocessable)
	ear.awaitFrame(ada.Talker, mic.sent.Load())
	h.awaitMedia(1, 1)
}

func TestHangingUp(t *testing.T) {
	h := open(t, nil)
	host, _ := h.enter("a", wire.RoleHost, "Ada")
	mic, ear := host.openMedia(wire.MediaMic), host.openMedia(wire.MediaEar)
	mic.awaitConnected()
	ear.awaitConnected()
	host.ask2(wire.Hangup{Media: wire.MediaMic})
	mic.awaitEnd()
	h.awaitMedia(0, 1)
	host.ask2(wire.Hangup{Media: wire.MediaMic})
	host.ask2(wire.Hangup{Media: wire.MediaEar})
	ear.awaitEnd()
	h.awaitMedia(0, 0)
}

func TestAClientsOwnEndOfItsEarIsNoticed(t *testing.T) {
	h := open(t, nil)
	host, ada := h.enter("a", wire.RoleHost, "Ada")
	host.openMedia(wire.MediaMic)
	c, _ := h.enter("a", "", "Bo")
	ear := c.openMedia(wire.MediaEar)
	ear.awaitFrame(ada.Talker, 0)
	ear.close()
	assert.Equal(t, wire.MediaClosed{Media: wire.MediaEar, Reason: wire.CloseLost}, c.answer())
	assert.Equal(t, 1, h.audience("a"), "the person is still in the room")
	assert.EqualValues(t, 1, testutil.ToFloat64(h.server.metrics.ended.WithLabelValues("ear", "hangup")))
	again := c.openMedia(wire.MediaEar)
	again.awaitFrame(ada.Talker, 0)
}

func TestWhoIsOutHearsAndSaysNothingMore(t *testing.T) {
	for name, out := range map[string]func(h *house, host *client, c *client, member string){
		"leaves":        func(_ *house, _, c *client, _ string) { c.ask2(wire.Leave{}) },
		"is removed":    func(_ *house, host, _ *client, member string) { host.ask2(wire.Remove{Member: member}) },
		"is lost":       func(_ *house, _, c *client, _ string) { c.hangUp() },
		"room is ended": func(_ *house, host, _ *client, _ string) { host.ask2(wire.End{}) },
	} {
		t.Run(name, func(t *testing.T) {
			h := open(t, nil)
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

// Opening takes a while, and the person may be gone when it is done: whatever
// comes first, nothing may be left open.
func TestARaceOfOffersWithTheEndOfTheirOwners(t *testing.T) {
	h := open(t, nil)
	offers := map[wire.Media]string{}
	for _, media := range []wire.Media{wire.MediaEar, wire.MediaMic} {
		offers[media] = newPeer(t, media, 1).offer()
	}
	for name, out := range map[string]func(l *live, p *person) error{
		"leaves":  func(l *live, p *person) error { return l.leave(p, false, nil) },
		"is lost": func(l *live, p *person) error { return l.leave(p, true, nil) },
		"is removed": func(l *live, p *person) error {
			return l.act(func(now time.Time) ([]room.Event, error) { return l.rules.Remove(room.Operator, p.id, now) }, nil)
		},
		"is demoted": func(l *live, p *person) error {
			return l.act(func(now time.Time) ([]room.Event, error) { return l.rules.Demote(room.Operator, p.id, now) }, nil)
		},
		"room ends": func(l *live, _ *person) error { return l.end(room.Operator, nil) },
	} {
		t.Run(name, func(t *testing.T) {
			// The wait grows past the time that opening takes.
			for wait := time.Duration(0); wait < 6*time.Millisecond; wait += 300 * time.Microsecond {
				for media, offer := range offers {
					p := &person{id: room.MemberID(newID()), kind: whip.Publish}
					l, _, err := h.server.hub.join("a", p, room.JoinRequest{Name: "Bo", Role: room.Speaker}, "whip", nil)
					require.NoError(t, err)
					var session rtc.Session
					var opening sync.WaitGroup
					opening.Go(func() { session, _ = l.open(t.Context(), p, media, offer, nil) })
					time.Sleep(wait)
					require.NoError(t, out(l, p))
					opening.Wait()
					if name == "is demoted" && media == wire.MediaEar {
						// An ear stays open through a demotion.
						require.NoError(t, l.leave(p, false, nil))
					}
					if session != nil {
						select {
						case <-session.Done():
						case <-time.After(eventually):
							require.Failf(t, "left open", "%s after %s", media, wait)
						}
					}
				}
			}
		})
	}
}

// The same over WebSockets, with real timing.
func TestOffersOverWebSocketsThatComeTooLate(t *testing.T) {
	h := open(t, nil)
	host, _ := h.enter("a", wire.RoleHost, "Ada")
	for i := range 8 {
		c, me := h.enter("a", wire.RoleSpeaker, "Bo")
		c.send(wire.Offer{Media: wire.MediaEar, SDP: newPeer(t, wire.MediaEar, 1).offer()})
		c.send(wire.Offer{Media: wire.MediaMic, SDP: newPeer(t, wire.MediaMic, 1).offer()})
		switch i % 2 {
		case 0:
			host.ask2(wire.Remove{Member: me.Member})
		case 1:
			c.hangUp()
		}
		c.rest()
	}
	h.awaitMedia(0, 0)
	require.Eventually(t, func() bool { return len(h.live("a").info().Stage) == 1 }, eventually, often)
}
