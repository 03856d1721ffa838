package ws

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"runtime/pprof"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/earshot-audio/earshot/signaling/wire"
)

// eventually is how long tests wait for what must happen, and often how often they
// look.
const eventually, often = 30 * time.Second, 2 * time.Millisecond

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// testServer is a server whose connections answer every message with OK.
type testServer struct {
	t      *testing.T
	server *Server
	http   *httptest.Server

	mu     sync.Mutex
	conns  []*Conn
	closed atomic.Int64 // calls of HandleClose
}

// serve makes a server. change may alter its configuration.
func serve(t *testing.T, change func(*Config)) *testServer {
	t.Helper()
	metrics, err := NewMetrics(prometheus.NewRegistry())
	require.NoError(t, err)
	cfg := Config{
		SendQueue: 64, HelloWait: time.Minute, PingEvery: time.Minute, PongWait: time.Hour, WriteWait: time.Minute,
		CloseWait: 50 * time.Millisecond, Log: slog.New(slog.DiscardHandler), Metrics: metrics,
	}
	if change != nil {
		change(&cfg)
	}
	s := &testServer{t: t, server: NewServer(cfg)}
	s.http = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		err := s.server.Upgrade(w, r, "test", func(c *Conn) Handler {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.conns = append(s.conns, c)
			return &okHandler{server: s, conn: c}
		})
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
		}
	}))
	t.Cleanup(func() {
		assert.NoError(t, s.server.Shutdown(context.Background()))
		s.http.Close()
	})
	return s
}

// okHandler answers every message with OK.
type okHandler struct {
	server *testServer
	conn   *Conn
}

func (h *okHandler) HandleText(data []byte) {
	h.conn.Established()
	m, err := wire.DecodeClient(data)
	if err != nil {
		h.conn.Finish(wire.GoodbyeProtocol)
		return
	}
	if answer, err := wire.NewEncoded(wire.OK{ID: wire.RequestID(m)}); err == nil {
		h.conn.Send(answer)
	}
}

func (h *okHandler) HandleBinary() { h.conn.Finish(wire.GoodbyeProtocol) }

func (h *okHandler) HandleClose(bool) { h.server.closed.Add(1) }

// dial opens a connection and returns both sides of it. One goroutine at a time may
// dial.
func (s *testServer) dial() (*websocket.Conn, *Conn) {
	s.t.Helper()
	count := func() int {
		s.mu.Lock()
		defer s.mu.Unlock()
		return len(s.conns)
	}
	before := count()
	client, response, err := websocket.DefaultDialer.Dial("ws"+strings.TrimPrefix(s.http.URL, "http"), nil)
	require.NoError(s.t, err)
	_ = response.Body.Close()
	s.t.Cleanup(func() { _ = client.Close() })
	// The client has the response before the server has the connection.
	require.Eventually(s.t, func() bool { return count() > before }, eventually, often)
	s.mu.Lock()
	defer s.mu.Unlock()
	return client, s.conns[before]
}

// dialRaw opens a WebSocket by hand, to send what no library would.
func (s *testServer) dialRaw() (net.Conn, *bufio.Reader) {
	t := s.t
	t.Helper()
	conn, err := net.Dial("tcp", s.http.Listener.Addr().String())
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	_, err = io.WriteString(conn, "GET / HTTP/1.1\r\nHost: "+s.http.Listener.Addr().String()+
		"\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==\r\n\r\n")
	require.NoError(t, err)
	in := bufio.NewReader(conn)
	response, err := http.ReadResponse(in, nil)
	require.NoError(t, err)
	require.Equal(t, http.StatusSwitchingProtocols, response.StatusCode)
	return conn, in
}

// ask sends a message and reads its answer.
func ask(t *testing.T, client *websocket.Conn) {
	t.Helper()
	require.NoError(t, client.WriteMessage(websocket.TextMessage, []byte(`{"type":"leave","id":"1"}`)))
	_, data, err := client.ReadMessage()
	require.NoError(t, err)
	m, err := wire.DecodeServer(data)
	require.NoError(t, err)
	require.Equal(t, wire.OK{ID: "1"}, m)
}

// connectionGoroutines counts the goroutines that run a half of a connection.
func connectionGoroutines(t *testing.T) int {
	t.Helper()
	var dump bytes.Buffer
	require.NoError(t, pprof.Lookup("goroutine").WriteTo(&dump, 2))
	n := 0
	for _, stack := range strings.Split(dump.String(), "\n\n") {
		if strings.Contains(stack, "ws.(*Conn)") || strings.Contains(stack, "ws.(*sender)") {
			n++
		}
	}
	return n
}

