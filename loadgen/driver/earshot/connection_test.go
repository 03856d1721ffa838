package earshot

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/earshot-audio/earshot/loadgen/driver"
	"github.com/earshot-audio/earshot/loadgen/scenario"
	"github.com/earshot-audio/earshot/signaling/wire"
)

const testTimeout = 30 * time.Second

// fakeServer is a WebSocket server that answers each message by reply.
func fakeServer(t *testing.T, reply func(m wire.ClientMessage, say func(string))) *roomClient {
	t.Helper()
	upgrader := websocket.Upgrader{}
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		conn, err := upgrader.Upgrade(w, r, nil)
		if !assert.NoError(t, err) {
			return
		}
		defer conn.Close()
		say := func(text string) { _ = conn.WriteMessage(websocket.TextMessage, []byte(text)) }
		for {
			_, data, err := conn.ReadMessage()
			if err != nil {
				return
			}
			m, err := wire.DecodeClient(data)
			if assert.NoError(t, err) {
				reply(m, say)
			}
		}
	}))
	t.Cleanup(front.Close)
	d, err := New(front.URL, "", nil)
	require.NoError(t, err)
	return &roomClient{driver: d, name: "room"}
}

// answerJoin answers the messages of joining, and reports whether it was one.
func answerJoin(m wire.ClientMessage, say func(string)) bool {
	switch m.(type) {
	case wire.Hello:
		say(`{"type":"welcome","id":"` + wire.RequestID(m) + `","session":"s","version":1,"server":"test"}`)
	case wire.Join:
		say(`{"type":"joined","id":"` + wire.RequestID(m) + `","room":"room","member":"m","role":"listener","talker":7,"slots":3,
			"audience":1,"stage":[],"talkers":[],"rev":3,"resume":{"key":"key","window_s":5}}`)
	default:
		return false
	}
	return true
}

const (
	answerFormat   = `{"type":"answer","id":"%s","media":"ear","sdp":"v=0\r\n"}`
	presenceFormat = `{"type":"presence","audience":2,"rev":%d}`
)

func TestConnectionFindsAnswersAmongBroadcasts(t *testing.T) {
	room := fakeServer(t, func(m wire.ClientMessage, say func(string)) {
		say(fmt.Sprintf(presenceFormat, 4))
		say(`{"type":"talkers","talkers":[7]}`)
		say(`no JSON at all`)
		say(`{"type":"of-a-newer-server"}`)
		say(fmt.Sprintf(answerFormat, "of another request"))
		if answerJoin(m, say) {
			return
		}
		if _, ok := m.(wire.Offer); ok {
			say(fmt.Sprintf(answerFormat, wire.RequestID(m)))
			return
		}
		say(`{"type":"ok","id":"` + wire.RequestID(m) + `"}`)
	})
	for _, role := range []scenario.Role{scenario.Listener, scenario.Speaker} {
		visit, err := room.Join(t.Context(), "name", role)
		require.NoError(t, err, role)
		sdp, err := visit.Listen(t.Context(), "v=0\r\n")
		require.NoError(t, err, role)
		assert.Equal(t, "v=0\r\n", sdp)
		require.NoError(t, room.Act(t.Context(), scenario.RaiseHand, visit))
		require.NoError(t, visit.Leave(t.Context()))
		select {
		case <-visit.Done():
		case <-time.After(testTimeout):
			t.Fatal("a session that was left is not gone")
		}
	}
}

// The first request after joining also reads the answers of others.
func TestConnectionAllowsConcurrentRequests(t *testing.T) {
	room := fakeServer(t, func(m wire.ClientMessage, say func(string)) {
		if !answerJoin(m, say) {
			say(`{"type":"ok","id":"` + wire.RequestID(m) + `"}`)
		}
	})
	visit, err := room.Join(t.Context(), "name", scenario.Listener)
	require.NoError(t, err)
	const many = 20
	done := make(chan error, many)
	for range many {
		go func() { done <- room.Act(t.Context(), scenario.RaiseHand, visit) }()
	}
	for range many {
		require.NoError(t, <-done)
	}
	require.NoError(t, visit.Leave(t.Context()))
}

