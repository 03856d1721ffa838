package endtoend_test

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/earshot-audio/earshot/signaling"
)

// A stranger is a WebSocket that keeps to no protocol above RFC 6455, and below
// a tap to write frames of its own.
type stranger struct {
	t    *testing.T
	conn *websocket.Conn
}

// stranger opens one.
func (f *isolatedServer) stranger(t *testing.T) *stranger {
	t.Helper()
	conn, resp, err := websocket.DefaultDialer.Dial("ws://"+f.address+"/ws",
		http.Header{"Sec-WebSocket-Extensions": {"permessage-deflate; client_max_window_bits"}})
	require.NoError(t, err)
	assert.Empty(t, resp.Header.Get("Sec-WebSocket-Extensions"), "compression is not agreed to")
	t.Cleanup(func() { _ = conn.Close() })
	return &stranger{t: t, conn: conn}
}

// says sends a text message.
func (s *stranger) says(text string) {
	s.t.Helper()
	require.NoError(s.t, s.conn.WriteMessage(websocket.TextMessage, []byte(text)))
}

// frame writes one frame by hand (RFC 6455 section 5.2), masked with zeros. An
// error is the server's hanging up.
func (s *stranger) frame(first byte, payload []byte) error {
	b := []byte{first}
	switch n := len(payload); {
	case n < 126:
		b = append(b, 0x80|byte(n))
	case n < 1<<16:
		b = binary.BigEndian.AppendUint16(append(b, 0x80|126), uint16(n))
	default:
		b = binary.BigEndian.AppendUint64(append(b, 0x80|127), uint64(n))
	}
	b = append(b, 0, 0, 0, 0)
	_, err := s.conn.NetConn().Write(append(b, payload...))
	return err
}

// hears waits for the next message that is not news of the room.
func (s *stranger) hears() map[string]any {
	s.t.Helper()
	require.NoError(s.t, s.conn.SetReadDeadline(time.Now().Add(patience)))
	for {
		var m map[string]any
		require.NoError(s.t, s.conn.ReadJSON(&m))
		if m["type"] != "presence" && m["type"] != "talkers" {
			return m
		}
	}
}

// enters says hello and joins the room calm as a listener.
func (s *stranger) enters() *stranger {
	s.t.Helper()
	s.says(`{"type":"hello","version":1}`)
	require.Equal(s.t, "welcome", s.hears()["type"])
	s.says(`{"type":"join","room":"calm","role":"listener","name":"x"}`)
	require.Equal(s.t, "joined", s.hears()["type"])
	return s
}

// requireClosed requires that the server ends the connection, with one of the
// close codes if any are given.
func (s *stranger) requireClosed(codes ...int) {
	s.t.Helper()
	require.NoError(s.t, s.conn.SetReadDeadline(time.Now().Add(patience)))
	for {
		_, _, err := s.conn.ReadMessage()
		if err == nil {
			continue
		}
		var timeout net.Error
		require.False(s.t, errors.As(err, &timeout) && timeout.Timeout(), "the server still holds the connection")
		if len(codes) > 0 {
			assert.True(s.t, websocket.IsCloseError(err, codes...), "%v", err)
		}
		return
	}
}

