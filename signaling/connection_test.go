package signaling

import (
	"context"
	"encoding/binary"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/earshot-audio/earshot/room"
	"github.com/earshot-audio/earshot/signaling/wire"
)

func TestHelloAndJoinComeFirst(t *testing.T) {
	c := open(t, nil).dial()
	c.expectError(wire.Join{Room: "a"}, wire.CodeConflict)
	c.send(wire.Hello{ID: "h", Version: wire.Version})
	welcome := await[wire.Welcome](c)
	assert.Equal(t, "h", welcome.ID)
	assert.Equal(t, "earshot/dev", welcome.Server)
	c.expectError(wire.Hello{Version: wire.Version}, wire.CodeConflict)
	c.expectError(wire.RaiseHand{}, wire.CodeConflict)
	c.expectError(wire.Offer{Media: wire.MediaEar, SDP: "v=0"}, wire.CodeConflict)
	c.send(wire.Join{Room: "a"})
	await[wire.Joined](c)
	c.expectError(wire.Join{Room: "b"}, wire.CodeConflict)
}

func TestHelloDeadline(t *testing.T) {
	c := open(t, func(cfg *Config) { cfg.HelloWait = 20 * time.Millisecond }).dial()
	reason, code := c.goodbye()
	assert.Equal(t, wire.GoodbyeTimeout, reason)
	assert.Equal(t, websocket.ClosePolicyViolation, code)
}

func TestHelloDeadlineIsNotExtendedByPings(t *testing.T) {
	c := open(t, func(cfg *Config) { cfg.HelloWait = 50 * time.Millisecond }).dial()
	stop := make(chan struct{})
	go func() {
		defer close(stop)
		for c.conn.WriteControl(websocket.PingMessage, nil, time.Now().Add(time.Second)) == nil {
			time.Sleep(5 * time.Millisecond)
		}
	}()
	reason, _ := c.goodbye()
	assert.Equal(t, wire.GoodbyeTimeout, reason)
	c.hangUp()
	<-stop
}

func TestMalformedMessageIsRefused(t *testing.T) {
	h := open(t, nil)
	c, _ := h.enter("a", "", "")
	for name, row := range map[string]struct {
		text string
		code wire.Code
		id   string
	}{
		"no JSON":           {"hello there", wire.CodeBadRequest, ""},
		"an array":          {"[]", wire.CodeBadRequest, ""},
		"an empty message":  {"", wire.CodeBadRequest, ""},
		"an unknown type":   {`{"type":"dance","id":"7"}`, wire.CodeUnknownType, "7"},
		"a server's type":   {`{"type":"joined","id":"8"}`, wire.CodeUnknownType, "8"},
		"a missing field":   {`{"type":"offer","id":"9","media":"ear"}`, wire.CodeBadRequest, "9"},
		"a very deep value": {`{"type":"leave","x":` + strings.Repeat("[", 100_000) + strings.Repeat("]", 100_000) + `}`, wire.CodeTooLarge, ""},
		"a deep value":      {`{"type":"leave","x":` + strings.Repeat("[", 1000) + strings.Repeat("]", 1000) + `}`, wire.CodeBadRequest, ""},
		"a long message":    {`{"type":"leave","x":"` + strings.Repeat("x", 4*wire.MaxMessage) + `"}`, wire.CodeTooLarge, ""},
	} {
		c.raw(row.text)
		refusal := await[wire.Error](c)
		assert.Equal(t, row.code, refusal.Code, name)
		assert.Equal(t, row.id, refusal.ID, name)
	}
	require.NoError(t, c.conn.WriteMessage(websocket.BinaryMessage, []byte(`{"type":"leave"}`)))
	assert.Equal(t, wire.CodeBadRequest, await[wire.Error](c).Code)
	c.expectOK(wire.RaiseHand{})

	assert.EqualValues(t, 1, h.metric("earshot_ws_messages_total", "in", "binary"))
	assert.EqualValues(t, 9, h.metric("earshot_ws_messages_total", "in", "malformed"))
	assert.EqualValues(t, 1, h.metric("earshot_ws_messages_total", "in", string(wire.TypeRaiseHand)))
}

