package signaling

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"github.com/stretchr/testify/require"

	"github.com/earshot-audio/earshot/signaling/wire"
)

// client is the client's side of a WebSocket. It reads all the time.
type client struct {
	t     *testing.T
	conn  *websocket.Conn
	inbox chan wire.ServerMessage // closed at the end of the connection
	end   error                   // why it ended; after inbox is closed
}

// dial opens a WebSocket to a test server.
func (h *testServer) dial() *client { return h.dialWith(func(*websocket.Conn) {}) }

// dialWith opens a WebSocket on which change is called before it is read.
func (h *testServer) dialWith(change func(*websocket.Conn)) *client {
	h.t.Helper()
	conn, response, err := websocket.DefaultDialer.Dial("ws"+strings.TrimPrefix(h.http.URL, "http")+"/ws", nil)
	require.NoError(h.t, err)
	_ = response.Body.Close()
	change(conn)
	c := &client{t: h.t, conn: conn, inbox: make(chan wire.ServerMessage, 4096)}
	go c.read()
	h.t.Cleanup(func() { c.hangUp(); c.drain() })
	return c
}

// greet opens a WebSocket and says hello.
func (h *testServer) greet() *client {
	h.t.Helper()
	c := h.dial()
	c.hello()
	return c
}

func (c *client) hello() {
	c.t.Helper()
	c.send(wire.Hello{Version: wire.Version})
	await[wire.Welcome](c)
}

// enter opens a WebSocket and joins.
func (h *testServer) enter(room string, role wire.Role, name string) (*client, wire.Joined) {
	h.t.Helper()
	c := h.greet()
	return c, c.join(room, role, name)
}

// join enters a room.
func (c *client) join(room string, role wire.Role, name string) wire.Joined {
	c.t.Helper()
	c.send(wire.Join{Room: room, Role: role, Name: name})
	return await[wire.Joined](c)
}

func (c *client) read() {
	defer close(c.inbox)
	for {
		_, data, err := c.conn.ReadMessage()
		if err != nil {
			c.end = err
			return
		}
		m, err := wire.DecodeServer(data)
		if err != nil {
			c.end = err
			return
		}
		c.inbox <- m
	}
}

func (c *client) send(m wire.ClientMessage) {
	c.t.Helper()
	data, err := wire.Encode(m)
	require.NoError(c.t, err)
	c.raw(string(data))
}

func (c *client) raw(text string) {
	c.t.Helper()
	require.NoError(c.t, c.conn.WriteMessage(websocket.TextMessage, []byte(text)))
}

// next returns the next message of any kind; nil when the connection has ended.
func (c *client) next() wire.ServerMessage {
	c.t.Helper()
	return c.nextOr("no message came")
}

// nextOr is next with a message for the case that none comes.
func (c *client) nextOr(problem string, args ...any) wire.ServerMessage {
	c.t.Helper()
	select {
	case m := <-c.inbox:
		return m
	case <-time.After(eventually):
		require.FailNowf(c.t, "timeout", problem, args...)
		return nil
	}
}

// answer returns the next message that is neither presence nor talkers: those
// come at any time.
func (c *client) answer() wire.ServerMessage {
	c.t.Helper()
	for {
		switch m := c.next().(type) {
		case wire.Presence, wire.Talkers:
		default:
			return m
		}
	}
}

// await returns the next answer, which must be of the given type.
func await[M wire.ServerMessage](c *client) M {
	c.t.Helper()
	got := c.answer()
	m, ok := got.(M)
	require.True(c.t, ok, "got %#v", got)
	return m
}

// expectOK sends a request and expects its OK.
func (c *client) expectOK(m wire.ClientMessage) {
	c.t.Helper()
	c.send(m)
	await[wire.OK](c)
}

// expectError sends a request and expects an error with the code.
func (c *client) expectError(m wire.ClientMessage, code wire.Code) {
	c.t.Helper()
	c.errorOf(m, code)
}

// refusal is an error message of the server.
type refusal struct {
	id, text string
	code     wire.Code
}

// errorOf is expectError, and returns the error.
func (c *client) errorOf(m wire.ClientMessage, code wire.Code) refusal {
	c.t.Helper()
	c.send(m)
	got := await[wire.Error](c)
	require.Equal(c.t, code, got.Code, got.Message)
	return refusal{got.ID, got.Message, got.Code}
}

// presence returns the next presence message that fits accepts.
func (c *client) presence(fits func(wire.Presence) bool) wire.Presence {
	c.t.Helper()
	for {
		m := c.next()
		require.NotNil(c.t, m, "the connection ended")
		if p, ok := m.(wire.Presence); ok && fits(p) {
			return p
		}
	}
}

// stageChange returns the next change on stage that fits accepts, whatever else the
// same presence message tells: how many changes one has depends on the machine.
func (c *client) stageChange(fits func(wire.StageChange) bool) wire.StageChange {
	c.t.Helper()
	at := -1
	p := c.presence(func(p wire.Presence) bool {
		at = slices.IndexFunc(p.StageChanges, fits)
		return at >= 0
	})
	return p.StageChanges[at]
}

// drain reads until the end of the connection and returns what came.
func (c *client) drain() []wire.ServerMessage {
	c.t.Helper()
	var all []wire.ServerMessage
	for {
		m := c.next()
		if m == nil {
			return all
		}
		all = append(all, m)
	}
}

// goodbye reads until the end and returns the last message, a goodbye, and the
// code with which the server closed.
func (c *client) goodbye() (wire.GoodbyeReason, int) {
	c.t.Helper()
	all := c.drain()
	require.NotEmpty(c.t, all)
	last, ok := all[len(all)-1].(wire.Goodbye)
	require.True(c.t, ok, "last message: %#v", all[len(all)-1])
	var closing *websocket.CloseError
	require.ErrorAs(c.t, c.end, &closing)
	return last.Reason, closing.Code
}

// close closes the WebSocket with the closing handshake.
func (c *client) close(code int) {
	c.t.Helper()
	text := websocket.FormatCloseMessage(code, "")
	require.NoError(c.t, c.conn.WriteControl(websocket.CloseMessage, text, time.Now().Add(eventually)))
}

// hangUp closes the connection without a closing handshake.
func (c *client) hangUp() { _ = c.conn.Close() }

// call makes an HTTP request and decodes the JSON answer into a map.
func (h *testServer) call(method, path, token, body string) (*http.Response, map[string]any) {
	h.t.Helper()
	request, err := http.NewRequest(method, h.http.URL+path, strings.NewReader(body))
	require.NoError(h.t, err)
	if body != "" {
		request.Header.Set("Content-Type", "application/json")
	}
	if token != "" {
		request.Header.Set("Authorization", "Bearer "+token)
	}
	return h.do(request)
}

func (h *testServer) do(request *http.Request) (*http.Response, map[string]any) {
	h.t.Helper()
	response, err := h.http.Client().Do(request)
	require.NoError(h.t, err)
	defer response.Body.Close()
	var answer map[string]any
	if request.Method != http.MethodHead && response.StatusCode != http.StatusNoContent && strings.Contains(response.Header.Get("Content-Type"), "json") {
		require.NoError(h.t, json.NewDecoder(response.Body).Decode(&answer))
	}
	return response, answer
}

// code returns the error code of an HTTP answer.
func code(answer map[string]any) wire.Code {
	detail, _ := answer["error"].(map[string]any)
	name, _ := detail["code"].(string)
	return wire.Code(name)
}