func TestBadMessagesGetCodedErrorAndSessionLives(t *testing.T) {
	f := serveIsolated(t, nil)
	f.undisturbed(t, func() {
		s := f.stranger(t).enters()
		for name, row := range map[string]struct{ text, code string }{
			"nothing":                        {``, "bad_request"},
			"no JSON":                        {`hello?`, "bad_request"},
			"an array":                       {`[{"type":"leave"}]`, "bad_request"},
			"two messages in one":            {`{"type":"raise-hand"}{"type":"leave"}`, "bad_request"},
			"60,000 levels":                  {`{"type":"raise-hand","x":` + strings.Repeat("[", 60_000), "bad_request"},
			"60,000 levels that close":       {`{"type":"raise-hand","x":` + strings.Repeat("[", 60_000) + strings.Repeat("]", 60_000) + `}`, "bad_request"},
			"a message that is too long":     {`{"type":"raise-hand","x":"` + strings.Repeat("x", 200_000) + `"}`, "too_large"},
			"a field twice":                  {`{"type":"raise-hand","type":"leave"}`, "bad_request"},
			"a field in two cases":           {`{"type":"raise-hand","Type":"leave"}`, "bad_request"},
			"30,000 fields, the last twice":  {`{"type":"raise-hand"` + fields(10_000) + `,"f9999":1}`, "bad_request"},
			"bytes that are not UTF-8":       {"{\"type\":\"raise-hand\",\"x\":\"\xc0\xaf\"}", "bad_request"},
			"half a surrogate for a name":    {`{"type":"join","room":"calm","name":"\ud800"}`, "bad_request"},
			"a NUL in a name":                {`{"type":"hello","version":1,"name":"a\u0000b"}`, "bad_request"},
			"a line break in a name":         {`{"type":"hello","version":1,"name":"a\r\nb"}`, "bad_request"},
			"a name that reverses the text":  {`{"type":"hello","version":1,"name":"a\u202eb"}`, "bad_request"},
			"a name that is too long":        {`{"type":"hello","version":1,"name":"` + strings.Repeat("é", 81) + `"}`, "bad_request"},
			"a room that leads out":          {`{"type":"join","room":"../../etc/passwd"}`, "bad_request"},
			"a room with a NUL":              {`{"type":"join","room":"a\u0000"}`, "bad_request"},
			"a member that is a path":        {`{"type":"lower-hand","member":"../x"}`, "forbidden"},
			"a member that is a megabyte":    {`{"type":"lower-hand","member":"` + strings.Repeat("m", 100_000) + `"}`, "bad_request"},
			"a number for a name":            {`{"type":"hello","version":1,"name":1e308}`, "bad_request"},
			"a version beyond all numbers":   {`{"type":"hello","version":1e999}`, "bad_request"},
			"a message of the server":        {`{"type":"goodbye","reason":"ended"}`, "unknown_type"},
			"a type of a thousand letters":   {`{"type":"` + strings.Repeat("x", 1000) + `"}`, "unknown_type"},
			"a second hello":                 {`{"type":"hello","version":1}`, "conflict"},
			"a second room":                  {`{"type":"join","room":"other"}`, "conflict"},
			"an offer that is no SDP":        {`{"type":"offer","media":"ear","sdp":"v=0"}`, "bad_request"},
			"an offer with a NUL":            {`{"type":"offer","media":"ear","sdp":"v=0\u0000"}`, "bad_request"},
			"a mic without being on stage":   {`{"type":"offer","media":"mic","sdp":"v=0"}`, "forbidden"},
			"an end by one who may not":      {`{"type":"end"}`, "forbidden"},
			"a promotion by one who may not": {`{"type":"promote","member":"x"}`, "forbidden"},
		} {
			s.says(row.text)
			answer := s.hears()
			require.Equal(t, "error", answer["type"], "%s: %v", name, answer)
			assert.Equal(t, row.code, answer["code"], "%s: %v", name, answer)
			assert.Less(t, len(answer["message"].(string)), 1100, name)
			// One that can be read in between, as 20 in a row that can't end it.
			s.says(`{"type":"hangup","id":"between","media":"mic"}`)
			require.Equal(t, map[string]any{"type": "ok", "id": "between"}, s.hears(), name)
		}
		require.NoError(t, s.conn.WriteMessage(websocket.BinaryMessage, []byte(`{"type":"leave"}`)))
		assert.Equal(t, "bad_request", s.hears()["code"])
		s.says(`{"type":"leave","id":"end"}`)
		assert.Equal(t, map[string]any{"type": "ok", "id": "end"}, s.hears(), "it lives")
		s.requireClosed(websocket.CloseNormalClosure)
	})
}

// fields are n fields of an object.
func fields(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, `,"f%d":1`, i)
	}
	return b.String()
}

