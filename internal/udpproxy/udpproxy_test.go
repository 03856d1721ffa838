package udpproxy_test

import (
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/earshot-audio/earshot/internal/udpproxy"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestProxyRelaysAndFiltersBothWays(t *testing.T) {
	loopback := netip.MustParseAddrPort("127.0.0.1:0")
	server, err := net.ListenUDP("udp4", net.UDPAddrFromAddrPort(loopback))
	require.NoError(t, err)
	defer server.Close()
	p := udpproxy.Start(t, loopback, server.LocalAddr().(*net.UDPAddr).AddrPort())
	client, err := net.DialUDP("udp4", nil, net.UDPAddrFromAddrPort(p.Addr()))
	require.NoError(t, err)
	defer client.Close()
	for _, conn := range []*net.UDPConn{server, client} {
		require.NoError(t, conn.SetReadDeadline(time.Now().Add(30*time.Second)))
	}
	received := func(conn *net.UDPConn) (string, netip.AddrPort) {
		t.Helper()
		b := make([]byte, 100)
		n, from, err := conn.ReadFromUDPAddrPort(b)
		require.NoError(t, err)
		return string(b[:n]), from
	}

	_, err = client.Write([]byte("up"))
	require.NoError(t, err)
	text, at := received(server)
	assert.Equal(t, "up", text)
	assert.NotEqual(t, client.LocalAddr().String(), at.String(), "the server sees the proxy's address")
	_, err = server.WriteToUDPAddrPort([]byte("down"), at)
	require.NoError(t, err)
	text, _ = received(client)
	assert.Equal(t, "down", text)

	twice := func(who netip.AddrPort, b []byte) [][]byte {
		assert.Equal(t, client.LocalAddr().String(), who.String())
		return [][]byte{b, append(b, '!')}
	}
	p.Filter(twice, udpproxy.Drop)
	_, err = client.Write([]byte("up"))
	require.NoError(t, err)
	for _, want := range []string{"up", "up!"} {
		text, _ = received(server)
		assert.Equal(t, want, text)
	}
	_, err = server.WriteToUDPAddrPort([]byte("dropped"), at)
	require.NoError(t, err)
	p.Filter(nil, twice)
	// What was sent may be read only now: it comes twice, or not at all.
	_, err = server.WriteToUDPAddrPort([]byte("end"), at)
	require.NoError(t, err)
	for text != "end!" {
		text, _ = received(client)
	}
}
