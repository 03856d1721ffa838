package mediaport

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

func open(t *testing.T, sockets int) *Port {
	t.Helper()
	p, err := Open(Config{Address: "127.0.0.1:0", Sockets: sockets})
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, p.Close()) })
	return p
}

// testConn is a connection of Pion's on a port.
func testConn(p *Port) *muxConn { return newMuxConn(p, net.UDPAddrFromAddrPort(p.Addr())) }

func TestPionConnThatIsFloodedLeavesPlacesToOthers(t *testing.T) {
	p := open(t, 1)
	loud, other := testConn(p), testConn(p)
	for range 2 * maxWaiting {
		loud.receive([]byte("flood"), address(1))
	}
	assert.EqualValues(t, 2*maxWaiting-maxQueue, p.Overrun())
	other.receive([]byte("speech"), address(2))
	b := make([]byte, datagramSize)
	for range maxQueue {
		n, from, err := loud.ReadFromAddrPort(b)
		require.NoError(t, err)
		require.Equal(t, "flood", string(b[:n]))
		require.Equal(t, address(1), from)
	}
	n, from, err := other.ReadFromAddrPort(b)
	require.NoError(t, err)
	assert.Equal(t, "speech", string(b[:n]))
	assert.Equal(t, address(2), from)
	assert.Zero(t, p.queues.waiting.Load())
	loud.receive([]byte("again"), address(1))
	assert.EqualValues(t, 2*maxWaiting-maxQueue, p.Overrun(), "there is room again")
}

func TestPionConnsShareOneBound(t *testing.T) {
	p := open(t, 2)
	conns := make([]*muxConn, maxWaiting+5)
	for i := range conns {
		conns[i] = testConn(p)
		conns[i].receive(fmt.Append(nil, i), address(i))
	}
	assert.Equal(t, uint64(5), p.Overrun())
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
	assert.Equal(t, p.Addr(), at)

	for _, c := range conns {
		require.NoError(t, c.Close())
		require.NoError(t, c.Close())
		_, _, err = c.ReadFrom(b)
		require.ErrorIs(t, err, net.ErrClosed)
		c.receive([]byte("late"), address(0))
	}
	assert.Zero(t, p.queues.waiting.Load(), "what is closed holds nothing")
}

func TestPionMuxHasOneConnPerAddressFamily(t *testing.T) {
	p := open(t, 1)
	var hosts []netip.AddrPort
	for _, a := range []string{"[2001:db8::1]:7", "192.0.2.1:7", "192.0.2.2:7", "[2001:db8::2]:7"} {
		hosts = append(hosts, netip.MustParseAddrPort(a))
	}
	m := newMux(p, hosts)
	require.Len(t, m.GetListenAddresses(), 2)
	b := make([]byte, 100)
	for i, from := range []string{"198.51.100.1:9", "[2001:db8::9]:9"} {
		local := m.GetListenAddresses()[i]
		c, err := m.GetConn("any", local)
		require.NoError(t, err)
		assert.Equal(t, local, c.LocalAddr())
		m.Receive([]byte(from), netip.MustParseAddrPort(from))
		n, at, err := c.ReadFrom(b)
		require.NoError(t, err)
		assert.Equal(t, from, string(b[:n]))
		assert.Equal(t, from, at.String())
	}
	_, err := m.GetConn("any", &net.UDPAddr{IP: net.IPv4(192, 0, 2, 2), Port: 7})
	require.Error(t, err)
	require.NoError(t, m.Close())

	m = newMux(p, hosts[1:2])
	require.Len(t, m.GetListenAddresses(), 1)
	m.Receive([]byte("lost"), netip.MustParseAddrPort("[2001:db8::9]:9"))
	assert.Zero(t, p.queues.waiting.Load())
}
