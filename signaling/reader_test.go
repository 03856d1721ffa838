package signaling

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"runtime/pprof"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/earshot-audio/earshot/room"
	"github.com/earshot-audio/earshot/signaling/wire"
)

// frame makes a client's frame (RFC 6455 section 5.2).
func frame(opcode byte, payload string) []byte {
	mask := [frameMask]byte{0x12, 0x9a, 0x00, 0xff}
	b := []byte{0x80 | opcode}
	if n := len(payload); n < 126 {
		b = append(b, masked|byte(n))
	} else {
		b = append(b, masked|126)
		b = binary.BigEndian.AppendUint16(b, uint16(n))
	}
	b = append(b, mask[:]...)
	for i := range len(payload) {
		b = append(b, payload[i]^mask[i%frameMask])
	}
	return b
}

// plainSocket opens a WebSocket by hand, to send what no library would.
func plainSocket(t *testing.T, h *house) (net.Conn, *bufio.Reader) {
	t.Helper()
	conn, err := net.Dial("tcp", h.http.Listener.Addr().String())
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	_, err = io.WriteString(conn, "GET /ws HTTP/1.1\r\nHost: "+h.http.Listener.Addr().String()+
		"\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==\r\n\r\n")
	require.NoError(t, err)
	in := bufio.NewReader(conn)
	response, err := http.ReadResponse(in, nil)
	require.NoError(t, err)
	require.Equal(t, http.StatusSwitchingProtocols, response.StatusCode)
	return conn, in
}

// take reads a server's frame of up to 64 KB.
func takeFrame(t *testing.T, conn net.Conn, in *bufio.Reader) (opcode byte, payload []byte) {
	t.Helper()
	require.NoError(t, conn.SetReadDeadline(time.Now().Add(eventually)))
	var head [2]byte
	_, err := io.ReadFull(in, head[:])
	require.NoError(t, err)
	size := int(head[1])
	if size == 126 {
		var long [2]byte
		_, err = io.ReadFull(in, long[:])
		require.NoError(t, err)
		size = int(binary.BigEndian.Uint16(long[:]))
	}
	payload = make([]byte, size)
	_, err = io.ReadFull(in, payload)
	require.NoError(t, err)
	return head[0] & 0x0f, payload
}

// whatIsSaid is a conversation in frames, pings and pongs between them, and the
// answers to it.
func whatIsSaid() (frames []byte, answers []string) {
	long := `{"type":"offer","id":"long","media":"ear","sdp":"` + strings.Repeat("x", 3*readBuffer) + `"}`
	frames = bytes.Join([][]byte{
		frame(websocket.PongMessage, ""), frame(websocket.PingMessage, "early"),
		frame(websocket.TextMessage, `{"type":"hello","id":"1","version":1}`),
		frame(websocket.PongMessage, strings.Repeat("p", mostControl)),
		frame(websocket.TextMessage, `{"type":"raise-hand","id":"2"}`),
		frame(websocket.PingMessage, strings.Repeat("q", mostControl)),
		frame(websocket.TextMessage, long),
		frame(websocket.TextMessage, `{"type":"leave","id":"3"}`),
	}, nil)
	return frames, []string{"early", "welcome 1", "error 2", strings.Repeat("q", mostControl), "error long", "error 3"}
}

// hear reads the answers to that. Pongs come at once, answers one after the other:
// each kind is in order.
func hear(t *testing.T, conn net.Conn, in *bufio.Reader, want []string) {
	t.Helper()
	var pongs, answers, wantPongs, wantAnswers []string
	for _, w := range want {
		if strings.Contains(w, " ") {
			wantAnswers = append(wantAnswers, w)
		} else {
			wantPongs = append(wantPongs, w)
		}
	}
	for len(pongs)+len(answers) < len(want) {
		opcode, payload := takeFrame(t, conn, in)
		if opcode == websocket.PongMessage {
			pongs = append(pongs, string(payload))
			continue
		}
		require.EqualValues(t, websocket.TextMessage, opcode)
		m, err := wire.DecodeServer(payload)
		require.NoError(t, err)
		answers = append(answers, string(wire.TypeOf(m))+" "+wire.RequestID(m))
	}
	assert.Equal(t, wantPongs, pongs)
	assert.Equal(t, wantAnswers, answers)
}

