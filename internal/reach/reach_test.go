package reach_test

import (
	"net"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/earshot-audio/earshot/internal/reach"
)

func TestOutside(t *testing.T) {
	for _, c := range []struct {
		name, address string
		outside       bool
	}{
		{"the loopback with a port is this machine's", "127.0.0.1:7080", false},
		{"and without", "127.0.0.1", false},
		{"the whole of 127.0.0.0/8 is", "127.255.255.254:0", false},
		{"the loopback of IPv6 is", "[::1]:7080", false},
		{"and without a port, in brackets", "[::1]", false},
		{"and without them", "::1", false},
		{"and however long it is written", "[0:0:0:0:0:0:0:1]:7080", false},
		{"and with its interface", "[::1%lo]:7080", false},
		{"the loopback of IPv4, written as IPv6, is", "[::ffff:127.0.0.1]:7080", false},
		{"localhost is", "localhost:7080", false},
		{"in capitals", "LOCALHOST", false},
		{"and with the dot of the root", "localhost.:80", false},
		{"all of IPv4 is every interface", "0.0.0.0:7080", true},
		{"all of IPv6 is", "[::]:7080", true},
		{"no host is", ":7080", true},
		{"nothing is", "", true},
		{"a private network is others' too", "10.0.0.5:7080", true},
		{"a link-local address is", "[fe80::1%eth0]:7080", true},
		{"a unique local address is", "[fd00::1]:7080", true},
		{"an address of carriers is", "100.64.0.1:7080", true},
		{"a public one is", "198.51.100.1:7080", true},
		{"all of IPv4, written as IPv6, is", "[::ffff:0.0.0.0]:7080", true},
		{"a name may mean anything tomorrow", "rooms.example.org:7080", true},
		{"a name that begins like the loopback is a name", "127.0.0.1.example.org:80", true},
		{"a name that ends like this machine's is a name", "evil-localhost", true},
		{"a short form, which some resolvers know, is taken as a name", "127.1:80", true},
		{"and so is a number", "2130706433:80", true},
		{"and octal digits", "0177.0.0.1:80", true},
	} {
		assert.Equal(t, c.outside, reach.Outside(c.address), "%s: %q", c.name, c.address)
	}
}

// What is called this machine's must be: a listener there has such an address.
func TestWhatIsNotOutsideListensOnTheLoopback(t *testing.T) {
	for _, address := range []string{"127.0.0.1:0", "127.8.9.10:0", "[::1]:0", "[::ffff:127.0.0.1]:0", "localhost:0"} {
		require.False(t, reach.Outside(address), address)
		l, err := net.Listen(reach.TCPNetwork(address), address)
		if err != nil {
			t.Logf("%s: %v", address, err) // a machine without IPv6, or without 127.0.0.0/8
			continue
		}
		assert.True(t, l.Addr().(*net.TCPAddr).IP.IsLoopback(), "%s is %s", address, l.Addr())
		require.NoError(t, l.Close())
	}
}

func TestGuard(t *testing.T) {
	for _, c := range []struct {
		name, address, host string
		status              int
	}{
		{"this machine calls it by its address", "127.0.0.1:9000", "127.0.0.1:9000", http.StatusOK},
		{"or by its name, through a tunnel on another port", "127.0.0.1:9000", "localhost:1234", http.StatusOK},
		{"a page that was led here has its own name", "127.0.0.1:9000", "evil.example:9000", http.StatusForbidden},
		{"a request without a name comes from no browser, and from nobody who was told to", "127.0.0.1:9000", "", http.StatusForbidden},
		{"what the network can reach goes by any name", "0.0.0.0:9000", "metrics.example:9000", http.StatusOK},
	} {
		w := httptest.NewRecorder()
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.Host = c.host
		reach.Guard(c.address, http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})).ServeHTTP(w, r)
		assert.Equal(t, c.status, w.Code, c.name)
	}
}

func TestWithScheme(t *testing.T) {
	for given, want := range map[string]string{
		"127.0.0.1:7080":         "http://127.0.0.1:7080",
		"localhost:7080/":        "http://localhost:7080/",
		"[::1]:7080":             "http://[::1]:7080",
		"https://example.org":    "https://example.org",
		"http://127.0.0.1:7080/": "http://127.0.0.1:7080/",
		"localhost":              "localhost", // what runs on port 80 is named
		"localhost:":             "localhost:",
		"mailto:someone":         "mailto:someone",
		"":                       "",
	} {
		assert.Equal(t, want, reach.WithScheme(given))
	}
}
