package signaling

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/netip"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/earshot-audio/earshot/signaling/auth"
	"github.com/earshot-audio/earshot/signaling/front"
	"github.com/earshot-audio/earshot/signaling/wire"
)

// TestTrustedProxiesSayWhoTheClientIs asks who a request comes from.
func TestTrustedProxiesSayWhoTheClientIs(t *testing.T) {
	trusted := front.Proxies{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("fd00::/8")}
	for name, row := range map[string]struct {
		from, header, value string
		want                string // empty: refused
	}{
		"a client that came itself":                {"192.0.2.1:5", "", "", "192.0.2.1:5"},
		"a client cannot say that it is another":   {"192.0.2.1:5", "X-Forwarded-For", "198.51.100.7", "192.0.2.1:5"},
		"by the other header neither":              {"192.0.2.1:5", "Forwarded", "for=198.51.100.7", "192.0.2.1:5"},
		"and what it writes there is of no matter": {"192.0.2.1:5", "Forwarded", `for="`, "192.0.2.1:5"},
		"a proxy says who it was":                  {"127.0.0.1:5", "X-Forwarded-For", "192.0.2.1", "192.0.2.1:5"},
		"by the other header":                      {"[fd00::1]:5", "Forwarded", `for="[2001:db8::1]:9"`, "[2001:db8::1]:5"},
		"a proxy that says nothing is the client":  {"127.0.0.1:5", "", "", "127.0.0.1:5"},
		"and one that does not know":               {"127.0.0.1:5", "Forwarded", "for=unknown", "127.0.0.1:5"},
		"a proxy that passes on nonsense":          {"127.0.0.1:5", "Forwarded", `for="`, ""},
	} {
		s := &Server{log: slog.New(slog.DiscardHandler), cfg: Config{TrustedProxies: trusted, PublicURL: &url.URL{Scheme: "https", Host: "rooms.example.org"}}}
		request := httptest.NewRequest(http.MethodGet, "http://inside:7080/", nil)
		request.RemoteAddr = row.from
		if row.header != "" {
			request.Header.Set(row.header, row.value)
		}
		var got *http.Request
		answer := httptest.NewRecorder()
		s.behindProxies(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { got = r })).ServeHTTP(answer, request)
		if row.want == "" {
			assert.Nil(t, got, name)
			assert.Equal(t, http.StatusBadRequest, answer.Code, name)
			continue
		}
		assert.Equal(t, row.want, got.RemoteAddr, name)
		host := "inside:7080"
		if !strings.HasPrefix(row.from, "192.") {
			host = "rooms.example.org"
		}
		assert.Equal(t, host, got.Host, name)
	}
}

// whoAmI is a page that shows who the server takes the client for.
var whoAmI = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
	host, _, _ := net.SplitHostPort(r.RemoteAddr) // the server has read it
	_, _ = io.WriteString(w, host)
})

// behindLoopback makes the test's own machine a trusted proxy.
func behindLoopback(cfg *Config) {
	cfg.TrustedProxies, cfg.Page = front.Proxies{netip.MustParsePrefix("127.0.0.0/8")}, whoAmI
}

// through returns the server as it is seen through a reverse proxy that adds a header.
func (h *testServer) through(header, value string) *testServer {
	target, err := url.Parse(h.http.URL)
	require.NoError(h.t, err)
	proxy := httptest.NewServer(&httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(target)
		r.Out.Header.Set(header, value)
	}})
	h.t.Cleanup(proxy.Close)
	seen := *h
	seen.http = proxy
	return &seen
}

// relay passes bytes on, as a proxy that knows nothing of HTTP does, and says first what
// is given. It returns its address.
func (h *testServer) relay(first string) string {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(h.t, err)
	var running sync.WaitGroup
	running.Go(func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				return
			}
			running.Go(func() {
				server, err := net.Dial("tcp", h.http.Listener.Addr().String())
				if !assert.NoError(h.t, err) {
					return
				}
				_, _ = io.WriteString(server, first) // what is wrong shows at the other end
				running.Go(func() { _, _ = io.Copy(client, server); _ = client.Close() })
				_, _ = io.Copy(server, client)
				_ = server.Close()
			})
		}
	})
	h.t.Cleanup(func() { _ = listener.Close(); running.Wait() })
	return listener.Addr().String()
}

// TestRoomBehindAReverseProxy plays a room through proxies of all kinds: WebSocket, WHIP
// and WHEP go through them, and audio beside them.
func TestRoomBehindAReverseProxy(t *testing.T) {
	for name, row := range map[string]struct {
		protocol bool
		through  func(h *testServer) *testServer
	}{
		"X-Forwarded-For": {through: func(h *testServer) *testServer { return h.through("X-Forwarded-For", "192.0.2.1") }},
		"Forwarded":       {through: func(h *testServer) *testServer { return h.through("Forwarded", `for="[2001:db8::7]:5";proto=https`) }},
		"PROXY protocol": {protocol: true, through: func(h *testServer) *testServer {
			seen := *h
			seen.http = httptest.NewServer(nil) // for its client alone
			seen.http.URL = "http://" + h.relay("PROXY TCP4 192.0.2.1 10.0.0.1 4711 443\r\n")
			h.t.Cleanup(seen.http.Close)
			return &seen
		}},
	} {
		t.Run(name, func(t *testing.T) {
			h := open(t, func(cfg *Config) { behindLoopback(cfg); cfg.ProxyProtocol = row.protocol })
			seen := row.through(h)
			host, ada := seen.enter("a", wire.RoleHost, "Ada")
			mic := host.openMedia(wire.MediaMic)
			ear, at := seen.openSession("/rooms/a/whep", "", wire.MediaEar)
			ear.awaitFrame(ada.Talker, mic.sent.Load())
			request, err := http.NewRequest(http.MethodDelete, seen.http.URL+at, nil)
			require.NoError(t, err)
			response, err := http.DefaultTransport.RoundTrip(request)
			require.NoError(t, err)
			require.NoError(t, response.Body.Close())
			assert.Less(t, response.StatusCode, 300)
			assert.Positive(t, h.metric("earshot_http_connections_held"), "the WebSocket")
			assert.Zero(t, h.metric("earshot_http_refused_total", "proxy_header"))
			http.DefaultTransport.(*http.Transport).CloseIdleConnections()
		})
	}
}