func TestOversizedMessageEndsTheConnection(t *testing.T) {
	c, _ := open(t, nil).enter("a", "", "")
	// The server stops reading in between, so the write may fail.
	_ = c.conn.WriteMessage(websocket.TextMessage, make([]byte, 9*wire.MaxMessage))
	c.drain()
	if closing := (*websocket.CloseError)(nil); assert.ErrorAs(t, c.end, &closing) {
		assert.Equal(t, websocket.CloseMessageTooBig, closing.Code)
	}
}

func TestManyMalformedMessagesEndTheConnection(t *testing.T) {
	h := open(t, func(cfg *Config) { cfg.MaxMalformed = 3 })
	c, _ := h.enter("a", "", "")
	for range 5 {
		// A valid message resets the count.
		c.raw("x")
		c.raw("x")
		c.awaitOK(wire.RaiseHand{})
	}
	for range 3 {
		c.raw("x")
	}
	reason, code := c.goodbye()
	assert.Equal(t, wire.GoodbyeProtocol, reason)
	assert.Equal(t, websocket.CloseUnsupportedData, code)
	require.Eventually(t, func() bool { return h.audience("a") == 0 }, eventually, often)
}

// awaitOK sends a request and skips errors until its OK.
func (c *client) awaitOK(m wire.ClientMessage) {
	c.t.Helper()
	c.send(m)
	for {
		if _, ok := c.answer().(wire.OK); ok {
			return
		}
	}
}

func TestLeave(t *testing.T) {
	h := open(t, nil)
	c, _ := h.enter("a", "", "")
	require.Equal(t, 1, h.audience("a"))
	c.expectOK(wire.Leave{})
	reason, code := c.goodbye()
	assert.Equal(t, wire.GoodbyeLeft, reason)
	assert.Equal(t, websocket.CloseNormalClosure, code)
	assert.Equal(t, 0, h.audience("a"))
}

func TestLostConnectionFreesTheSeat(t *testing.T) {
	h := open(t, func(cfg *Config) { cfg.Capacity, cfg.Halls, cfg.ResumeWindow = 1, 1, 50*time.Millisecond })
	c, _ := h.enter("a", "", "")
	other := h.greet()
	other.expectError(wire.Join{Room: "a"}, wire.CodeRoomFull)
	c.hangUp()
	require.Eventually(t, func() bool { return h.audience("a") == 0 }, eventually, often)
	other.send(wire.Join{Room: "a"})
	await[wire.Joined](other)
}

func TestUnansweredPingEndsTheConnection(t *testing.T) {
	h := open(t, func(cfg *Config) {
		cfg.PingEvery, cfg.PongWait, cfg.ResumeWindow = 50*time.Millisecond, 2*time.Second, time.Millisecond
	})
	alive, _ := h.enter("a", "", "")
	silent := h.dialWith(func(conn *websocket.Conn) {
		conn.SetPingHandler(func(string) error { return nil })
	})
	silent.hello()
	silent.join("a", "", "")
	silent.drain()
	require.Eventually(t, func() bool { return h.audience("a") == 1 }, eventually, often)
	alive.expectOK(wire.RaiseHand{})
}

func TestJoinCapacity(t *testing.T) {
	h := open(t, func(cfg *Config) { cfg.Capacity, cfg.Halls, cfg.Stage = 2, 1, 1 })
	host, _ := h.enter("a", wire.RoleHost, "")
	_, one := h.enter("a", "", "")
	h.enter("a", "", "")
	c := h.greet()
	c.expectError(wire.Join{Room: "a"}, wire.CodeRoomFull)
	c.expectError(wire.Join{Room: "a", Role: wire.RoleSpeaker}, wire.CodeStageFull)
	host.expectError(wire.Promote{Member: one.Member}, wire.CodeStageFull)
	host.expectError(wire.Demote{}, wire.CodeRoomFull)
	assert.EqualValues(t, 3, h.metric("earshot_joins_total", "ok", "ws"))
	assert.EqualValues(t, 1, h.metric("earshot_joins_total", "room_full", "ws"))
	assert.EqualValues(t, 1, h.metric("earshot_joins_total", "stage_full", "ws"))
}

