package janus

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/earshot-audio/earshot/loadgen/driver"
	"github.com/earshot-audio/earshot/loadgen/scenario"
)

// A fake stands for a Janus where one is needed that errs. TestRealJanus has the real one.
type fake struct {
	t *testing.T
	// answers is what it says to a request, each a message without its transaction; nil is what a sound
	// server says.
	answers func(r received) []map[string]any
	ends    func(r received) bool // the WebSocket, instead of an answer

	mu       sync.Mutex
	requests []received
	sessions int // that there are
}

// A received is a request as a server has it.
type received struct {
	Janus, Transaction, Plugin string
	Session                    uint64 `json:"session_id"`
	Handle                     uint64 `json:"handle_id"`
	Body                       map[string]any
	JSEP                       map[string]string
	APISecret, Token           string
}

// asks is what is asked for: of the plugin, if it is.
func (r received) asks() string {
	if r.Janus == bridge {
		request, _ := r.Body["request"].(string)
		return "bridge " + request
	}
	return r.Janus
}

// bridged is the AudioBridge's answer with some fields, as kind.
func bridged(kind string, fields map[string]any) map[string]any {
	return map[string]any{"janus": kind, "sender": 2, "plugindata": map[string]any{"plugin": plugin, "data": fields}}
}

// sound is what a sound server says.
func sound(r received) []map[string]any {
	switch r.asks() {
	case create, attach:
		return []map[string]any{{"janus": "success", "data": map[string]any{"id": 4503599627370497}}}
	case information:
		return []map[string]any{{"janus": "server_info", "session-timeout": 60}}
	case "bridge " + createRoom:
		return []map[string]any{bridged("success", map[string]any{"audiobridge": "created", "room": 9007199254740991})}
	case "bridge " + roomExists:
		return []map[string]any{bridged("success", map[string]any{"audiobridge": "success", "room": r.Body["room"], "exists": true})}
	case "bridge " + join:
		joined := bridged("event", map[string]any{"audiobridge": "joined", "room": r.Body["room"], "id": 7, "participants": []any{}})
		joined["jsep"] = map[string]string{"type": "answer", "sdp": "v=0\r\n"}
		return []map[string]any{{"janus": "ack"}, joined}
	case keepalive:
		return []map[string]any{{"janus": "ack"}}
	}
	if r.Janus == bridge {
		return []map[string]any{bridged("success", map[string]any{"audiobridge": "success"})}
	}
	return []map[string]any{{"janus": "success"}}
}

// driver returns a driver of the server.
func (f *fake) driver() *Driver {
	f.t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		conn, err := (&websocket.Upgrader{Subprotocols: []string{subprotocol}}).Upgrade(w, r, nil)
		if assert.NoError(f.t, err) {
			defer conn.Close()
			f.serve(conn)
		}
	}))
	f.t.Cleanup(server.Close)
	d, err := New(strings.Replace(server.URL, "http", "ws", 1), "the secret", "the token", nil)
	require.NoError(f.t, err)
	return d
}

// serve answers one client's requests.
func (f *fake) serve(conn *websocket.Conn) {
	for {
		var r received
		if conn.ReadJSON(&r) != nil {
			return
		}
		f.mu.Lock()
		f.requests = append(f.requests, r)
		switch r.Janus {
		case create:
			f.sessions++
		case destroy:
			f.sessions--
		}
		f.mu.Unlock()
		if f.ends != nil && f.ends(r) {
			return
		}
		var answers []map[string]any
		if f.answers != nil {
			answers = f.answers(r)
		}
		if answers == nil {
			answers = sound(r)
		}
		for _, a := range answers {
			if _, event := a["event"]; event {
				delete(a, "event") // it answers nothing
			} else {
				a["transaction"] = r.Transaction
			}
			if conn.WriteJSON(a) != nil {
				return
			}
		}
	}
}

// asked returns the requests of a kind.
func (f *fake) asked(what string) (all []received) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, r := range f.requests {
		if r.asks() == what {
			all = append(all, r)
		}
	}
	return all
}

// room opens a room of the server's, which the test closes.
func (f *fake) room() driver.RoomClient {
	f.t.Helper()
	room, err := f.driver().Open(f.t.Context(), 0, scenario.RoomSpec{})
	require.NoError(f.t, err)
	f.t.Cleanup(func() { assert.NoError(f.t, room.Close(context.Background())) })
	return room
}

// joined has somebody join, who leaves at the end.
func joined(t *testing.T, room driver.RoomClient) driver.Participant {
	t.Helper()
	p, err := room.Join(t.Context(), "listener 1.1", scenario.Listener)
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, p.Leave(context.Background())) })
	return p
}

// within is a context for what must not last.
func within(t *testing.T, d time.Duration) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), d)
	t.Cleanup(cancel)
	return ctx
}

// refuses answers a request with an error of Janus' own.
func refuses(what string, code int, reason string) func(received) []map[string]any {
	return func(r received) []map[string]any {
		if r.asks() != what {
			return nil
		}
		return []map[string]any{{"janus": "error", "error": map[string]any{"code": code, "reason": reason}}}
	}
}

// declines answers a request with an error of the AudioBridge's.
func declines(what string, code int, reason string) func(received) []map[string]any {
	return func(r received) []map[string]any {
		if r.asks() != "bridge "+what {
			return nil
		}
		return []map[string]any{{"janus": "ack"}, bridged("event", map[string]any{"audiobridge": "event", "error_code": code, "error": reason})}
	}
}

// tells has a server say more after its answer to a request.
func tells(what string, more ...map[string]any) func(received) []map[string]any {
	return func(r received) []map[string]any {
		if r.asks() != what {
			return nil
		}
		all := sound(r)
		for _, m := range more {
			m["event"] = true
			all = append(all, m)
		}
		return all
	}
}