func TestOnlyBadMessagesEndSession(t *testing.T) {
	f := serveIsolated(t, nil)
	f.undisturbed(t, func() {
		s := f.stranger(t)
		for range 25 {
			_ = s.frame(0x81, []byte("x"))
		}
		s.requireClosed(websocket.CloseUnsupportedData)
	})
}

func TestMalformedFramesEndOnlyTheirConnection(t *testing.T) {
	f := serveIsolated(t, nil)
	long := make([]byte, 1<<16)
	f.undisturbed(t, func() {
		for name, write := range map[string]func(*stranger){
			// 0x40 is RSV1: "this is deflated", which was not agreed on. A bomb
			// is not even inflated.
			"a compressed message":            func(s *stranger) { _ = s.frame(0xc1, long) },
			"the other reserved bits":         func(s *stranger) { _ = s.frame(0xb1, []byte("{}")) },
			"an opcode that there is not":     func(s *stranger) { _ = s.frame(0x83, []byte("{}")) },
			"a ping in two parts":             func(s *stranger) { _ = s.frame(0x09, []byte("a")) },
			"a ping that is too long":         func(s *stranger) { _ = s.frame(0x89, long[:126]) },
			"a part of nothing":               func(s *stranger) { _ = s.frame(0x80, []byte("{}")) },
			"a message within a message":      func(s *stranger) { _ = s.frame(0x01, []byte("{")); _ = s.frame(0x81, []byte("}")) },
			"a close of one byte":             func(s *stranger) { _ = s.frame(0x88, []byte{3}) },
			"a close code that nobody has":    func(s *stranger) { _ = s.frame(0x88, []byte{0, 1}) },
			"a close reason that is no UTF-8": func(s *stranger) { _ = s.frame(0x88, []byte{3, 232, 0xff}) },
			"a frame without a mask": func(s *stranger) {
				_, _ = s.conn.NetConn().Write([]byte{0x81, 2, '{', '}'})
			},
			"a frame of eight exabytes": func(s *stranger) {
				_, _ = s.conn.NetConn().Write([]byte{0x81, 0xff, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0})
			},
			"a frame of a negative length": func(s *stranger) {
				_, _ = s.conn.NetConn().Write([]byte{0x81, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0})
			},
			"a message of ten megabytes": func(s *stranger) { _ = s.frame(0x81, make([]byte, 10<<20)) },
			"a message of ten megabytes in parts": func(s *stranger) {
				err := s.frame(0x01, long)
				for i := 0; i < 160 && err == nil; i++ {
					err = s.frame(0x00, long)
				}
			},
		} {
			s := f.stranger(t)
			write(s)
			s.requireClosed()
			require.NoError(t, s.conn.Close(), name)
		}
	})
}

func TestMessageInThousandsOfFragmentsIsOneMessage(t *testing.T) {
	f := serveIsolated(t, nil)
	f.undisturbed(t, func() {
		s := f.stranger(t).enters()
		require.NoError(t, s.frame(0x01, []byte(`{"type":"mute","id":"slow"`)))
		for range 5_000 {
			require.NoError(t, s.frame(0x00, nil), "empty parts cost nothing")
		}
		for range 5_000 {
			require.NoError(t, s.frame(0x00, []byte(" ")))
		}
		require.NoError(t, s.frame(0x80, []byte("}")))
		assert.Equal(t, "slow", s.hears()["id"])
		require.NoError(t, s.conn.Close())
	})
}

func TestPingFloodEndsClientThatDoesNotRead(t *testing.T) {
	f := serveIsolated(t, func(c *signaling.Config) {
		c.WriteWait, c.PingEvery, c.PongWait = 500*time.Millisecond, 200*time.Millisecond, 2*time.Second
	})
	f.undisturbed(t, func() {
		s := f.stranger(t).enters()
		require.NoError(t, s.conn.NetConn().(*net.TCPConn).SetReadBuffer(4096))
		require.NoError(t, s.conn.NetConn().SetWriteDeadline(time.Now().Add(patience)))
		payload := make([]byte, 125)
		var err error
		for err == nil { // answers pile up until the server gives up on the client
			err = s.frame(0x89, payload)
		}
		var timeout net.Error
		require.False(t, errors.As(err, &timeout) && timeout.Timeout(), "the server waits for a client who does not read")
		require.NoError(t, s.conn.Close())
	})
}

