package endtoend_test

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/earshot-audio/earshot/signaling"
)

// dial opens a TCP connection that the test closes.
func (f *isolatedServer) dial(t *testing.T) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", f.address)
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

// requireHungUp requires that the server closes a connection, whatever it says
// before that, and returns what it said.
func requireHungUp(t *testing.T, conn net.Conn, who string) string {
	t.Helper()
	require.NoError(t, conn.SetReadDeadline(time.Now().Add(patience)))
	said, err := io.ReadAll(conn)
	require.False(t, errors.Is(err, os.ErrDeadlineExceeded), "the server still holds the connection of one who %s", who)
	return string(said)
}

func TestHalfOpenConnectionsAreClosed(t *testing.T) {
	f := serveIsolated(t, func(c *signaling.Config) { c.RequestWait = 500 * time.Millisecond })
	f.undisturbed(t, func() {
		open := map[net.Conn]string{}
		for name, begun := range map[string]string{
			"says nothing":                          "",
			"stops in the request line":             "GET /api/ro",
			"stops in the header":                   "GET /api/rooms HTTP/1.1\r\nHost: x\r\n",
			"never ends the upgrade to a WebSocket": "GET /ws HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n",
			"promises an offer and sends none":      "POST /rooms/calm/whip HTTP/1.1\r\nHost: x\r\nContent-Type: application/sdp\r\nContent-Length: 500\r\n\r\n",
			"stops in the offer":                    "POST /rooms/calm/whep HTTP/1.1\r\nHost: x\r\nContent-Type: application/sdp\r\nContent-Length: 500\r\n\r\nv=0\r\n",
			"stops in a chunk":                      "POST /api/rooms HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\nff\r\n{",
			"asks once and then stays":              "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n",
		} {
			for range 25 {
				conn := f.dial(t)
				_, err := conn.Write([]byte(begun))
				require.NoError(t, err, name)
				open[conn] = name
			}
		}
		for conn, name := range open {
			requireHungUp(t, conn, name)
		}
	})
}

func TestSlowRequestBodyIsCutOff(t *testing.T) {
	f := serveIsolated(t, func(c *signaling.Config) { c.RequestWait = 500 * time.Millisecond })
	f.undisturbed(t, func() {
		conn := f.dial(t)
		_, err := conn.Write([]byte("POST /rooms/calm/whip HTTP/1.1\r\nHost: x\r\nContent-Type: application/sdp\r\nContent-Length: 30000\r\n\r\n"))
		require.NoError(t, err)
		for range 3000 { // five minutes' worth
			if _, err = conn.Write([]byte("v")); err != nil {
				break
			}
			time.Sleep(100 * time.Millisecond)
		}
		require.Error(t, err, "the server took it all")
	})
}

func TestHalfOpenTLSIsClosed(t *testing.T) {
	f := serveIsolated(t, func(c *signaling.Config) { c.RequestWait = 500 * time.Millisecond })
	certificate := selfSigned(t)
	listener, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{certificate}})
	require.NoError(t, err)
	ended := make(chan error, 1)
	go func() { ended <- f.front.Serve(listener) }()
	defer func() {
		_ = listener.Close()
		assert.ErrorIs(t, <-ended, net.ErrClosed)
	}()
	for name, begun := range map[string][]byte{
		"says nothing":                nil,
		"stops in the hello":          {22, 3, 1, 2, 0, 1, 0, 1, 252, 3, 3},
		"speaks plain HTTP":           []byte("GET / HTTP/1.1\r\nHost: x\r\n\r\n"),
		"sends what is no TLS":        bytes.Repeat([]byte{0xff}, 100),
		"announces too long a record": {22, 3, 1, 0xff, 0xff},
	} {
		conn, err := net.Dial("tcp", listener.Addr().String())
		require.NoError(t, err, name)
		_, err = conn.Write(begun)
		require.NoError(t, err, name)
		requireHungUp(t, conn, name)
		_ = conn.Close()
	}
}