func TestFramesAreTakenInOrderHoweverTheyCome(t *testing.T) {
	frames, answers := whatIsSaid()
	for name, pieces := range map[string][]int{
		"all at once":                 {len(frames)},
		"byte by byte":                nil,
		"cut in a ping":               {9, len(frames) - 9},
		"cut after the first byte":    {1, len(frames) - 1},
		"cut in the long one":         {len(frames) - 600, 600},
		"cut before the last message": {len(frames) - len(frame(websocket.TextMessage, `{"type":"leave","id":"3"}`)), 31},
	} {
		t.Run(name, func(t *testing.T) {
			conn, in := plainSocket(t, open(t, nil))
			if pieces == nil {
				for range frames {
					pieces = append(pieces, 1)
				}
			}
			rest := frames
			for _, n := range pieces {
				_, err := conn.Write(rest[:n])
				require.NoError(t, err)
				rest = rest[n:]
				runtime.Gosched()
			}
			hear(t, conn, in, answers)
		})
	}
}

func TestAFrameThatIsNoneEndsTheConnection(t *testing.T) {
	for name, bad := range map[string][]byte{
		"a pong that is not masked":  {0x8a, 0},
		"a pong that is not final":   {0x0a, 0x80, 0, 0, 0, 0},
		"a ping that is too long":    append([]byte{0x89, 0x80 | 126, 0, 126, 0, 0, 0, 0}, make([]byte, 126)...),
		"a ping with a reserved bit": {0xc9, 0x80, 0, 0, 0, 0},
		"no opcode that there is":    {0x83, 0x80, 0, 0, 0, 0},
	} {
		t.Run(name, func(t *testing.T) {
			conn, in := plainSocket(t, open(t, nil))
			_, err := conn.Write(bad)
			require.NoError(t, err)
			opcode, payload := takeFrame(t, conn, in)
			assert.EqualValues(t, websocket.CloseMessage, opcode)
			require.GreaterOrEqual(t, len(payload), 2)
			assert.EqualValues(t, websocket.CloseProtocolError, binary.BigEndian.Uint16(payload))
			_, err = in.ReadByte()
			assert.Error(t, err, "the connection is closed")
		})
	}
}

// sessionGoroutines counts the goroutines that are at a session's work.
func sessionGoroutines(t *testing.T) int {
	t.Helper()
	var dump bytes.Buffer
	require.NoError(t, pprof.Lookup("goroutine").WriteTo(&dump, 2))
	n := 0
	for _, stack := range strings.Split(dump.String(), "\n\n") {
		if strings.Contains(stack, "signaling.(*session)") || strings.Contains(stack, "signaling.(*sender)") {
			n++
		}
	}
	return n
}

func TestASessionThatWaitsHasNoGoroutine(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("needs a poller, which only Linux has")
	}
	h := open(t, nil)
	clients := make([]*client, 50)
	for i := range clients {
		clients[i], _ = h.enter("a", "", "Bo")
	}
	require.Eventually(t, func() bool { return sessionGoroutines(t) == 0 }, eventually, often)
	for _, c := range clients {
		c.ask2(wire.RaiseHand{})
	}
	require.Eventually(t, func() bool { return sessionGoroutines(t) == 0 }, eventually, often)
	h.server.poller.mu.Lock()
	known := len(h.server.poller.waiting)
	h.server.poller.mu.Unlock()
	assert.Equal(t, len(clients), known)
	for i, c := range clients {
		if i%2 == 0 {
			c.part()
		} else {
			c.hangUp()
		}
	}
	require.Eventually(t, func() bool {
		h.server.poller.mu.Lock()
		defer h.server.poller.mu.Unlock()
		return len(h.server.poller.waiting) == 0
	}, eventually, often, "who is gone is forgotten")
}