// lockedBuffer is a log that a test reads while it is written.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) text() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// ask sends bytes and returns the body of the answer, or the status if that is not 200.
func ask(t *testing.T, conn net.Conn, request string) string {
	defer conn.Close()
	_, err := io.WriteString(conn, request)
	require.NoError(t, err)
	response, err := http.ReadResponse(bufio.NewReader(conn), nil)
	require.NoError(t, err)
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	if response.StatusCode != http.StatusOK {
		return response.Status
	}
	return string(body)
}

func TestProxyProtocolIsRequiredOfProxiesAndOfNobodyElse(t *testing.T) {
	const get = "GET / HTTP/1.1\r\nHost: x\r\n"
	const header = "PROXY TCP4 192.0.2.1 10.0.0.1 4711 443\r\n"
	for name, row := range map[string]struct {
		trusted, sent, want string
		refused             bool // and logged
	}{
		"a proxy says who the client is":         {"127.0.0.0/8", header + get, "192.0.2.1", false},
		"and the client cannot say otherwise":    {"127.0.0.0/8", header + get + "X-Forwarded-For: 198.51.100.7\r\nForwarded: for=198.51.100.7\r\n", "192.0.2.1", false},
		"nor as if it were a proxy's own":        {"127.0.0.0/8", header + header + get, "400 Bad Request", false},
		"a check of the proxy's own":             {"127.0.0.0/8", "PROXY UNKNOWN\r\n" + get, "127.0.0.1", false},
		"a proxy behind that proxy says it then": {"127.0.0.0/8", "PROXY TCP4 127.0.0.9 10.0.0.1 4711 443\r\n" + get + "X-Forwarded-For: 192.0.2.8\r\n", "192.0.2.8", false},
		"a proxy that says nothing is refused":   {"127.0.0.0/8", get, "400 Bad Request", true},
		"also if it says it in the other way":    {"127.0.0.0/8", get + "X-Forwarded-For: 192.0.2.1\r\n", "400 Bad Request", true},
		"a header that is none":                  {"127.0.0.0/8", "PROXY TCP4 me you 1 2\r\n" + get, "400 Bad Request", true},
		"somebody else does not speak it":        {"10.0.0.0/8", get, "127.0.0.1", false},
		"and gains nothing by trying":            {"10.0.0.0/8", header + get, "400 Bad Request", false},
	} {
		var log lockedBuffer
		h := closed(t, func(cfg *Config) {
			behindLoopback(cfg)
			cfg.TrustedProxies, cfg.ProxyProtocol = front.Proxies{netip.MustParsePrefix(row.trusted)}, true
			cfg.Log = slog.New(slog.NewTextHandler(&log, nil))
		})
		assert.Equal(t, row.want, ask(t, h.silent(), row.sent+"Connection: close\r\n\r\n"), name)
		if !row.refused {
			assert.Zero(t, h.metric("earshot_http_refused_total", "proxy_header"), name)
		} else {
			assert.EqualValues(t, 1, h.metric("earshot_http_refused_total", "proxy_header"), name)
			assert.Contains(t, log.text(), "does not begin with a header of the PROXY protocol", name)
		}
	}
}

// A port scan, as load balancers make to see whether the server is there, is no fault; a
// proxy that says nothing is cut off in time.
func TestProxyProtocolWaitsSoLongAndNoLonger(t *testing.T) {
	h := closed(t, func(cfg *Config) {
		behindLoopback(cfg)
		cfg.ProxyProtocol, cfg.RequestWait = true, 200*time.Millisecond
	})
	require.NoError(t, h.silent().Close())
	require.Eventually(t, func() bool { return h.metric("earshot_http_connections") == 0 }, eventually, often)
	assert.Zero(t, h.metric("earshot_http_refused_total", "proxy_header"))
	conn := h.silent()
	_, err := io.WriteString(conn, "PROXY TCP4")
	require.NoError(t, err)
	_, err = io.ReadAll(conn)
	require.NoError(t, err)
	assert.EqualValues(t, 1, h.metric("earshot_http_refused_total", "proxy_header"))
}

// Under TLS the header stands before it.
func TestProxyProtocolStandsBeforeTLS(t *testing.T) {
	h := closed(t, func(cfg *Config) { behindLoopback(cfg); cfg.ProxyProtocol = true })
	certified := httptest.NewUnstartedServer(nil)
	certified.Config, certified.Listener = h.server.HTTP(), h.server.Listen(certified.Listener.(*net.TCPListener))
	certified.StartTLS()
	defer certified.Close()
	conn, err := net.Dial("tcp", certified.Listener.Addr().String())
	require.NoError(t, err)
	_, err = io.WriteString(conn, "PROXY TCP6 2001:db8::1 fd00::1 4711 443\r\n")
	require.NoError(t, err)
	trust := certified.Client().Transport.(*http.Transport).TLSClientConfig.Clone()
	trust.ServerName = "example.com" // what the certificate is for
	assert.Equal(t, "2001:db8::1", ask(t, tls.Client(conn, trust), "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"))
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