func TestBadBodiesAreRefusedAndLeaveNothing(t *testing.T) {
	f := serveIsolated(t, nil)
	const whip, whep, rooms = "/rooms/calm/whip", "/rooms/calm/whep", "/api/rooms"
	sdp, json := "application/sdp", "application/json"
	section := "m=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=mid:%d\r\na=rtpmap:111 opus/48000/2\r\na=rtcp-mux\r\na=sendrecv\r\n" +
		"a=ice-ufrag:abcdefgh\r\na=ice-pwd:abcdefghabcdefghabcdefgh\r\na=setup:actpass\r\na=fingerprint:sha-256 " + strings.TrimSuffix(strings.Repeat("AB:", 32), ":") + "\r\n"
	head := "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\n"
	sections := func(n int) string {
		var b strings.Builder
		b.WriteString(head)
		for i := range n {
			fmt.Fprintf(&b, section, i)
		}
		return b.String()
	}
	many := head
	for i := range 3000 {
		many += fmt.Sprintf("m=a %d b 0\r\n", i)
	}
	f.undisturbed(t, func() {
		for name, row := range map[string]struct {
			path, kind, body string
			status           int
			code             string
		}{
			"a room's JSON of 10,000 levels":        {rooms, json, `{"name":` + strings.Repeat("[", 10_000), 400, "bad_request"},
			"a room's JSON of a megabyte":           {rooms, json, `{"name":"` + strings.Repeat("x", 1<<20) + `"}`, 413, "too_large"},
			"a room's name twice":                   {rooms, json, `{"name":"a","name":"b"}`, 400, "bad_request"},
			"a room's name in two cases":            {rooms, json, `{"name":"a","NAME":"b"}`, 400, "bad_request"},
			"a room's name that is not UTF-8":       {rooms, json, "{\"name\":\"a\xff\"}", 400, "bad_request"},
			"a room's name with a NUL":              {rooms, json, `{"name":"a\u0000b"}`, 400, "bad_request"},
			"a room's id that leads out":            {rooms, json, `{"name":"a","room":"../../etc/passwd"}`, 400, "bad_request"},
			"a room's name that adds a header":      {rooms, json, `{"name":"a\r\nX-Evil: 1"}`, 400, "bad_request"},
			"a room of dots":                        {rooms, json, `{"name":"a","room":".."}`, 400, "bad_request"},
			"a capacity beyond all numbers":         {rooms, json, `{"name":"a","capacity":1e999}`, 400, "bad_request"},
			"a field that there is not":             {rooms, json, `{"name":"a","admin":true}`, 400, "bad_request"},
			"two rooms in one body":                 {rooms, json, `{"name":"a"}{"name":"b"}`, 400, "bad_request"},
			"null":                                  {rooms, json, `null`, 400, "bad_request"},
			"a room as a form":                      {rooms, "application/x-www-form-urlencoded", "name=a", 415, "unsupported_media_type"},
			"an offer of a megabyte":                {whip, sdp, strings.Repeat("a", 1<<20), 413, "too_large"},
			"an offer of nothing":                   {whip, sdp, "", 400, "bad_request"},
			"an offer that is not SDP":              {whep, sdp, "\x00\xff\xfe", 400, "bad_request"},
			"an offer of more sections than can be": {whep, sdp, sections(90), 400, "bad_request"},
			"an offer of three thousand sections":   {whep, sdp, many[:32<<10-11], 400, "bad_request"},
			"an offer with the wrong type":          {whip, json, sections(1), 415, "unsupported_media_type"},
			"a name that adds a header":             {whep + "?name=a%0d%0aX-Evil:%201", sdp, sections(1), 400, "bad_request"},
			"a name with a NUL":                     {whep + "?name=a%00", sdp, sections(1), 400, "bad_request"},
			"a name of a kilobyte":                  {whep + "?name=" + strings.Repeat("x", 1024), sdp, sections(1), 400, "bad_request"},
			"a room of dots to listen to":           {"/rooms/%2e%2e/whep", sdp, sections(1), 404, "not_found"},
			"a room that leads out to listen to":    {"/rooms/..%2f..%2fapi/whep", sdp, sections(1), 404, "not_found"},
			"a room with a NUL to listen to":        {"/rooms/a%00b/whep", sdp, sections(1), 404, "not_found"},
			"a room that adds a header":             {"/rooms/a%0d%0aX-Evil:%201/whep", sdp, sections(1), 404, "not_found"},
			"a session that nobody opened":          {whep + "/../../../etc/passwd", sdp, "", 404, "not_found"},
		} {
			resp, body := request(t, http.MethodPost, f.url+row.path, row.kind, row.body)
			t.Run(name, func(t *testing.T) {
				requireRefusal(t, row.status, row.code, resp, body)
				assert.Empty(t, resp.Header.Values("X-Evil"))
				assert.NotContains(t, body, "\x00")
				assert.Less(t, len(body), 2048, "an error does not give back what it was sent")
			})
		}
	})
}

// An offer may be as long as it may be, and hold as many candidates as fit: they
// are no use to an ICE-lite server and leave nothing behind.
func TestOfferWithManyCandidatesLeavesNothing(t *testing.T) {
	f := serveIsolated(t, nil)
	f.undisturbed(t, func() {
		listen(t, 1, func(offer string) string {
			for i := 0; len(offer) < 32<<10-100; i++ {
				offer += fmt.Sprintf("a=candidate:%d 1 udp 2130706431 192.0.2.%d %d typ host\r\n", i, i%250, 1024+i)
			}
			return byHTTP(t, f.url+"/rooms/other/whep")(offer)
		}).close(t)
		endRoom(t, f.url, "other")
	})
}

func TestMalformedRequestsAreRefused(t *testing.T) {
	f := serveIsolated(t, func(c *signaling.Config) { c.RequestWait = 2 * time.Second })
	f.undisturbed(t, func() {
		for name, text := range map[string]string{
			"two lengths":                  "POST /api/rooms HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}\r\n",
			"a length and chunks":          "POST /api/rooms HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /metrics HTTP/1.1\r\n\r\n",
			"a negative length":            "POST /api/rooms HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
			"a header of a megabyte":       "GET / HTTP/1.1\r\nHost: x\r\nX-A: " + strings.Repeat("a", 1<<20) + "\r\n\r\n",
			"headers without end":          "GET / HTTP/1.1\r\nHost: x\r\n" + strings.Repeat("X-A: b\r\n", 100_000) + "\r\n",
			"a header that a newline ends": "GET / HTTP/1.1\r\nHost: x\r\nX-A: b\nX-B : c\r\n\r\n",
			"a method that is no word":     "G\x00T / HTTP/1.1\r\nHost: x\r\n\r\n",
			"no host":                      "GET /api/rooms HTTP/1.1\r\n\r\n",
			"another protocol":             "SSH-2.0-OpenSSH_9.2\r\n\r\n",
			"HTTP/2 without TLS":           "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
		} {
			conn := f.dial(t)
			_, _ = conn.Write([]byte(text)) // the server may have hung up in the middle of it
			said := requireHungUp(t, conn, "sends "+name)
			if said == "" {
				continue // or it was reset before it could be read
			}
			resp, err := http.ReadResponse(bufio.NewReader(strings.NewReader(said)), nil)
			require.NoError(t, err, "%s: %q", name, said)
			assert.GreaterOrEqual(t, resp.StatusCode, 400, name)
			assert.NotContains(t, said, "earshot_rooms", "nothing is smuggled past")
			_ = resp.Body.Close()
		}
	})
}
