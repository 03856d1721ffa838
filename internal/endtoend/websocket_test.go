package endtoend_test

import (
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"github.com/stretchr/testify/require"
)

// A member speaks the WebSocket protocol as docs/protocol.md has it, written
// out by hand: the server's own types take no part.
type member struct {
	t    *testing.T
	conn *websocket.Conn
	id   string
	// joined is the answer to join: the talker, and what it takes to resume.
	joined map[string]any

	mu      sync.Mutex
	answers chan map[string]any
	moving  chan struct{} // holds one when the server has said that the ear will be closed soon
	moved   chan string   // holds where the server has said that the room has moved
	closed  chan struct{} // holds one when the server has said that the ear is lost
	hungUp  chan struct{} // closed when the server has hung up
}

func enter(t *testing.T, url, room, role string) *member {
	t.Helper()
	return enterAs(t, url, map[string]any{}, map[string]any{"room": room, "role": role, "name": role})
}

// dialMember opens a WebSocket and says hello.
func dialMember(t *testing.T, url string, hello map[string]any) *member {
	t.Helper()
	conn, _, err := websocket.DefaultDialer.Dial(strings.Replace(url, "http", "ws", 1)+"/ws", nil)
	require.NoError(t, err)
	m := newMember(t, conn)
	hello["type"], hello["version"] = "hello", 1
	m.ask(hello)
	return m
}

// tryDial is dialMember; nil: the server does not answer, or refuses.
func tryDial(t *testing.T, url string, hello map[string]any) *member {
	t.Helper()
	dialer := websocket.Dialer{HandshakeTimeout: 5 * time.Second}
	conn, _, err := dialer.Dial(strings.Replace(url, "http", "ws", 1)+"/ws", nil)
	if err != nil {
		return nil
	}
	m := newMember(t, conn)
	hello["type"], hello["version"] = "hello", 1
	if m.try(hello)["type"] != "welcome" {
		_ = conn.Close()
		return nil
	}
	return m
}

func newMember(t *testing.T, conn *websocket.Conn) *member {
	t.Helper()
	m := &member{t: t, conn: conn, answers: make(chan map[string]any, 100), moving: make(chan struct{}, 1), moved: make(chan string, 1), closed: make(chan struct{}, 1), hungUp: make(chan struct{})}
	done := m.hungUp
	go func() {
		defer close(done)
		defer close(m.answers)
		for {
			var in map[string]any
			if conn.ReadJSON(&in) != nil {
				return
			}
			if in["id"] != nil {
				m.answers <- in
			}
			if in["type"] == "redirect" && in["reason"] == "moved" {
				m.moved <- in["url"].(string)
			}
			if in["media"] == "ear" {
				m.earIs(in["type"])
			}
		}
	}()
	t.Cleanup(func() {
		_ = conn.Close()
		<-done
	})
	return m
}

// earIs notes what the server says of the ear.
func (m *member) earIs(said any) {
	to, known := map[any]chan struct{}{"media-moving": m.moving, "media-closed": m.closed}[said]
	if !known {
		return
	}
	select {
	case to <- struct{}{}:
	default:
	}
}

// try sends a request and returns its answer, which may be an error; nil: the server hung up, or does not answer.
func (m *member) try(request map[string]any) map[string]any {
	m.t.Helper()
	m.mu.Lock()
	defer m.mu.Unlock()
	request["id"] = "x"
	if m.conn.WriteJSON(request) != nil {
		return nil
	}
	select {
	case answer := <-m.answers:
		return answer
	case <-time.After(patience):
		_ = m.conn.Close() // what comes late answers nothing else
		return nil
	}
}

// enterAs says hello and joins with the fields given.
func enterAs(t *testing.T, url string, hello, join map[string]any) *member {
	t.Helper()
	m := dialMember(t, url, hello)
	join["type"] = "join"
	m.joined = m.ask(join)
	m.id = m.joined["member"].(string)
	return m
}

// talker is the number of the member's voice.
func (m *member) talker() uint32 { return uint32(m.joined["talker"].(float64)) }

// ask sends a request and returns its answer, which is no error.
func (m *member) ask(request map[string]any) map[string]any {
	m.t.Helper()
	m.mu.Lock()
	defer m.mu.Unlock()
	request["id"] = "x"
	require.NoError(m.t, m.conn.WriteJSON(request))
	answer, ok := <-m.answers
	require.True(m.t, ok, "the server hung up after %v", request["type"])
	require.NotEqual(m.t, "error", answer["type"], "%v", answer)
	return answer
}

func (m *member) exchange(media string) exchange {
	return func(offer string) string {
		return m.ask(map[string]any{"type": "offer", "media": media, "sdp": offer})["sdp"].(string)
	}
}

// put sends a request and returns its answer, which may be an error.
func (m *member) put(request map[string]any) map[string]any {
	m.t.Helper()
	m.mu.Lock()
	defer m.mu.Unlock()
	request["id"] = "x"
	require.NoError(m.t, m.conn.WriteJSON(request))
	answer, ok := <-m.answers
	require.True(m.t, ok, "the server hung up after %v", request["type"])
	return answer
}