func TestClientThatDoesNotReadIsDisconnected(t *testing.T) {
	f := serveIsolated(t, func(c *signaling.Config) { c.WriteWait = 500 * time.Millisecond })
	f.undisturbed(t, func() {
		s := f.stranger(t).enters()
		require.NoError(t, s.conn.NetConn().(*net.TCPConn).SetReadBuffer(4096))
		require.NoError(t, s.conn.NetConn().SetWriteDeadline(time.Now().Add(patience)))
		question := []byte(`{"type":"` + strings.Repeat("x", 900) + `"}`)
		var err error
		for err == nil {
			err = s.frame(0x81, question)
		}
		var timeout net.Error
		require.False(t, errors.As(err, &timeout) && timeout.Timeout(), "the server waits for a client who does not read")
		require.NoError(t, s.conn.Close())
	})
}

func TestOfferFloodKeepsOneEar(t *testing.T) {
	f := serveIsolated(t, unlimited) // else most would be refused
	f.undisturbed(t, func() {
		s := f.stranger(t).enters()
		offer, err := json.Marshal(map[string]any{"type": "offer", "id": "o", "media": "ear", "sdp": bareOffer("recvonly")})
		require.NoError(t, err)
		ears := f.figure(t, "earshot_ears")
		const offers, ahead = 300, 20 // as many answers as the queue for a client has room for, at least
		for n := range offers + ahead {
			if n < offers {
				s.says(string(offer))
			}
			if n < ahead {
				continue
			}
			answer := s.hears()
			require.Equal(t, "answer", answer["type"], "%v", answer)
			assert.LessOrEqual(t, f.figure(t, "earshot_ears"), ears+1)
		}
		s.says(`{"type":"leave"}`)
		s.requireClosed(websocket.CloseNormalClosure)
	})
}

func TestMessageFloodIsRefusedThenDisconnected(t *testing.T) {
	f := serveIsolated(t, nil)
	f.undisturbed(t, func() {
		s := f.stranger(t).enters()
		answers := map[any]int{}
		for answers["goodbye"] == 0 {
			for range 40 { // which the queue for a client has room for
				_ = s.frame(0x81, []byte(`{"type":"lower-hand","id":"more"}`))
			}
			for range 40 {
				answer := s.hears()
				answers[answer["type"]]++
				if answer["type"] == "goodbye" {
					require.Equal(t, "protocol", answer["reason"])
					break
				}
				if answer["type"] == "error" {
					require.Equal(t, "rate_limited", answer["code"], "%v", answer)
				}
				require.Equal(t, "more", answer["id"])
			}
		}
		assert.GreaterOrEqual(t, answers["ok"], 98, "a hundred at once, hello and join among them: %v", answers)
		assert.GreaterOrEqual(t, answers["error"], 20, "%v", answers)
		s.requireClosed(websocket.CloseUnsupportedData)
	})
}

func TestHTTPOfferFloodLeavesNothing(t *testing.T) {
	f := serveIsolated(t, nil)
	offer := bareOffer("recvonly")
	f.undisturbed(t, func() {
		for range 200 {
			resp, body := request(t, http.MethodPost, f.url+"/rooms/calm/whep", "application/sdp", offer)
			if resp.StatusCode == http.StatusTooManyRequests {
				requireRefusal(t, http.StatusTooManyRequests, "rate_limited", resp, body)
				continue
			}
			require.Equal(t, http.StatusCreated, resp.StatusCode, body)
			resp, body = request(t, http.MethodDelete, f.url+resp.Header.Get("Location"), "", "")
			require.Equal(t, http.StatusOK, resp.StatusCode, body)
		}
	})
}
