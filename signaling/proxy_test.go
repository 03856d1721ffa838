package signaling

import (
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/earshot-audio/earshot/signaling/auth"
	"github.com/earshot-audio/earshot/signaling/wire"
)

// TestTrustedProxiesSayWhoTheClientIs asks who a request comes from.
func TestTrustedProxiesSayWhoTheClientIs(t *testing.T) {
	trusted := []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("fd00::/8")}
	for name, row := range map[string]struct {
		from      string
		forwarded []string
		want      string
	}{
		"a client that came itself":                  {"192.0.2.1:5", nil, "192.0.2.1:5"},
		"a client cannot say that it is another":     {"192.0.2.1:5", []string{"198.51.100.7"}, "192.0.2.1:5"},
		"a proxy says who it was":                    {"127.0.0.1:5", []string{"192.0.2.1"}, "192.0.2.1:5"},
		"two proxies, one behind the other":          {"127.0.0.1:5", []string{"192.0.2.1, 10.1.2.3"}, "192.0.2.1:5"},
		"in a field for each":                        {"127.0.0.1:5", []string{"192.0.2.1", "10.1.2.3"}, "192.0.2.1:5"},
		"what the client wrote itself stands before": {"127.0.0.1:5", []string{"198.51.100.7, 192.0.2.1"}, "192.0.2.1:5"},
		"IPv6":                                        {"[fd00::1]:5", []string{"2001:db8::1"}, "[2001:db8::1]:5"},
		"with a port, as some write it":               {"127.0.0.1:5", []string{"192.0.2.1:99"}, "192.0.2.1:5"},
		"in brackets, as some write it":               {"127.0.0.1:5", []string{"[2001:db8::1]:99"}, "[2001:db8::1]:5"},
		"a proxy that says nothing is the client":     {"127.0.0.1:5", nil, "127.0.0.1:5"},
		"and one that says nonsense":                  {"127.0.0.1:5", []string{"unknown"}, "127.0.0.1:5"},
		"and one that names nobody but proxies":       {"127.0.0.1:5", []string{"10.1.2.3"}, "127.0.0.1:5"},
		"nothing is believed that stands before that": {"127.0.0.1:5", []string{"192.0.2.1, nonsense"}, "127.0.0.1:5"},
	} {
		s := &Server{cfg: Config{TrustedProxies: trusted, PublicURL: &url.URL{Scheme: "https", Host: "rooms.example.org"}}}
		request := httptest.NewRequest(http.MethodGet, "http://inside:7080/", nil)
		request.RemoteAddr = row.from
		for _, field := range row.forwarded {
			request.Header.Add("X-Forwarded-For", field)
		}
		var got *http.Request
		s.behindProxies(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { got = r })).ServeHTTP(nil, request)
		assert.Equal(t, row.want, got.RemoteAddr, name)
		host := "inside:7080"
		if !strings.HasPrefix(row.from, "192.") {
			host = "rooms.example.org"
		}
		assert.Equal(t, host, got.Host, name)
	}
}

func TestPublicURLIsInLinks(t *testing.T) {
	h := closed(t, func(cfg *Config) { cfg.PublicURL = &url.URL{Scheme: "https", Host: "rooms.example.org"} })
	answer := h.must(http.StatusCreated, http.MethodPost, "/api/invites", operatorToken, `{}`)
	assert.True(t, strings.HasPrefix(answer["url"].(string), "https://rooms.example.org/#/i/"), answer["url"])
}

// TestManyPeopleBehindOneAddress has 500 people redeem a link at once from one address,
// from which somebody else guesses codes all the time.
func TestManyPeopleBehindOneAddress(t *testing.T) {
	h := closed(t, func(cfg *Config) {
		cfg.Limits = auth.Limits{
			RequestByAddress: auth.Limit{Rate: 50, Burst: 1000},
			SignInByAddress:  auth.Limit{Rate: 0.001, Burst: 100}, // as good as none comes back on a slow machine
		}
	})
	room, _ := h.room(`{"name":"x"}`)
	code, _ := h.invite(room, `{"role":"listener","uses":500}`)
	redeem := func(code string) int {
		request := httptest.NewRequest(http.MethodPost, "/api/invites/"+code+"/redeem", strings.NewReader(`{"name":"Bo"}`))
		request.RemoteAddr = "192.0.2.1:1"
		request.Header.Set("Content-Type", "application/json")
		answer := httptest.NewRecorder()
		h.server.Handler().ServeHTTP(answer, request)
		return answer.Code
	}
	limited := 0
	for range 300 {
		if redeem(auth.NewID()) == http.StatusTooManyRequests {
			limited++
		}
	}
	require.Positive(t, limited, "who guesses is limited")
	var in atomic.Int64
	var all sync.WaitGroup
	for range 500 {
		all.Go(func() {
			if redeem(code) == http.StatusOK {
				in.Add(1)
			}
		})
	}
	all.Wait()
	assert.EqualValues(t, 500, in.Load(), "and keeps nobody out")
	assert.Equal(t, wire.CodeRateLimited.Status(), redeem(code), "a code that is used up is as good as a guess")
}
