package urltext

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
)

func TestSafe(t *testing.T) {
	for _, c := range []struct{ name, url, want string }{
		{"a plain one", "http://127.0.0.1:7080", "http://127.0.0.1:7080"},
		{"one with a path", "https://example.org/rooms/stage/whip", "https://example.org/rooms/stage/whip"},
		{"placeholders", "http://h/{room}/whep?room={room}&who={listener}", "http://h/{room}/whep?room={room}&who={listener}"},
		{"a user and a password", "https://ann:s3cret@example.org/x", "https://…@example.org/x"},
		{"a token as the user", "nats://TOKEN@10.0.0.5:7090", "nats://…@10.0.0.5:7090"},
		{"a password with an @", "http://a:b@c@h/", "http://…@h/"},
		{"a token in the query", "https://example.org/whip?token=abc&id=7", "https://example.org/whip?token=…&id=…"},
		{"a query that is a key", "https://example.org/whip?A9f3kQz81LmN0pRsTu", "https://example.org/whip?…"},
		{"an invite's code", "https://example.org/#/i/Kq3vX9", "https://example.org/#…"},
		{"a stream key in the path", "https://live.example.org/whip/sk_A9f3kQz81LmN0pRsTu/x", "https://live.example.org/whip/…/x"},
		{"the id of a session", "/rooms/a/whip/0b5f8e3c9d1a4f7e", "/rooms/a/whip/…"},
		{"an escaped key", "http://h/%41%39f3kQz81LmN0pRsTu", "http://h/…"},
		{"long names are no keys", "http://h/the-annual-general-meeting-2026/whep", "http://h/the-annual-general-meeting-2026/whep"},
		{"an address without a scheme", "ann:pw@example.org:80", "…@example.org:80"},
		{"a slash alone", "http://h/", "http://h/"},
		{"nothing", "", ""},
		{"what can't be parsed", "http://u:p@[::1/%zz?token=x", "http://…@[::1/%zz?token=…"},
	} {
		t.Run(c.name, func(t *testing.T) { assert.Equal(t, c.want, Safe(c.url)) })
	}
}

func TestScrub(t *testing.T) {
	for _, c := range []struct{ name, text, want string }{
		{"an error of net/http", `Post "http://u:p@h/whip?token=x": dial tcp 10.0.0.1:80: connect: refused`, `Post "http://…@h/whip?token=…": dial tcp 10.0.0.1:80: connect: refused`},
		{"several, and a full stop", "from wss://h/a?t=1 to nats://T@h:4222.", "from wss://h/a?t=… to nats://…@h:4222."},
		{"a password with a space", `target: parse "http://u:top secret@h:1": net/url: invalid userinfo`, `target: parse "http://…@h:1": net/url: invalid userinfo`},
		{"a password with a quotation mark", `parse "http://u:a\"b c@h/": bad`, `parse "http://…@h/": bad`},
		{"a user and a password without a scheme", `target "u:s3cret@127.0.0.1:7091" is not a URL`, `target "…@127.0.0.1:7091" is not a URL`},
		{"the same, bare", "reach ann:pw@h:80, please", "reach …@h:80, please"},
		{"an address of mail", "ask ann@example.org", "ask ann@example.org"},
		{"in brackets", "(see https://h/x?k=1)", "(see https://h/x?k=…)"},
		{"none", "the room is full: 3/4?", "the room is full: 3/4?"},
	} {
		t.Run(c.name, func(t *testing.T) { assert.Equal(t, c.want, Scrub(c.text)) })
	}
}

func FuzzSafe(f *testing.F) {
	f.Add("https://ann:s3cret@example.org/a?b=c#d")
	f.Add("nats://T@h")
	f.Add("://?@")
	f.Fuzz(func(t *testing.T, text string) {
		safe := Safe(text)
		assert.Equal(t, safe, Safe(safe), "what is safe stays as it is")
		if utf8.ValidString(text) {
			assert.True(t, utf8.ValidString(safe))
			assert.True(t, utf8.ValidString(Scrub(text)))
		}
		_, rest, found := strings.Cut(safe, "://")
		host := rest
		if end := strings.IndexAny(rest, "/?#"); end >= 0 { // RFC 3986, section 3.2
			host = rest[:end]
		}
		if at := strings.LastIndex(host, "@"); found && at >= 0 {
			assert.Equal(t, Hidden, host[:at])
		}
	})
}
