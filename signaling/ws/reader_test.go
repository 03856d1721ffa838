package ws

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"io"
	"net"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/earshot-audio/earshot/signaling/wire"
)

// frame makes a client's frame (RFC 6455, section 5.2).
func frame(opcode byte, payload string) []byte {
	mask := [frameMaskSize]byte{0x12, 0x9a, 0x00, 0xff}
	b := []byte{0x80 | opcode}
	if n := len(payload); n < 126 {
		b = append(b, masked|byte(n))
	} else {
		b = append(b, masked|126)
		b = binary.BigEndian.AppendUint16(b, uint16(n))
	}
	b = append(b, mask[:]...)
	for i := range len(payload) {
		b = append(b, payload[i]^mask[i%frameMaskSize])
	}
	return b
}

// readFrame reads a server's frame of up to 64 KB.
func readFrame(t *testing.T, conn net.Conn, in *bufio.Reader) (opcode byte, payload []byte) {
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

// conversation is a sequence of messages in frames, with pings and pongs between
// them, and the answers to it.
func conversation() (frames []byte, answers []string) {
	long := `{"type":"offer","id":"long","media":"ear","sdp":"` + strings.Repeat("x", 3*readBuffer) + `"}`
	frames = bytes.Join([][]byte{
		frame(websocket.PongMessage, ""), frame(websocket.PingMessage, "early"),
		frame(websocket.TextMessage, `{"type":"hello","id":"1","version":1}`),
		frame(websocket.PongMessage, strings.Repeat("p", maxControl)),
		frame(websocket.TextMessage, `{"type":"raise-hand","id":"2"}`),
		frame(websocket.PingMessage, strings.Repeat("q", maxControl)),
		frame(websocket.TextMessage, long),
		frame(websocket.TextMessage, `{"type":"leave","id":"3"}`),
	}, nil)
	return frames, []string{"early", "ok 1", "ok 2", strings.Repeat("q", maxControl), "ok long", "ok 3"}
}

// expectAnswers reads the answers to a conversation. Pongs come at once, answers one
// after the other: each kind is in order.
func expectAnswers(t *testing.T, conn net.Conn, in *bufio.Reader, want []string) {
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
		opcode, payload := readFrame(t, conn, in)
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

func TestReadOrderOfFragmentedInput(t *testing.T) {
	frames, answers := conversation()
	for name, pieces := range map[string][]int{
		"all at once":                 {len(frames)},
		"byte by byte":                nil,
		"cut in a ping":               {9, len(frames) - 9},
		"cut after the first byte":    {1, len(frames) - 1},
		"cut in the long one":         {len(frames) - 600, 600},
		"cut before the last message": {len(frames) - len(frame(websocket.TextMessage, `{"type":"leave","id":"3"}`)), 31},
	} {
		t.Run(name, func(t *testing.T) {
			conn, in := serve(t, nil).dialRaw()
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
			expectAnswers(t, conn, in, answers)
		})
	}
}

func TestInvalidFrameEndsTheConnection(t *testing.T) {
	for name, bad := range map[string][]byte{
		"a pong that is not masked":  {0x8a, 0},
		"a pong that is not final":   {0x0a, 0x80, 0, 0, 0, 0},
		"a ping that is too long":    append([]byte{0x89, 0x80 | 126, 0, 126, 0, 0, 0, 0}, make([]byte, 126)...),
		"a ping with a reserved bit": {0xc9, 0x80, 0, 0, 0, 0},
		"an unknown opcode":          {0x83, 0x80, 0, 0, 0, 0},
	} {
		t.Run(name, func(t *testing.T) {
			conn, in := serve(t, nil).dialRaw()
			_, err := conn.Write(bad)
			require.NoError(t, err)
			opcode, payload := readFrame(t, conn, in)
			assert.EqualValues(t, websocket.CloseMessage, opcode)
			require.GreaterOrEqual(t, len(payload), 2)
			assert.EqualValues(t, websocket.CloseProtocolError, binary.BigEndian.Uint16(payload))
			_, err = in.ReadByte()
			assert.Error(t, err, "the connection is closed")
		})
	}
}
