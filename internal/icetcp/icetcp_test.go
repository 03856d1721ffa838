package icetcp_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/earshot-audio/earshot/internal/icetcp"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const patience = 30 * time.Second

type received struct {
	text string
	from netip.AddrPort
}

// listen opens a listener that tells what it receives, and answers it if answer is true.
func listen(t *testing.T, answer bool) (*icetcp.Port, <-chan received) {
	t.Helper()
	l, err := icetcp.Listen("127.0.0.1:0")
	require.NoError(t, err)
	got := make(chan received, 1000)
	served := make(chan struct{})
	go func() {
		defer close(served)
		l.Serve(func(b []byte, from netip.AddrPort, _ time.Time) {
			got <- received{string(b), from}
			if answer {
				l.Send(b, from)
			}
		})
	}()
	t.Cleanup(func() {
		assert.NoError(t, l.Close())
		<-served
	})
	return l, got
}

func dial(t *testing.T, l *icetcp.Port) *net.TCPConn {
	t.Helper()
	c, err := net.Dial("tcp", l.Addr().String())
	require.NoError(t, err)
	t.Cleanup(func() { _ = c.Close() })
	require.NoError(t, c.SetDeadline(time.Now().Add(patience)))
	return c.(*net.TCPConn)
}

func frame(text string) []byte {
	return append(binary.BigEndian.AppendUint16(nil, uint16(len(text))), text...)
}

func eventually(t *testing.T, condition func() bool, what string) {
	t.Helper()
	require.Eventually(t, condition, patience, time.Millisecond, what)
}

// ended reports whether the listener has ended a connection.
func ended(c net.Conn) bool {
	_, err := io.Copy(io.Discard, c)
	var late net.Error
	return !errors.As(err, &late) || !late.Timeout()
}

func TestConnCarriesDatagramsBothWays(t *testing.T) {
	l, got := listen(t, true)
	c := icetcp.New(dial(t, l), nil)
	defer c.Close()
	for _, text := range []string{"first", "", "a longer one that is still a datagram"} {
		require.True(t, c.Send([]byte(text)))
		assert.Equal(t, text, (<-got).text)
		b := make([]byte, 100)
		n, err := c.Read(b)
		require.NoError(t, err)
		assert.Equal(t, text, string(b[:n]))
	}
	assert.Equal(t, 1, l.Stats().Connections)
}

func TestListenerReadsFramesHoweverTheyAreCut(t *testing.T) {
	l, got := listen(t, true)
	c := dial(t, l)
	for _, b := range append(frame("one"), append(frame("two"), frame("three")...)...) {
		_, err := c.Write([]byte{b})
		require.NoError(t, err)
	}
	for _, text := range []string{"one", "two", "three"} {
		assert.Equal(t, text, (<-got).text)
	}
}

// TestConnectionsHaveAddressesOfTheirOwn has what depends on it: nobody who connects from
// an address gets what is for somebody on UDP there, or for who was there before.
func TestConnectionsHaveAddressesOfTheirOwn(t *testing.T) {
	l, got := listen(t, true)
	c := dial(t, l)
	_, err := c.Write(frame("x"))
	require.NoError(t, err)
	first := (<-got).from
	local := c.LocalAddr().(*net.TCPAddr).AddrPort()
	assert.True(t, icetcp.IsConn(first))
	assert.False(t, icetcp.IsConn(local))
	assert.NotEqual(t, local, first)
	assert.Equal(t, local, icetcp.Remote(first))
	assert.Equal(t, local, icetcp.Remote(local))
	require.NoError(t, c.SetLinger(0)) // so that the port is free
	require.NoError(t, c.Close())
	eventually(t, func() bool { return l.Stats().Connections == 0 }, "the listener notices")
	assert.False(t, l.Send([]byte("late"), first), "a connection that is gone")

	again, err := (&net.Dialer{LocalAddr: net.TCPAddrFromAddrPort(local)}).Dial("tcp", l.Addr().String())
	require.NoError(t, err)
	defer again.Close()
	_, err = again.Write(frame("y"))
	require.NoError(t, err)
	second := (<-got).from
	assert.NotEqual(t, first, second, "the same host and port, later")
	assert.False(t, l.Send([]byte("late"), first))
	assert.True(t, l.Send([]byte("now"), second))
}

