package iceuri

import (
	"testing"

	"github.com/pion/stun/v4"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestParse(t *testing.T) {
	for _, c := range []struct {
		name, raw string
		want      stun.URI
		ok        bool
	}{
		{"a host alone has the port of its scheme", "stun:stun.example.net", stun.URI{Scheme: stun.SchemeTypeSTUN, Host: "stun.example.net", Port: 3478, Proto: stun.ProtoTypeUDP}, true},
		{"an IPv6 address stands in brackets", "turn:[::1]:99?transport=tcp", stun.URI{Scheme: stun.SchemeTypeTURN, Host: "::1", Port: 99, Proto: stun.ProtoTypeTCP}, true},
		{"and may have no port", "turns:[::1]", stun.URI{Scheme: stun.SchemeTypeTURNS, Host: "::1", Port: 5349, Proto: stun.ProtoTypeTCP}, true},
		{"what follows the brackets is a port or nothing", "stun:[::1]x", stun.URI{}, false},
		{"also where there is a port behind it", "stun:[]ple:99", stun.URI{}, false},
		{"a bracket that is not closed", "stun:[::1", stun.URI{}, false},
		{"another scheme", "https:example.net", stun.URI{}, false},
		{"no URI at all", ":", stun.URI{}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := Parse(c.raw)
			if !c.ok {
				require.Error(t, err)
				return
			}
			require.NoError(t, err)
			assert.Equal(t, c.want, *got)
		})
	}
}

// FuzzParse holds that any text is read to an end, and that what was read has a
// host and a scheme.
func FuzzParse(f *testing.F) {
	for _, seed := range []string{"stun:a", "turn:[::1]:1?transport=udp", "stuns:[]x", "turns:a:b:c", "stun:%3f?a#b"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		if u, err := Parse(raw); err == nil {
			require.NotEmpty(t, u.Host)
			require.NotEqual(t, stun.SchemeTypeUnknown, u.Scheme)
		}
	})
}