func TestListenerMayNotModerate(t *testing.T) {
	h := open(t, nil)
	host, hosted := h.enter("a", wire.RoleHost, "Ada")
	c, me := h.enter("a", "", "Bo")
	for _, m := range []wire.ClientMessage{
		wire.Promote{Member: me.Member}, wire.Demote{Member: hosted.Member}, wire.Remove{Member: hosted.Member},
		wire.Mute{Member: hosted.Member, Muted: true}, wire.End{}, wire.LowerHand{Member: hosted.Member},
		wire.Offer{Media: wire.MediaMic, SDP: "v=0"},
		// Present and absent members look the same to somebody who may not act.
		wire.Remove{Member: "nobody"},
	} {
		c.expectError(m, wire.CodeForbidden)
	}
	c.expectError(wire.Mute{Muted: true}, wire.CodeConflict)
	c.expectError(wire.Demote{}, wire.CodeConflict)
	host.expectError(wire.Remove{Member: "nobody"}, wire.CodeNotFound)
	host.expectError(wire.RaiseHand{}, wire.CodeConflict)
}

func TestRemove(t *testing.T) {
	h := open(t, nil)
	host, _ := h.enter("a", wire.RoleHost, "Ada")
	c, me := h.enter("a", wire.RoleSpeaker, "Bo")
	host.stageChange(func(c wire.StageChange) bool { return c.Member == me.Member })
	host.expectOK(wire.Remove{ID: "1", Member: me.Member})
	reason, code := c.goodbye()
	assert.Equal(t, wire.GoodbyeRemoved, reason)
	assert.Equal(t, websocket.ClosePolicyViolation, code)
	gone := host.stageChange(func(c wire.StageChange) bool { return c.Gone })
	assert.Equal(t, wire.StageChange{Gone: true, StageMember: wire.StageMember{
		Member: me.Member, Name: "Bo", Role: wire.RoleSpeaker, Talker: me.Talker}}, gone)
	// The room goes on, and the person may join again as another member.
	_, again := h.enter("a", "", "Bo")
	assert.NotEqual(t, me.Member, again.Member)
	assert.NotEqual(t, me.Talker, again.Talker)
}

func TestJoinTwiceIsTwoMembers(t *testing.T) {
	h := open(t, nil)
	one, a := h.enter("a", "", "Bo")
	_, b := h.enter("a", "", "Bo")
	assert.NotEqual(t, a.Member, b.Member)
	assert.Equal(t, 2, h.audience("a"))
	one.expectOK(wire.Leave{})
	one.goodbye()
	assert.Equal(t, 1, h.audience("a"))
}

func TestEndRoom(t *testing.T) {
	h := open(t, nil)
	host, _ := h.enter("a", wire.RoleHost, "Ada")
	c, _ := h.enter("a", "", "Bo")
	host.expectOK(wire.End{ID: "1"})
	for _, each := range []*client{host, c} {
		reason, code := each.goodbye()
		assert.Equal(t, wire.GoodbyeEnded, reason)
		assert.Equal(t, websocket.CloseNormalClosure, code)
	}
	require.Eventually(t, func() bool { _, err := h.server.rooms.Find("a"); return err != nil }, eventually, often)
	// On an open server the name is free again, at once.
	_, again := h.enter("a", "", "Cy")
	assert.Equal(t, 1, again.Audience)
}

func TestHandsAreSentToTheStageOnly(t *testing.T) {
	h := open(t, func(cfg *Config) { cfg.PresenceEvery = 10 * time.Millisecond })
	early, _ := h.enter("a", wire.RoleHost, "Ada")
	c, me := h.enter("a", "", "Bo")
	other, _ := h.enter("a", "", "Cy")
	c.expectOK(wire.RaiseHand{})
	up := early.presence(func(p wire.Presence) bool { return p.Hands != nil })
	assert.Equal(t, []wire.Hand{{Member: me.Member, Name: "Bo"}}, up.Hands)
	assert.Equal(t, 1, up.HandCount)
	late, joined := h.enter("a", wire.RoleSpeaker, "Di")
	assert.Equal(t, up.Hands, joined.Hands, "a latecomer to the stage sees the hands")
	early.awaitOK(wire.Promote{Member: me.Member})
	down := late.presence(func(p wire.Presence) bool { return p.Hands != nil })
	assert.Empty(t, down.Hands, "who is promoted has a hand no more")
	told := 0
	other.presence(func(p wire.Presence) bool {
		assert.Nil(t, p.Hands, "the audience is not told of hands")
		told += len(p.StageChanges)
		return told >= 2 // two came to the stage
	})
}