func TestConnectionRequestEndsWithContext(t *testing.T) {
	for _, c := range []struct {
		name    string
		answers func(m wire.ClientMessage) bool
	}{
		{"a server that does not answer hello", func(wire.ClientMessage) bool { return false }},
		{"a server that does not answer join", func(m wire.ClientMessage) bool { _, ok := m.(wire.Hello); return ok }},
		{"a server that does not answer an offer", func(wire.ClientMessage) bool { return true }},
	} {
		t.Run(c.name, func(t *testing.T) {
			room := fakeServer(t, func(m wire.ClientMessage, say func(string)) {
				if c.answers(m) {
					answerJoin(m, say)
				}
			})
			ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
			defer cancel()
			visit, err := room.Join(ctx, "name", scenario.Listener)
			if err == nil {
				_, err = visit.Listen(ctx, "v=0\r\n")
				assert.NoError(t, visit.Leave(t.Context()), "leaving a closed connection is no error")
			}
			assert.ErrorIs(t, err, context.DeadlineExceeded)
		})
	}
}

func TestConnectionReportsWhyTheServerClosedIt(t *testing.T) {
	room := fakeServer(t, func(m wire.ClientMessage, say func(string)) {
		if !answerJoin(m, say) {
			say(`{"type":"goodbye","reason":"removed"}`)
			say(strings.Repeat("x", 2*wire.MaxMessage)) // nobody reads this
		}
	})
	visit, err := room.Join(t.Context(), "name", scenario.Listener)
	require.NoError(t, err)
	_, err = visit.Listen(t.Context(), "v=0\r\n")
	assert.ErrorIs(t, err, errConnectionClosed)
	assert.ErrorContains(t, err, "removed")
	assert.NoError(t, visit.Leave(t.Context()))
}

// Whoever asks is told that the server has lost an ear, also after a resumption; not that a mic
// was closed by a demotion.
func TestConnectionTellsOfLostMedia(t *testing.T) {
	room := fakeServer(t, func(m wire.ClientMessage, say func(string)) {
		switch m := m.(type) {
		case wire.Resume:
			say(`{"type":"resumed","id":"` + m.ID + `","room":"room","member":"m","role":"listener","talker":7,"slots":3,
				"audience":1,"talkers":[],"rev":9,"resume":{"key":"other","window_s":5}}`)
		case wire.RaiseHand:
			say(`{"type":"media-closed","media":"mic","reason":"demoted"}`)
			say(`{"type":"media-closed","media":"ear","reason":"lost"}`)
			say(`{"type":"media-moving","media":"ear"}`)
			say(`{"type":"ok","id":"` + m.ID + `"}`)
		case wire.Leave:
			say(`{"type":"ok","id":"` + m.ID + `"}`)
		default:
			answerJoin(m, say)
		}
	})
	visit, err := room.Join(t.Context(), "name", scenario.Listener)
	require.NoError(t, err)
	require.NoError(t, room.Act(t.Context(), scenario.RaiseHand, visit), "nobody asks")
	lost := make(chan driver.Media, 2)
	visit.OnMediaClosed(func(of driver.Media) { lost <- of })
	moving := make(chan struct{}, 2)
	visit.OnEarMoving(func() { moving <- struct{}{} })
	require.NoError(t, room.Act(t.Context(), scenario.RaiseHand, visit))
	assert.Equal(t, driver.Ear, <-lost)
	<-moving
	next, err := visit.Resume(t.Context())
	require.NoError(t, err)
	require.NoError(t, room.Act(t.Context(), scenario.RaiseHand, next))
	assert.Equal(t, driver.Ear, <-lost)
	<-moving
	assert.Empty(t, lost)
	require.NoError(t, next.Leave(t.Context()))
}

// Who is told where their room has moved comes back there, and by way of the target when that server is
// gone, too.
func TestConnectionFollowsARoomThatHasMoved(t *testing.T) {
	var at atomic.Int32 // the server that was last joined
	server := func(number int32, moved *string) *roomClient {
		return fakeServer(t, func(m wire.ClientMessage, say func(string)) {
			switch m := m.(type) {
			case wire.RaiseHand:
				say(`{"type":"redirect","url":"` + *moved + `","reason":"moved"}`)
				say(`{"type":"ok","id":"` + m.ID + `"}`)
			case wire.Leave:
				say(`{"type":"ok","id":"` + m.ID + `"}`)
			default:
				if answerJoin(m, say) {
					at.Store(number)
				}
			}
		})
	}
	var to string
	first := server(1, &to)
	second := server(2, &to)
	for _, c := range []struct {
		name, to string
		then     int32
	}{
		{"to another server", second.driver.socket, 2},
		{"to one that is gone", "ws://127.0.0.1:1/ws", 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			to = c.to
			first.driver.moved.Clear()
			visit, err := first.Join(t.Context(), "name", scenario.Listener)
			require.NoError(t, err)
			require.EqualValues(t, 1, at.Load())
			require.NoError(t, first.Act(t.Context(), scenario.RaiseHand, visit))
			require.NoError(t, visit.Leave(t.Context()))
			at.Store(0)
			again, err := first.Join(t.Context(), "name", scenario.Listener)
			if err != nil { // the next attempt is the target's
				again, err = first.Join(t.Context(), "name", scenario.Listener)
			}
			require.NoError(t, err)
			assert.Equal(t, c.then, at.Load())
			require.NoError(t, again.Leave(t.Context()))
		})
	}
}