func TestWaitingConnectionHasNoGoroutine(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("needs a poller, which only Linux has")
	}
	s := serve(t, nil)
	clients := make([]*websocket.Conn, 50)
	for i := range clients {
		clients[i], _ = s.dial()
		ask(t, clients[i])
	}
	require.Eventually(t, func() bool { return connectionGoroutines(t) == 0 }, eventually, often)
	for _, c := range clients {
		ask(t, c)
	}
	require.Eventually(t, func() bool { return connectionGoroutines(t) == 0 }, eventually, often)
	watched := func() int {
		s.server.poller.mu.Lock()
		defer s.server.poller.mu.Unlock()
		return len(s.server.poller.waiting)
	}
	assert.Equal(t, len(clients), watched())
	for i, c := range clients {
		if i%2 == 0 {
			text := websocket.FormatCloseMessage(websocket.CloseNormalClosure, "")
			require.NoError(t, c.WriteControl(websocket.CloseMessage, text, time.Now().Add(eventually)))
		} else {
			_ = c.Close()
		}
	}
	require.Eventually(t, func() bool { return watched() == 0 }, eventually, often, "ended connections are forgotten")
}

// However a connection ends, and whatever comes at the same moment, it has ended
// once, and nothing is left of it.
func TestConnectionEndsOnce(t *testing.T) {
	s := serve(t, func(cfg *Config) {
		cfg.CloseWait, cfg.PingEvery, cfg.PongWait = 20*time.Millisecond, 3*time.Millisecond, time.Second
	})
	send := func(c *websocket.Conn, b []byte) { _, _ = c.NetConn().Write(b) }
	ends := []func(client *websocket.Conn, conn *Conn){
		func(c *websocket.Conn, _ *Conn) { send(c, frame(websocket.CloseMessage, "\x03\xe8")) },
		func(c *websocket.Conn, _ *Conn) { _ = c.Close() },
		func(_ *websocket.Conn, conn *Conn) { conn.Finish(wire.GoodbyeLeft) },
		func(c *websocket.Conn, _ *Conn) { // in the middle of a frame
			send(c, frame(websocket.TextMessage, strings.Repeat("x", 300))[:100])
			_ = c.Close()
		},
		func(_ *websocket.Conn, conn *Conn) { conn.Finish(wire.GoodbyeRemoved) },
		func(_ *websocket.Conn, conn *Conn) { conn.Abort() },
	}
	var all sync.WaitGroup
	connections := 2 * len(ends) * len(ends)
	for i := range connections {
		client, conn := s.dial()
		go func() {
			for {
				if _, _, err := client.ReadMessage(); err != nil {
					return
				}
			}
		}()
		// Two ends at a time, each pair of them.
		for _, end := range []int{i % len(ends), i / len(ends) % len(ends)} {
			all.Go(func() {
				time.Sleep(time.Duration(i%7) * time.Millisecond)
				ends[end](client, conn)
			})
		}
	}
	all.Wait()
	require.Eventually(t, func() bool { return testutil.ToFloat64(s.server.cfg.Metrics.connections) == 0 }, eventually, often)
	assert.EqualValues(t, connections, s.closed.Load(), "each handler is told once")
}

// A slow client that reads again in time gets its goodbye.
func TestSlowClientGetsItsGoodbye(t *testing.T) {
	s := serve(t, func(cfg *Config) { cfg.SendQueue, cfg.CloseWait, cfg.WriteWait = 4, 30*time.Second, 30*time.Second })
	client, conn := s.dial()
	ask(t, client)
	long, err := wire.NewEncoded(wire.OK{ID: strings.Repeat("x", wire.MaxID)})
	require.NoError(t, err)
	for testutil.ToFloat64(s.server.cfg.Metrics.slow) == 0 {
		conn.Send(long) // the client does not read
	}
	for {
		_, data, err := client.ReadMessage()
		require.NoError(t, err)
		m, err := wire.DecodeServer(data)
		require.NoError(t, err)
		if goodbye, ok := m.(wire.Goodbye); ok {
			assert.Equal(t, wire.GoodbyeSlow, goodbye.Reason)
			break
		}
	}
	_, _, err = client.ReadMessage()
	var closing *websocket.CloseError
	require.ErrorAs(t, err, &closing)
	assert.Equal(t, websocket.ClosePolicyViolation, closing.Code)
}

func TestUpgradeRefusals(t *testing.T) {
	s := serve(t, nil)
	dial := func(header http.Header) string {
		_, response, err := websocket.DefaultDialer.Dial("ws"+strings.TrimPrefix(s.http.URL, "http"), header)
		require.ErrorIs(t, err, websocket.ErrBadHandshake)
		defer response.Body.Close()
		body, _ := io.ReadAll(response.Body)
		return string(body)
	}
	assert.Contains(t, dial(http.Header{"Origin": {"https://other.example"}}), "origin")
	require.NoError(t, s.server.Shutdown(context.Background()))
	assert.Contains(t, dial(nil), ErrClosed.Error())
	assert.True(t, errors.Is(s.server.reserve(), ErrClosed))
}