// Over TLS, and where there is no poller, sessions are the same from outside.
func TestSessionsWithoutAPoller(t *testing.T) {
	h := open(t, func(cfg *Config) { cfg.ResumeWindow = time.Millisecond })
	secure := httptest.NewTLSServer(h.server.Handler())
	t.Cleanup(secure.Close)
	dial := func() *websocket.Conn {
		dialer := websocket.Dialer{TLSClientConfig: secure.Client().Transport.(*http.Transport).TLSClientConfig}
		conn, response, err := dialer.Dial("wss"+strings.TrimPrefix(secure.URL, "https")+"/ws", nil)
		require.NoError(t, err)
		_ = response.Body.Close()
		return conn
	}
	enter := func() *client {
		c := &client{t: t, conn: dial(), inbox: make(chan wire.ServerMessage, 64)}
		go c.read()
		t.Cleanup(func() { c.hangUp(); c.rest() })
		c.hello()
		c.join("a", "", "Bo")
		return c
	}
	leaves, vanishes, stays := enter(), enter(), enter()
	require.Equal(t, 3, h.audience("a"))
	leaves.ask(wire.Leave{})
	reason, code := leaves.goodbye()
	assert.Equal(t, wire.GoodbyeLeft, reason)
	assert.Equal(t, websocket.CloseNormalClosure, code)
	vanishes.hangUp()
	require.Eventually(t, func() bool { return h.audience("a") == 1 }, eventually, often)
	stays.ask(wire.RaiseHand{})
	require.NoError(t, h.server.Shutdown(context.Background()))
	reason, _ = stays.goodbye()
	assert.Equal(t, wire.GoodbyeShutdown, reason)
}

// However a session ends, and whatever comes at the same moment, it has ended
// once, and nothing is left of it.
func TestEverySessionEndsOnce(t *testing.T) {
	h := open(t, func(cfg *Config) {
		cfg.CloseWait, cfg.ResumeWindow = 20*time.Millisecond, time.Millisecond
		cfg.PingEvery, cfg.PongWait = 3*time.Millisecond, time.Second
	})
	host, _ := h.enter("a", wire.RoleHost, "Ada")
	l := h.live("a")
	say := func(c *client, b []byte) { _, _ = c.conn.NetConn().Write(b) }
	ends := []func(c *client, me room.MemberID){
		func(c *client, _ room.MemberID) { say(c, frame(websocket.CloseMessage, "\x03\xe8")) },
		func(c *client, _ room.MemberID) { c.hangUp() },
		func(c *client, _ room.MemberID) { say(c, frame(websocket.TextMessage, `{"type":"leave"}`)) },
		func(c *client, _ room.MemberID) { // in the middle of a frame
			say(c, frame(websocket.TextMessage, strings.Repeat("x", 300))[:100])
			c.hangUp()
		},
		func(_ *client, me room.MemberID) {
			_ = l.act(func(now time.Time) ([]room.Event, error) { return l.rules.Remove(room.Operator, me, now) }, nil)
		},
		func(_ *client, me room.MemberID) {
			l.mu.Lock()
			defer l.mu.Unlock()
			if p := l.people[me]; p != nil && p.out != nil {
				p.out.abort()
			}
		},
	}
	var all sync.WaitGroup
	for i := range 2 * len(ends) * len(ends) {
		c, me := h.enter("a", "", "Bo")
		// Two ends at a time, each pair of them.
		for _, end := range []int{i % len(ends), i / len(ends) % len(ends)} {
			all.Go(func() {
				time.Sleep(time.Duration(i%7) * time.Millisecond)
				ends[end](c, room.MemberID(me.Member))
			})
		}
	}
	all.Wait()
	require.Eventually(t, func() bool { return testutil.ToFloat64(h.server.metrics.sessions) == 1 }, eventually, often)
	require.Eventually(t, func() bool { return h.audience("a") == 0 }, eventually, often)
	host.ask2(wire.Mute{Muted: true})
}
