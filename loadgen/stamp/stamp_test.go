package stamp

import (
	"net"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/earshot-audio/earshot/loadgen/timebase"
)

// What waits in a socket's buffer keeps the kernel's receive time.
func TestReceiveTimesAreTheKernels(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("only Linux has SO_TIMESTAMPNS")
	}
	clock := timebase.NewClock()
	udp, err := ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)}, clock)
	require.NoError(t, err)
	defer func() { assert.NoError(t, udp.Close()) }()
	toUDP, err := net.Dial("udp4", udp.LocalAddr().String())
	require.NoError(t, err)
	defer toUDP.Close()

	listener, err := net.Listen("tcp4", "127.0.0.1:0")
	require.NoError(t, err)
	defer listener.Close()
	conn, err := net.Dial("tcp4", listener.Addr().String())
	require.NoError(t, err)
	tcp, err := NewTCPConn(conn.(*net.TCPConn), clock)
	require.NoError(t, err)
	defer func() { assert.NoError(t, tcp.Close()) }()
	toTCP, err := listener.Accept()
	require.NoError(t, err)
	defer toTCP.Close()

	for _, row := range []struct {
		name string
		to   net.Conn
		read func(b []byte) (time.Duration, error)
	}{
		{"a datagram", toUDP, func(b []byte) (time.Duration, error) {
			_, d, err := udp.Receive(b)
			return d.At, err
		}},
		{"a segment of TCP", toTCP, func(b []byte) (time.Duration, error) {
			_, err := tcp.Read(b)
			return tcp.At(), err
		}},
	} {
		t.Run(row.name, func(t *testing.T) {
			// The kernel starts timestamping a moment after the first socket asks for it. Until
			// then it timestamps packets when they are read.
			b := make([]byte, 100)
			for tries := 0; ; tries++ {
				before := clock.Now()
				_, err = row.to.Write([]byte("frame"))
				require.NoError(t, err)
				time.Sleep(100 * time.Millisecond)
				read := clock.Now()
				at, err := row.read(b)
				require.NoError(t, err)
				assert.GreaterOrEqual(t, at, before-time.Millisecond)
				if at < read-50*time.Millisecond {
					return
				}
				require.Less(t, tries, 50, "it is stamped when it is read")
			}
		})
	}
}
