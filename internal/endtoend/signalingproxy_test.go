package endtoend_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"sync"
	"testing"

	"github.com/gorilla/websocket"
	"github.com/stretchr/testify/require"

	"github.com/earshot-audio/earshot/signaling/wire"
)

// A message is what a tap needs to know of one.
type message struct {
	ID     string
	Type   wire.Type
	Name   string
	Member string
	Muted  bool
}

// A signalingTap sees what goes over one connection of a client. Each method is for one goroutine.
type signalingTap interface {
	// fromClient reports whether a message of the client passes on to the server, and whether
	// the connection stays open. An answer, if not nil, goes back to the client.
	fromClient(message) (answer any, pass, open bool)
	fromServer(message)
}

// ignoring is a tap that ignores what the server says.
type ignoring struct{}

func (ignoring) fromServer(message) {}

// proxySignaling is a server behind a proxy that taps each of its WebSockets. It ends with the
// test.
func proxySignaling(t *testing.T, server string, open func() signalingTap) string {
	t.Helper()
	at, err := url.Parse(server)
	require.NoError(t, err)
	others := httputil.NewSingleHostReverseProxy(at)
	var relays sync.WaitGroup
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !websocket.IsWebSocketUpgrade(r) {
			others.ServeHTTP(w, r)
			return
		}
		header := http.Header{}
		if token := r.Header.Get("Authorization"); token != "" {
			header.Set("Authorization", token)
		}
		to, answer, err := websocket.DefaultDialer.DialContext(r.Context(), "ws://"+at.Host+r.URL.RequestURI(), header)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadGateway)
			return
		}
		_ = answer.Body.Close()
		upgrader := websocket.Upgrader{}
		from, err := upgrader.Upgrade(w, r, nil)
		if err != nil {
			_ = to.Close()
			return
		}
		relays.Go(func() { relay(from, to, open()) })
	}))
	t.Cleanup(func() {
		front.CloseClientConnections()
		front.Close()
		relays.Wait()
	})
	return front.URL
}

// relay carries messages between a client and the server until one of them hangs up.
func relay(client, server *websocket.Conn, through signalingTap) {
	var writing sync.Mutex // to the client
	var back sync.WaitGroup
	back.Go(func() {
		defer client.Close()
		for {
			kind, text, err := server.ReadMessage()
			if err != nil {
				return
			}
			var m message
			if json.Unmarshal(text, &m) == nil {
				through.fromServer(m)
			}
			writing.Lock()
			err = client.WriteMessage(kind, text)
			writing.Unlock()
			if err != nil {
				return
			}
		}
	})
	defer back.Wait()
	defer server.Close()
	for {
		kind, text, err := client.ReadMessage()
		if err != nil {
			return
		}
		var m message
		if json.Unmarshal(text, &m) == nil {
			answer, pass, open := through.fromClient(m)
			if answer != nil {
				writing.Lock()
				err = client.WriteJSON(answer)
				writing.Unlock()
			}
			switch {
			case err != nil || !open:
				return
			case !pass:
				continue
			}
		}
		if server.WriteMessage(kind, text) != nil {
			return
		}
	}
}
