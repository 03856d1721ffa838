package signaling

import (
	"net/netip"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Whatever a page says of its origin, one that is taken for this machine's is at a loopback address or localhost, as
// whoever else reads URLs has it.
func FuzzOwnOrigin(f *testing.F) {
	for _, origin := range []string{
		"http://localhost:3000", "https://127.0.0.2", "http://[::1]:7080", "http://[::ffff:127.0.0.1]", "http://localhost.", "null", "http://127.0.0.1@evil.example", "http://evil.example@127.0.0.1",
		"http://localhost.evil.example", "http://[::1%25evil.example]", "http://evil.example:80:[::1]", "http://127.1", "//localhost", "http://LOCALHOST:", "http://[127.0.0.1",
	} {
		f.Add(origin)
	}
	f.Fuzz(func(t *testing.T, origin string) {
		public := &url.URL{Scheme: "https", Host: "rooms.example.org"}
		own := ownOrigin([]string{origin}, nil)
		assert.False(t, ownOrigin([]string{origin, "https://evil.example"}, nil), "all of them have to be")
		if !own {
			if ownOrigin([]string{origin}, public) {
				assert.Contains(t, strings.ToLower(origin), public.Host)
			}
			return
		}
		assert.True(t, ownOrigin([]string{origin}, public), "a public URL adds to it")
		u, err := url.Parse(origin)
		require.NoError(t, err)
		assert.Nil(t, u.User)
		host := strings.ToLower(strings.TrimSuffix(u.Hostname(), "."))
		if host == "localhost" {
			return
		}
		ip, err := netip.ParseAddr(host)
		if err != nil {
			ip, err = netip.ParseAddr(u.Host) // of IPv6, without brackets
		}
		require.NoError(t, err, "%q is neither an address nor localhost", host)
		assert.True(t, ip.Unmap().IsLoopback())
	})
}