// A client that does not read must not affect the others: it is disconnected and
// counted.
func TestSlowClientIsDisconnected(t *testing.T) {
	h := open(t, func(cfg *Config) {
		cfg.SendQueue, cfg.CloseWait, cfg.ResumeWindow = 8, 50*time.Millisecond, time.Millisecond
	})
	well, _ := h.enter("a", "", "")

	// The kernel may keep many megabytes for a reader: this one asks for little.
	dialer := websocket.Dialer{NetDialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := (&net.Dialer{}).DialContext(ctx, network, address)
		if err != nil {
			return nil, err
		}
		return conn, conn.(*net.TCPConn).SetReadBuffer(4 << 10)
	}}
	slow, response, err := dialer.Dial("ws"+strings.TrimPrefix(h.http.URL, "http")+"/ws", nil)
	require.NoError(t, err)
	_ = response.Body.Close()
	defer slow.Close()
	say := func(m wire.ClientMessage) error {
		data, err := wire.Encode(m)
		require.NoError(t, err)
		return slow.WriteMessage(websocket.TextMessage, data)
	}
	require.NoError(t, say(wire.Hello{Version: wire.Version}))
	require.NoError(t, say(wire.Join{Room: "a"}))
	require.Eventually(t, func() bool { return h.audience("a") == 2 }, eventually, often)

	// It sends requests and never reads the answers, until the socket's buffers and
	// then its queue are full.
	long := wire.Mute{ID: strings.Repeat("x", wire.MaxID), Muted: true}
	for sent := 0; say(long) == nil; sent++ {
		if sent%100 == 0 && h.metric("earshot_ws_slow_disconnects_total") > 0 {
			break
		}
	}
	require.Eventually(t, func() bool { return h.metric("earshot_ws_slow_disconnects_total") == 1 }, eventually, often)
	require.Eventually(t, func() bool { return h.audience("a") == 1 }, eventually, often)
	well.expectOK(wire.RaiseHand{})
	assert.EqualValues(t, 1, h.metric("earshot_ws_slow_disconnects_total"))
}

func TestShutdownSaysGoodbye(t *testing.T) {
	h := open(t, nil)
	in, _ := h.enter("a", wire.RoleHost, "")
	greeted, silent := h.greet(), h.dial()
	require.Eventually(t, func() bool { return h.metric("earshot_ws_sessions") == 3 }, eventually, often)
	require.NoError(t, h.server.Shutdown(context.Background()))
	for _, c := range []*client{in, greeted, silent} {
		reason, code := c.goodbye()
		assert.Equal(t, wire.GoodbyeShutdown, reason)
		assert.Equal(t, websocket.CloseGoingAway, code)
	}
	for path, want := range map[string]int{
		"/healthz": 200, "/metrics": 200, "/readyz": 503, "/api/rooms": 503, "/rooms/a/whep": 503, "/ws": 503,
	} {
		response, answer := h.call(http.MethodGet, path, "", "")
		assert.Equal(t, want, response.StatusCode, path)
		if want == 503 {
			assert.Equal(t, wire.CodeUnavailable, code(answer), path)
		}
	}
	assert.Zero(t, h.metric("earshot_ws_sessions"))
	require.NoError(t, h.server.Shutdown(context.Background()), "a second shutdown finds nothing to do")
}

func TestShutdownAbortsAtItsDeadline(t *testing.T) {
	h := open(t, func(cfg *Config) { cfg.CloseWait = time.Hour })
	// It never answers the closing handshake, because it never reads.
	conn, response, err := websocket.DefaultDialer.Dial("ws"+strings.TrimPrefix(h.http.URL, "http")+"/ws", nil)
	require.NoError(t, err)
	_ = response.Body.Close()
	defer conn.Close()
	require.Eventually(t, func() bool { return h.metric("earshot_ws_sessions") == 1 }, eventually, often)
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	err = h.server.Shutdown(ctx)
	require.ErrorIs(t, err, context.DeadlineExceeded)
	assert.ErrorContains(t, err, "1 connections were cut")
	assert.Zero(t, h.metric("earshot_ws_sessions"), "its goroutines have ended all the same")
}

