package cli

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestPlainToken(t *testing.T) {
	for _, c := range []struct {
		name, token string
		urls        []string
		says        []string
	}{
		{"without a token there is nothing to see", "", []string{"http://rooms.example.org"}, nil},
		{"this machine sees its own", "x", []string{"http://127.0.0.1:7080", "http://[::1]:7080", "http://localhost"}, nil},
		{"TLS hides it", "x", []string{"https://rooms.example.org"}, nil},
		{"plain HTTP does not", "x", []string{"http://rooms.example.org"}, []string{"http://rooms.example.org unencrypted"}},
		{"nor does a WebSocket", "x", []string{"ws://rooms.example.org", "WS://b.example.org"}, []string{"ws://rooms.example.org unencrypted", "ws://b.example.org unencrypted"}},
		{"one over TLS does", "x", []string{"wss://rooms.example.org"}, nil},
		{"two URLs of one host are one", "x", []string{"http://198.51.100.1/{room}/whip", "http://198.51.100.1/{room}/whep"}, []string{"http://198.51.100.1 "}},
		{"a password in the URL is not shown", "x", []string{"http://me:secret@198.51.100.1/"}, []string{"http://198.51.100.1 "}},
	} {
		said := PlainToken(c.token, c.urls)
		require.Len(t, said, len(c.says), c.name)
		for i, text := range c.says {
			assert.Contains(t, said[i], text, c.name)
			assert.NotContains(t, said[i], "secret", c.name)
		}
	}
}
