package client

import (
	"net"
	"net/netip"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/earshot-audio/earshot/loadgen/netem"
	"github.com/earshot-audio/earshot/loadgen/network"
	"github.com/earshot-audio/earshot/loadgen/timebase"
)

// steadyLinks returns an emulator in its steady state. The test fails if it reports an
// error.
func steadyLinks(t *testing.T) (*netem.Emulator, *timebase.Clock) {
	clock := timebase.NewClock()
	n := netem.NewEmulator(clock, 7, func(doing string, err error) { assert.NoError(t, err, doing) }, func(time.Duration) {})
	n.BeginSteady(clock.Now() | 1)
	t.Cleanup(n.Close)
	return n, clock
}

// pair returns a socket behind a network, and a server's socket.
func pair(t *testing.T, n *netem.Emulator, clock *timebase.Clock, p *network.Profile) (*impairedSocket, *net.UDPConn, *receiveTimes) {
	t.Helper()
	arrived := &receiveTimes{}
	m := &clientNet{clock: clock, times: arrived, impairment: n.NewImpairment(p, 0, 0, 0)}
	c, err := m.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	require.NoError(t, err)
	l, ok := c.(*impairedSocket)
	require.True(t, ok)
	server, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	require.NoError(t, err)
	require.NoError(t, server.SetDeadline(time.Now().Add(time.Minute)))
	t.Cleanup(func() {
		_ = l.Close() // the test may have closed it
		require.NoError(t, server.Close())
	})
	return l, server, arrived
}

func address(c interface{ LocalAddr() net.Addr }) netip.AddrPort {
	return c.LocalAddr().(*net.UDPAddr).AddrPort()
}

func TestImpairedSocketSendsAndReceivesThroughItsNetwork(t *testing.T) {
	n, clock := steadyLinks(t)
	l, server, arrived := pair(t, n, clock, &network.Profile{
		Name: "x", Up: network.Direction{Delay: 20 * time.Millisecond}, Down: network.Direction{Delay: 40 * time.Millisecond},
	})
	b := make([]byte, 100)
	begun := clock.Now()
	_, err := l.WriteTo([]byte("hello"), server.LocalAddr())
	require.NoError(t, err)
	size, from, err := server.ReadFromUDPAddrPort(b)
	require.NoError(t, err)
	assert.Equal(t, "hello", string(b[:size]))
	assert.Equal(t, address(l), from)
	there := clock.Now()
	assert.GreaterOrEqual(t, there-begun, 20*time.Millisecond)

	_, err = server.WriteToUDPAddrPort(rtpPacket(7, 8), from)
	require.NoError(t, err)
	size, peer, err := l.ReadFrom(b)
	require.NoError(t, err)
	back := clock.Now()
	assert.Equal(t, rtpPacket(7, 8), b[:size])
	assert.Equal(t, server.LocalAddr().String(), peer.String())
	assert.GreaterOrEqual(t, back-there, 40*time.Millisecond)
	at, ok := arrived.find(7, 8)
	assert.True(t, ok)
	assert.GreaterOrEqual(t, at-there, 40*time.Millisecond, "it counts as received when the network delivers it")
	assert.LessOrEqual(t, at, back)
}

func TestImpairedSocketContinuesAfterRebind(t *testing.T) {
	n, clock := steadyLinks(t)
	n.BeginSteady(0) // not yet
	l, server, _ := pair(t, n, clock, &network.Profile{Name: "x", Rebinds: []time.Duration{0}})
	b := make([]byte, 100)
	says := func(text string) netip.AddrPort {
		_, err := l.WriteToAddrPort([]byte(text), address(server))
		require.NoError(t, err)
		size, from, err := server.ReadFromUDPAddrPort(b)
		require.NoError(t, err)
		assert.Equal(t, text, string(b[:size]))
		return from
	}
	before := says("before")
	assert.Equal(t, address(l), before)
	n.BeginSteady(1)
	after := says("after")
	assert.NotEqual(t, before, after)
	assert.Equal(t, before, address(l), "the client does not see it")
	assert.Equal(t, after, says("again"), "once")

	_, err := server.WriteToUDPAddrPort([]byte("to the old address"), before)
	require.NoError(t, err)
	_, err = server.WriteToUDPAddrPort([]byte("to the new address"), after)
	require.NoError(t, err)
	size, _, err := l.ReadFromAddrPort(b)
	require.NoError(t, err)
	assert.Equal(t, "to the new address", string(b[:size]))
}

func TestImpairedSocketReadEndsWithDeadlineAndClose(t *testing.T) {
	n, clock := steadyLinks(t)
	l, _, _ := pair(t, n, clock, &network.Profile{Name: "x"})
	require.NoError(t, l.SetDeadline(time.Now()))
	_, _, err := l.ReadFrom(make([]byte, 1))
	assert.ErrorIs(t, err, os.ErrDeadlineExceeded)
	require.NoError(t, l.SetReadDeadline(time.Time{}))
	ended := make(chan error)
	go func() {
		_, _, err := l.ReadFrom(make([]byte, 1))
		ended <- err
	}()
	require.NoError(t, l.Close())
	assert.ErrorIs(t, <-ended, net.ErrClosed)
	_, err = l.WriteToAddrPort([]byte("x"), netip.MustParseAddrPort("127.0.0.1:9"))
	assert.ErrorIs(t, err, net.ErrClosed)
	assert.ErrorIs(t, l.Close(), net.ErrClosed)
}
