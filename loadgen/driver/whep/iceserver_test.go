package whep

import (
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/earshot-audio/earshot/loadgen/driver"
)

func TestICEServersFromLinkHeaders(t *testing.T) {
	turn := driver.ICEServer{URL: "turn:turn.example.net?transport=udp", Username: "user", Credential: "myPassword"}
	for _, c := range []struct {
		name  string
		links []string
		want  []driver.ICEServer
	}{
		{"RFC 9725's own", []string{
			`<stun:stun.example.net>; rel="ice-server"`,
			`<turn:turn.example.net?transport=udp>; rel="ice-server"; username="user"; credential="myPassword"; credential-type="password"`,
		}, []driver.ICEServer{{URL: "stun:stun.example.net"}, turn}},
		{"in one header, without quotes", []string{
			`<stun:stun.example.net>;rel=ice-server, <turn:turn.example.net?transport=udp>;rel=ice-server;username=user;credential=myPassword`,
		}, []driver.ICEServer{{URL: "stun:stun.example.net"}, turn}},
		{"a comma and an escaped quote in a password", []string{
			`<turn:a.example.net>; rel="ice-server"; username="a;b"; credential="c,\"d\\"`,
		}, []driver.ICEServer{{URL: "turn:a.example.net", Username: "a;b", Credential: `c,"d\`}}},
		{"other links", []string{`<https://example.net/layer>; rel="urn:ietf:params:whep:ext:core:layer"`, `<stun:stun.example.net>; rel="next"`}, nil},
		{"one of several relations", []string{`<stun:stun.example.net>; rel="next ice-server"`}, []driver.ICEServer{{URL: "stun:stun.example.net"}}},
		{"TURN without a password", []string{`<turn:turn.example.net>; rel="ice-server"; username="user"`}, nil},
		{"TURN with a token of OAuth", []string{`<turn:turn.example.net>; rel="ice-server"; username="u"; credential="c"; credential-type="oauth"`}, nil},
		{"TURN without a password, in other letters", []string{`<tuRn:turn.example.net>; rel="ice-server"`}, nil},
		{"no URL of such a server", []string{`<https://example.net>; rel="ice-server"`, `stun:x; rel="ice-server"`, `<>; rel="ice-server"`, ``, `;`}, nil},
		{"the same twice", []string{`<stun:a>; rel="ice-server"`, `<stun:a>; rel="ice-server"`}, []driver.ICEServer{{URL: "stun:a"}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			assert.Equal(t, c.want, iceServers(http.Header{"Link": c.links}))
		})
	}
}

// For any header, the returned servers can be used.
func FuzzICEServers(f *testing.F) {
	f.Add(`<stun:stun.example.net>; rel="ice-server", <turn:x>; rel="ice-server"; username="u"; credential="c"`)
	f.Add(`<stun:a`)
	f.Add(`"\`)
	f.Fuzz(func(t *testing.T, value string) {
		all := iceServers(http.Header{"Link": {value}})
		assert.LessOrEqual(t, len(all), maxICEServers)
		for _, s := range all {
			scheme, _, _ := strings.Cut(strings.ToLower(s.URL), ":")
			assert.Contains(t, []string{"stun", "stuns", "turn", "turns"}, scheme)
			if strings.HasPrefix(scheme, "turn") {
				assert.NotEmpty(t, s.Username, s.URL)
				assert.NotEmpty(t, s.Credential, s.URL)
			}
		}
	})
}