// TestSendDoesNotWaitForAReaderThatStands has somebody who reads nothing: what is sent to
// them is dropped and counted from some point on, and nobody else notices.
func TestSendDoesNotWaitForAReaderThatStands(t *testing.T) {
	l, got := listen(t, true)
	c, other := dial(t, l), icetcp.New(dial(t, l), nil)
	defer other.Close()
	require.NoError(t, c.SetReadBuffer(1))
	_, err := c.Write(frame("hello"))
	require.NoError(t, err)
	stands := (<-got).from
	packet := bytes.Repeat([]byte("speech"), 20)
	eventually(t, func() bool { return !l.Send(packet, stands) }, "the connection takes no more")
	assert.NotZero(t, l.Stats().Dropped)
	before := l.Stats().Dropped
	for range 10_000 { // each would wait for the connection's timeout
		l.Send(packet, stands)
	}
	assert.Greater(t, l.Stats().Dropped, before)

	require.True(t, other.Send([]byte("hello")))
	b := make([]byte, 100)
	n, err := other.Read(b)
	require.NoError(t, err)
	assert.Equal(t, "hello", string(b[:n]))
}

func TestListenerEndsStrangers(t *testing.T) {
	for _, c := range []struct {
		name string
		send []byte
	}{
		{"more than a few checks that nobody answers", bytes.Repeat(frame("who is there?"), 1000)},
		{"a frame that is longer than a datagram", append(binary.BigEndian.AppendUint16(nil, 60_000), make([]byte, 10_000)...)},
		{"something else than frames", append([]byte("GET / HTTP/1.1\r\nHost: example.org\r\n\r\n"), make([]byte, 30_000)...)},
	} {
		t.Run(c.name, func(t *testing.T) {
			l, _ := listen(t, false)
			conn := dial(t, l)
			_, _ = conn.Write(c.send) // it may fail: the listener has had enough
			assert.True(t, ended(conn))
			eventually(t, func() bool { return l.Stats() == icetcp.Stats{Refused: 1} }, "it is counted, and gone")
		})
	}
}

func TestStrangersHoldFewConnections(t *testing.T) {
	l, got := listen(t, false)
	known := dial(t, l)
	_, err := known.Write(frame("I am known"))
	require.NoError(t, err)
	first := <-got
	require.True(t, l.Send([]byte("yes"), first.from))

	for range 100 { // those that are refused may be reset before they are dialled
		if c, err := net.Dial("tcp", l.Addr().String()); err == nil {
			t.Cleanup(func() { _ = c.Close() })
		}
	}
	eventually(t, func() bool { return l.Stats().Refused > 0 }, "there is no place for all of them")
	assert.Less(t, l.Stats().Connections, 70)
	assert.True(t, l.Send([]byte("still there"), first.from), "who is known keeps theirs")
	b := make([]byte, 100)
	n, err := io.ReadAtLeast(known, b, 2+3+2+11)
	require.NoError(t, err)
	assert.Contains(t, string(b[:n]), "still there")
}

// FuzzRead holds that whatever comes, Read ends, with a datagram that fits or an error.
func FuzzRead(f *testing.F) {
	f.Add(frame("one"))
	f.Add(append(frame(""), frame("two")...))
	f.Add([]byte{0xff, 0xff, 1})
	f.Add([]byte{0})
	f.Fuzz(func(t *testing.T, stream []byte) {
		near, far := net.Pipe()
		defer far.Close()
		c := icetcp.New(near, bytes.NewReader(stream))
		defer c.Close()
		b := make([]byte, 100)
		for left := len(stream); ; {
			n, err := c.Read(b)
			if err != nil {
				return
			}
			require.LessOrEqual(t, n, len(b))
			require.Equal(t, stream[len(stream)-left+2:][:n], b[:n])
			left -= 2 + n
		}
	})
}
