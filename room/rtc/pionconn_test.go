package rtc

import (
	"fmt"
	"net"
	"net/netip"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func address(n int) netip.AddrPort {
	return netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), uint16(1000+n))
}

// testConn is a connection of Pion's on a port.
func testConn(p *port, queues *pionQueues) *pionConn {
	return newPionConn(p, net.UDPAddrFromAddrPort(p.addr()), queues)
}

func TestPionConnThatIsFloodedLeavesPlacesToOthers(t *testing.T) {
	p, err := openPort("127.0.0.1:0", 1, false, func(error) {})
	require.NoError(t, err)
	defer func() { assert.NoError(t, p.close()) }()
	queues := newPionQueues()
	loud, other := testConn(p, queues), testConn(p, queues)
	for range 2 * pionQueue {
		loud.receive([]byte("flood"), address(1))
	}
	assert.EqualValues(t, 2*pionQueue-pionQueuePerMic, queues.dropped.Load())
	other.receive([]byte("speech"), address(2))
	b := make([]byte, datagramSize)
	for range pionQueuePerMic {
		n, from, err := loud.ReadFromAddrPort(b)
		require.NoError(t, err)
		require.Equal(t, "flood", string(b[:n]))
		require.Equal(t, address(1), from)
	}
	n, from, err := other.ReadFromAddrPort(b)
	require.NoError(t, err)
	assert.Equal(t, "speech", string(b[:n]))
	assert.Equal(t, address(2), from)
	assert.Zero(t, queues.waiting.Load())
	loud.receive([]byte("again"), address(1))
	assert.EqualValues(t, 2*pionQueue-pionQueuePerMic, queues.dropped.Load(), "there is room again")
}

func TestPionConnsShareOneBound(t *testing.T) {
	p, err := openPort("127.0.0.1:0", 2, false, func(error) {})
	require.NoError(t, err)
	defer func() { require.NoError(t, p.close()) }()
	queues := newPionQueues()
	conns := make([]*pionConn, pionQueue+5)
	for i := range conns {
		conns[i] = testConn(p, queues)
		conns[i].receive(fmt.Append(nil, i), address(i))
	}
	assert.Equal(t, uint64(5), queues.dropped.Load())
	b := make([]byte, 100)
	n, from, err := conns[0].ReadFrom(b)
	require.NoError(t, err)
	assert.Equal(t, "0", string(b[:n]))
	assert.Equal(t, address(0).String(), from.String())

	other, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	require.NoError(t, err)
	defer func() { require.NoError(t, other.Close()) }()
	n, err = conns[0].WriteTo([]byte("out"), other.LocalAddr())
	require.NoError(t, err)
	assert.Equal(t, 3, n)
	n, at, err := other.ReadFromUDPAddrPort(b)
	require.NoError(t, err)
	assert.Equal(t, "out", string(b[:n]))
	assert.Equal(t, p.addr(), at)

	for _, c := range conns {
		require.NoError(t, c.Close())
		require.NoError(t, c.Close())
		_, _, err = c.ReadFrom(b)
		require.ErrorIs(t, err, net.ErrClosed)
		c.receive([]byte("late"), address(0))
	}
	assert.Zero(t, queues.waiting.Load(), "what is closed holds nothing")
}

func TestPionMuxHasOneConnPerAddressFamily(t *testing.T) {
	p, err := openPort("127.0.0.1:0", 1, false, func(error) {})
	require.NoError(t, err)
	defer func() { require.NoError(t, p.close()) }()
	var hosts []netip.AddrPort
	for _, a := range []string{"[2001:db8::1]:7", "192.0.2.1:7", "192.0.2.2:7", "[2001:db8::2]:7"} {
		hosts = append(hosts, netip.MustParseAddrPort(a))
	}
	m := newPionMux(p, hosts, newPionQueues())
	require.Len(t, m.GetListenAddresses(), 2)
	b := make([]byte, 100)
	for i, from := range []string{"198.51.100.1:9", "[2001:db8::9]:9"} {
		local := m.GetListenAddresses()[i]
		c, err := m.GetConn("any", local)
		require.NoError(t, err)
		assert.Equal(t, local, c.LocalAddr())
		m.receive([]byte(from), netip.MustParseAddrPort(from))
		n, at, err := c.ReadFrom(b)
		require.NoError(t, err)
		assert.Equal(t, from, string(b[:n]))
		assert.Equal(t, from, at.String())
	}
	_, err = m.GetConn("any", &net.UDPAddr{IP: net.IPv4(192, 0, 2, 2), Port: 7})
	require.Error(t, err)
	require.NoError(t, m.Close())

	m = newPionMux(p, hosts[1:2], newPionQueues())
	require.Len(t, m.GetListenAddresses(), 1)
	m.receive([]byte("lost"), netip.MustParseAddrPort("[2001:db8::9]:9"))
	assert.Zero(t, m.conns[0].queues.waiting.Load())
}
