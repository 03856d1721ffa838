package mediaport

import (
	"net"
	"net/netip"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/earshot-audio/earshot/internal/sdp"
)

func TestShardsHaveSocketsOfTheirOwnOnOnePort(t *testing.T) {
	for _, row := range []struct {
		name    string
		cfg     Config
		sockets int
	}{
		{"three shards", Config{Sockets: 3}, 3},
		{"more than there may be", Config{Sockets: 1000}, maxSockets},
		{"where a port has one socket", Config{Sockets: 3, Portable: true}, 1},
	} {
		t.Run(row.name, func(t *testing.T) {
			row.cfg.Address = "127.0.0.1:0"
			p, err := Open(row.cfg)
			require.NoError(t, err)
			defer func() { require.NoError(t, p.Close()) }()
			writers := map[Writer]bool{}
			for shard := range row.cfg.Sockets {
				writers[p.NewBatch(shard, time.Now).writer] = true
			}
			assert.Len(t, writers, row.sockets)
			for _, conn := range p.conns {
				assert.Equal(t, p.Addr(), conn.LocalAddr())
			}
		})
	}
}

func TestPortSaysOnceThatBundlesSaveNothing(t *testing.T) {
	said := 0
	p, err := Open(Config{Address: "127.0.0.1:0", Sockets: 2, Portable: true, OnUnsegmented: func(error) { said++ }})
	require.NoError(t, err)
	defer func() { require.NoError(t, p.Close()) }()
	assert.Equal(t, 1, said)
	assert.True(t, p.Single())
}

// What comes in by UDP and by TCP goes to the demultiplexer, until the port is closed.
func TestServeHandsOverWhatComesIn(t *testing.T) {
	p, err := Open(Config{Address: "127.0.0.1:0", Sockets: 2})
	require.NoError(t, err)
	require.NoError(t, p.ListenTCP("127.0.0.1:0"))
	demux, _ := newDemux(t)
	served := make(chan struct{})
	go func() {
		defer close(served)
		p.Serve(demux, new(atomic.Uint64), func(err error) { t.Error(err) })
	}()

	udp, err := net.Dial("udp", p.Addr().String())
	require.NoError(t, err)
	defer udp.Close()
	_, err = udp.Write([]byte{128, 111, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0})
	require.NoError(t, err)
	tcp, err := net.Dial("tcp", p.TCPAddr().String())
	require.NoError(t, err)
	defer tcp.Close()
	_, err = tcp.Write([]byte{0, 12, 128, 111, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}) // RFC 4571
	require.NoError(t, err)
	require.Eventually(t, func() bool { return demux.Stats().Unknown == 2 }, 10*time.Second, time.Millisecond)

	require.NoError(t, p.Close())
	<-served
}

func TestCandidatesNameWhatIsAdvertised(t *testing.T) {
	p := open(t, 1)
	require.NoError(t, p.ListenTCP("127.0.0.1:0"))
	own, err := p.Candidates(netip.Addr{})
	require.NoError(t, err)
	assert.Equal(t, []string{sdp.HostCandidate(0, p.Addr()), sdp.PassiveTCPCandidate(0, p.TCPAddr())}, own)
	outside := netip.MustParseAddr("192.0.2.7")
	advertised, err := p.Candidates(outside)
	require.NoError(t, err)
	assert.Equal(t, []string{
		sdp.HostCandidate(0, netip.AddrPortFrom(outside, p.Addr().Port())), sdp.PassiveTCPCandidate(0, netip.AddrPortFrom(outside, p.TCPAddr().Port())),
	}, advertised)
}
