package browser_test

import (
	"strings"
	"testing"

	"github.com/gorilla/websocket"
	"github.com/stretchr/testify/require"
)

// attend has somebody sit in a room of an open server, without a browser and
// without audio, until the test ends. They answer nothing, and send what they are given.
func attend(t *testing.T, s *server, room, role, name string) (send func(message map[string]any)) {
	t.Helper()
	conn, _, err := websocket.DefaultDialer.Dial(strings.Replace(s.url, "http", "ws", 1)+"/ws", nil)
	require.NoError(t, err)
	require.NoError(t, conn.WriteJSON(map[string]any{"type": "hello", "version": 1}))
	require.NoError(t, conn.WriteJSON(map[string]any{"type": "join", "room": room, "role": role, "name": name}))
	joined := make(chan struct{})
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for {
			var m struct{ Type string }
			if conn.ReadJSON(&m) != nil {
				return
			}
			if m.Type == "joined" {
				close(joined)
			}
		}
	}()
	t.Cleanup(func() {
		_ = conn.Close()
		<-ended
	})
	select {
	case <-joined:
	case <-ended:
		require.FailNow(t, "the server let nobody in", "%s as %s", name, role)
	}
	return func(message map[string]any) { require.NoError(t, conn.WriteJSON(message)) }
}