// Whoever asks is told of a connection that ended though nobody wanted that, once, also if it had
// ended before; not of one that was left or resumed, or whose person is out.
func TestConnectionTellsThatItIsLost(t *testing.T) {
	for _, c := range []struct {
		name, goodbye string
		lost          bool
	}{
		{"without a word", "", true},
		{"the room has moved", `{"type":"goodbye","reason":"moved"}`, true},
		{"the server stops", `{"type":"goodbye","reason":"shutdown"}`, true},
		{"they were removed", `{"type":"goodbye","reason":"removed"}`, false},
		{"the room has ended", `{"type":"goodbye","reason":"ended"}`, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			room := fakeServer(t, func(m wire.ClientMessage, say func(string)) {
				if !answerJoin(m, say) {
					if c.goodbye != "" {
						say(c.goodbye)
					}
					say(strings.Repeat("x", 2*wire.MaxMessage)) // nobody reads this
				}
			})
			visit, err := room.Join(t.Context(), "name", scenario.Listener)
			require.NoError(t, err)
			lost := make(chan string, 3)
			visit.OnLost(func(bool) { lost <- "asked before" })
			_, err = visit.Listen(t.Context(), "v=0\r\n")
			require.Error(t, err)
			<-visit.Done()
			if c.lost {
				assert.Equal(t, "asked before", <-lost)
			}
			visit.OnLost(func(bool) { lost <- "asked later" })
			if c.lost {
				assert.Equal(t, "asked later", <-lost)
			}
			require.NoError(t, visit.Leave(t.Context()))
			visit.OnLost(func(bool) { lost <- "left" })
			assert.Empty(t, lost)
		})
	}
}

// A connection resumes from the last revision that it was sent.
func TestResumeUsesLastPresenceRevision(t *testing.T) {
	from := make(chan uint64, 1)
	room := fakeServer(t, func(m wire.ClientMessage, say func(string)) {
		switch m := m.(type) {
		case wire.Resume:
			from <- m.Rev
			say(`{"type":"resumed","id":"` + m.ID + `","room":"room","member":"m","role":"listener","talker":7,"slots":3,
				"audience":1,"talkers":[],"rev":9,"resume":{"key":"other","window_s":5}}`)
		case wire.RaiseHand:
			say(fmt.Sprintf(presenceFormat, 4))
			say(`{"audience":2,"rev":5,"type":"presence"}`)
			say(`{"type":"ok","id":"` + m.ID + `"}`)
		case wire.Leave:
			say(`{"type":"ok","id":"` + m.ID + `"}`)
		default:
			answerJoin(m, say)
		}
	})
	visit, err := room.Join(t.Context(), "name", scenario.Listener)
	require.NoError(t, err)
	next, err := visit.Resume(t.Context())
	require.NoError(t, err)
	assert.EqualValues(t, 3, <-from, "the revision when joining")
	require.NoError(t, room.Act(t.Context(), scenario.RaiseHand, next))
	last, err := next.Resume(t.Context())
	require.NoError(t, err)
	assert.EqualValues(t, 5, <-from)
	require.NoError(t, last.Leave(t.Context()))
}

// Who joins or resumes does not wait for the server's welcome before they ask to.
func TestJoinDoesNotWaitForTheWelcome(t *testing.T) {
	var hello wire.ClientMessage
	room := fakeServer(t, func(m wire.ClientMessage, say func(string)) {
		switch m.(type) {
		case wire.Hello:
			hello = m
		case wire.Join:
			answerJoin(hello, say)
			answerJoin(m, say)
		case wire.Resume:
			answerJoin(hello, say)
			say(`{"type":"resumed","id":"` + wire.RequestID(m) + `","room":"room","member":"m","role":"listener","rev":4,"resume":{"key":"next","window_s":5}}`)
		}
	})
	s, err := room.Join(t.Context(), "Bo", scenario.Listener)
	require.NoError(t, err)
	resumed, err := s.Resume(t.Context())
	require.NoError(t, err)
	assert.NoError(t, resumed.(*connection).Close())
}