// Over TLS, where there is no poller, connections look the same from outside.
func TestConnectionsOverTLS(t *testing.T) {
	h := open(t, func(cfg *Config) { cfg.ResumeWindow = time.Millisecond })
	secure := httptest.NewTLSServer(h.server.Handler())
	t.Cleanup(secure.Close)
	dial := func() *websocket.Conn {
		dialer := websocket.Dialer{TLSClientConfig: secure.Client().Transport.(*http.Transport).TLSClientConfig}
		conn, response, err := dialer.Dial("wss"+strings.TrimPrefix(secure.URL, "https")+"/ws", nil)
		require.NoError(t, err)
		_ = response.Body.Close()
		return conn
	}
	enter := func() *client {
		c := &client{t: t, conn: dial(), inbox: make(chan wire.ServerMessage, 64)}
		go c.read()
		t.Cleanup(func() { c.hangUp(); c.drain() })
		c.hello()
		c.join("a", "", "Bo")
		return c
	}
	leaves, vanishes, stays := enter(), enter(), enter()
	require.Equal(t, 3, h.audience("a"))
	leaves.expectOK(wire.Leave{})
	reason, code := leaves.goodbye()
	assert.Equal(t, wire.GoodbyeLeft, reason)
	assert.Equal(t, websocket.CloseNormalClosure, code)
	vanishes.hangUp()
	require.Eventually(t, func() bool { return h.audience("a") == 1 }, eventually, often)
	stays.expectOK(wire.RaiseHand{})
	require.NoError(t, h.server.Shutdown(context.Background()))
	reason, _ = stays.goodbye()
	assert.Equal(t, wire.GoodbyeShutdown, reason)
}

// However a connection ends, and whatever comes at the same moment, nothing is left
// of it in the room.
func TestConnectionEndLeavesNothing(t *testing.T) {
	h := open(t, func(cfg *Config) {
		cfg.CloseWait, cfg.ResumeWindow = 20*time.Millisecond, time.Millisecond
		cfg.PingEvery, cfg.PongWait = 3*time.Millisecond, time.Second
	})
	host, _ := h.enter("a", wire.RoleHost, "Ada")
	l := h.liveRoom("a")
	say := func(c *client, b []byte) { _, _ = c.conn.NetConn().Write(b) }
	ends := []func(c *client, me room.MemberID){
		func(c *client, _ room.MemberID) { say(c, clientFrame(websocket.CloseMessage, "\x03\xe8")) },
		func(c *client, _ room.MemberID) { c.hangUp() },
		func(c *client, _ room.MemberID) { say(c, clientFrame(websocket.TextMessage, `{"type":"leave"}`)) },
		func(c *client, _ room.MemberID) { // in the middle of a frame
			say(c, clientFrame(websocket.TextMessage, strings.Repeat("x", 300))[:100])
			c.hangUp()
		},
		func(_ *client, me room.MemberID) {
			_ = l.Change(func(rules *room.Room, now time.Time) ([]room.Event, error) {
				return rules.Remove(room.Operator, me, now)
			}, nil)
		},
	}
	var all sync.WaitGroup
	for i := range 2 * len(ends) * len(ends) {
		c, me := h.enter("a", "", "Bo")
		// Two ends at a time, each pair of them.
		for _, end := range []int{i % len(ends), i / len(ends) % len(ends)} {
			all.Go(func() {
				time.Sleep(time.Duration(i%7) * time.Millisecond)
				ends[end](c, room.MemberID(me.Member))
			})
		}
	}
	all.Wait()
	require.Eventually(t, func() bool { return h.metric("earshot_ws_sessions") == 1 }, eventually, often)
	require.Eventually(t, func() bool { return h.audience("a") == 0 }, eventually, often)
	host.awaitOK(wire.Mute{Muted: true})
}

// clientFrame returns a client's frame of up to 64 KB (RFC 6455, section 5.2).
func clientFrame(opcode byte, payload string) []byte {
	mask := [4]byte{0x12, 0x9a, 0x00, 0xff}
	b := []byte{0x80 | opcode}
	if n := len(payload); n < 126 {
		b = append(b, 0x80|byte(n))
	} else {
		b = append(b, 0x80|126)
		b = binary.BigEndian.AppendUint16(b, uint16(n))
	}
	b = append(b, mask[:]...)
	for i := range len(payload) {
		b = append(b, payload[i]^mask[i%4])
	}
	return b
}
