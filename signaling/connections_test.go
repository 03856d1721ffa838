package signaling

import (
	"bufio"
	"bytes"
	"encoding/json"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/earshot-audio/earshot/signaling/front"
	"github.com/earshot-audio/earshot/signaling/wire"
)

// few is the least limit of connections, and ordinary how many of them anybody may use.
const few, ordinary = front.MinConnections, front.MinConnections - front.MinConnections/4

// fewConnections makes a closed server that holds as few connections as can be, and waits
// for clients that are silent.
func fewConnections(t *testing.T) *testServer {
	return closed(t, func(cfg *Config) {
		cfg.MaxConnections = few
		cfg.RequestWait, cfg.HelloWait = 10*time.Minute, 10*time.Minute
	})
}

// silent opens a connection that sends nothing.
func (h *testServer) silent() net.Conn {
	h.t.Helper()
	conn, err := net.Dial("tcp", h.http.Listener.Addr().String())
	require.NoError(h.t, err)
	h.t.Cleanup(func() { _ = conn.Close() })
	return conn
}

// once makes a GET request on a connection of its own and returns the status and code.
func (h *testServer) once(path, token string) (int, wire.Code) {
	h.t.Helper()
	request, err := http.NewRequest(http.MethodGet, h.http.URL+path, nil)
	require.NoError(h.t, err)
	request.Close = true
	if token != "" {
		request.Header.Set("Authorization", "Bearer "+token)
	}
	response, err := http.DefaultTransport.RoundTrip(request)
	require.NoError(h.t, err)
	defer response.Body.Close()
	var body map[string]any
	_ = json.NewDecoder(response.Body).Decode(&body) // not all answers are JSON
	return response.StatusCode, code(body)
}

func TestOperatorGetsInWhenConnectionsRunOut(t *testing.T) {
	h := fewConnections(t)
	ada := h.member("Ada")
	clients := make([]*client, ordinary)
	for n := range clients {
		status, _ := h.once("/readyz", "")
		require.Equal(t, http.StatusOK, status, "with %d WebSockets", n)
		clients[n] = h.dial()
	}
	check := func() {
		status, refusal := h.once("/api/rooms", ada.token)
		assert.Equal(t, http.StatusServiceUnavailable, status)
		assert.Equal(t, wire.CodeUnavailable, refusal)
		status, refusal = h.once("/ws", "")
		assert.Equal(t, http.StatusServiceUnavailable, status)
		assert.Equal(t, wire.CodeUnavailable, refusal)
		status, refusal = h.once("/readyz", "")
		assert.Equal(t, http.StatusServiceUnavailable, status, "it says so")
		assert.Equal(t, wire.CodeUnavailable, refusal)
		for _, path := range []string{"/healthz", "/metrics", "/operator"} {
			status, _ = h.once(path, "")
			assert.Equal(t, http.StatusOK, status, path)
		}
		status, _ = h.once("/api/rooms", operatorToken)
		assert.Equal(t, http.StatusOK, status, "the operator")
	}
	check()
	assert.Positive(t, h.metric("earshot_http_refused_total", "limit"))
	assert.EqualValues(t, ordinary, h.metric("earshot_http_connections_limit"))

	for range 3 * few {
		h.silent()
	}
	check()
	assert.Positive(t, h.metric("earshot_http_refused_total", "evicted"))
	assert.LessOrEqual(t, h.metric("earshot_http_connections"), float64(few))

	for _, c := range clients {
		c.hangUp()
	}
	require.Eventually(t, func() bool {
		status, _ := h.once("/readyz", "")
		return status == http.StatusOK
	}, eventually, often, "it takes people again")
	h.dial()
}

// Who asks for figures and does not read them keeps no figures from others for long, and
// health from nobody.
func TestReadersWhoDoNotReadKeepNoHealthFromOthers(t *testing.T) {
	h := fewConnections(t)
	for range ordinary {
		h.dial()
	}
	ask := bytes.Repeat([]byte("GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n"), 200)
	for n := range 5 * few {
		conn := h.silent().(*net.TCPConn)
		require.NoError(t, conn.SetReadBuffer(1))
		_, _ = conn.Write(ask) // it may have been closed to make place
		if n%20 == 0 {
			status, _ := h.once("/healthz", "")
			assert.Equal(t, http.StatusOK, status, "with %d", n)
		}
	}
	require.Eventually(t, func() bool {
		status, _ := h.once("/metrics", "")
		return status == http.StatusOK
	}, eventually, often, "their time is over")
}

// Who sends nothing, or the beginning of something, makes place for who does.
func TestSilentConnectionsKeepNobodyOut(t *testing.T) {
	h := fewConnections(t)
	ada := h.member("Ada")
	for n := range 5 * few {
		_, err := h.silent().Write([]byte([]string{"", "G", "GET /readyz HTTP/1.1\r\nHost: x\r\n", "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"}[n%4]))
		require.NoError(t, err)
		if n%few == 0 {
			status, _ := h.once("/api/rooms", ada.token)
			assert.Equal(t, http.StatusOK, status, "with %d", n)
		}
	}
	h.dial()
	status, _ := h.once("/readyz", "")
	assert.Equal(t, http.StatusOK, status)
	require.Eventually(t, func() bool { return h.metric("earshot_http_connections_held") <= 1 }, eventually, often, "but for the WebSocket")
}

// A connection that asks again and again is one connection, and ends its count once.
func TestConnectionIsCountedOnce(t *testing.T) {
	h := fewConnections(t)
	conn := h.silent()
	in := bufio.NewReader(conn)
	for range 3 * few {
		_, err := conn.Write([]byte("GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"))
		require.NoError(t, err)
		response, err := http.ReadResponse(in, nil)
		require.NoError(t, err)
		require.NoError(t, response.Body.Close())
	}
	assert.EqualValues(t, 1, h.metric("earshot_http_connections"))
	require.NoError(t, conn.Close())
	c := h.dial()
	assert.Eventually(t, func() bool { return h.metric("earshot_http_connections") == 1 }, eventually, often)
	assert.EqualValues(t, 1, h.metric("earshot_http_connections_held"))
	c.hangUp()
	assert.Eventually(t, func() bool { return h.metric("earshot_http_connections") == 0 }, eventually, often)
	assert.Zero(t, h.metric("earshot_http_connections_held"))
}
