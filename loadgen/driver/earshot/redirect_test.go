package earshot

import (
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// A server sends clients to WebSockets alone, and from an encrypted one to encrypted ones alone: the token goes along.
func FuzzSentTo(f *testing.F) {
	for _, to := range []string{
		"wss://b.example/ws", "ws://127.0.0.1:7080/ws?room=a", "WS://[::1]:7080/ws", "https://b.example/ws", "//b.example", "wss:b.example", "ws://", "\x7f", "ws://b example",
	} {
		f.Add(true, to)
		f.Add(false, to)
	}
	f.Fuzz(func(t *testing.T, secure bool, to string) {
		from := "ws://a.example/ws"
		if secure {
			from = "wss://a.example/ws"
		}
		if err := sentTo(from, to); err != nil {
			assert.Contains(t, err.Error(), "the server sends clients to")
			assert.LessOrEqual(t, len(err.Error()), 1000, "it is for people to read")
			return
		}
		u, err := url.Parse(to)
		require.NoError(t, err)
		assert.NotEmpty(t, u.Host)
		scheme, _, _ := strings.Cut(strings.ToLower(to), ":")
		want := []string{"wss"}
		if !secure {
			want = append(want, "ws")
		}
		assert.Contains(t, want, scheme)
		assert.NoError(t, sentTo(to, to), "from there to there is as good")
	})
}
