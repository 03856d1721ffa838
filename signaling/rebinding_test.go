package signaling

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
)

// A page that is made to reach this machine under its own name gets nothing, whatever the way.
func TestOpenServerOfThisMachineRefusesPagesFromElsewhere(t *testing.T) {
	h := open(t, func(cfg *Config) {
		cfg.LoopbackOnly, cfg.PublicURL = true, &url.URL{Scheme: "https", Host: "rooms.example.org"}
	})
	for name, row := range map[string]struct {
		host, origin string
		refused      bool
	}{
		"a program":                                   {"127.0.0.1:7080", "", false},
		"by IPv6":                                     {"[::1]:7080", "", false},
		"by IPv6 without a port":                      {"[::1]", "", false},
		"by name":                                     {"LocalHost:7080", "http://localhost:7080", false},
		"by another address of this machine":          {"127.0.0.2", "", false},
		"a page of this machine on another port":      {"127.0.0.1:7080", "http://localhost:3000", false},
		"by the public URL":                           {"rooms.example.org", "https://rooms.example.org", false},
		"a page from elsewhere":                       {"127.0.0.1:7080", "https://evil.example", true},
		"a page under its own name":                   {"evil.example:7080", "http://evil.example:7080", true},
		"also if it does not say so":                  {"evil.example:7080", "", true},
		"a name that looks like this machine":         {"localhost.evil.example", "", true},
		"an address that looks like it":               {"127.0.0.1.evil.example:7080", "", true},
		"a page in a sandbox":                         {"127.0.0.1:7080", "null", true},
		"a user in the origin":                        {"127.0.0.1:7080", "http://127.0.0.1@evil.example", true},
		"no host":                                     {"", "", true},
		"an address of the network":                   {"192.0.2.1:7080", "", true},
		"every address":                               {"0.0.0.0:7080", "", true},
		"the public URL's host with another's origin": {"rooms.example.org", "https://evil.example", true},
	} {
		for _, way := range []struct{ method, path string }{
			{http.MethodGet, "/"}, {http.MethodGet, "/api/rooms"}, {http.MethodPost, "/api/rooms"}, {http.MethodGet, "/ws"},
			{http.MethodPost, "/rooms/a/whip"}, {http.MethodOptions, "/rooms/a/whep"}, {http.MethodGet, "/metrics"},
		} {
			request := httptest.NewRequest(way.method, way.path, strings.NewReader("{}"))
			request.Host, request.RemoteAddr = row.host, "127.0.0.1:5"
			if row.origin != "" {
				request.Header.Set("Origin", row.origin)
			}
			answer := httptest.NewRecorder()
			h.server.Handler().ServeHTTP(answer, request)
			assert.Equal(t, row.refused, answer.Code == http.StatusForbidden, "%s: %s %s: %s", name, way.method, way.path, answer.Body)
			if row.refused {
				assert.Contains(t, answer.Body.String(), "for this machine alone", name)
				assert.Empty(t, answer.Header().Get("Access-Control-Allow-Origin"), name)
			}
		}
	}
}
