package udpbatch

import (
	"net"
	"net/netip"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// BenchmarkWaking is the most that a server could do on one core of this machine for clients that have a
// socket and a goroutine each, as those of Pion do: a packet every 20 ms for each of 400. The kernel wakes
// whoever waits for a packet in the time of the thread that sends it. There is no server in it, and no encryption.
// packets/core is by the processor time of the sending thread.
func BenchmarkWaking(b *testing.B) {
	const clients, batch, every = 400, 64, 20 * time.Millisecond
	var addresses []netip.AddrPort
	var read atomic.Uint64
	var work sync.WaitGroup
	b.Cleanup(work.Wait) // after the sockets are closed
	for range clients {
		u, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
		require.NoError(b, err)
		addresses = append(addresses, u.LocalAddr().(*net.UDPAddr).AddrPort())
		work.Go(func() {
			buf := make([]byte, 1500)
			for {
				if _, _, err := u.ReadFromUDPAddrPort(buf); err != nil {
					return
				}
				read.Add(1)
			}
		})
		b.Cleanup(func() { _ = u.Close() })
	}
	c := listen(b, "127.0.0.1:0", Options{Gather: time.Millisecond})
	ms := make([]Message, clients)
	for i := range ms {
		ms[i].Buf, ms[i].Addr = make([]byte, payload), addresses[i]
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	b.ResetTimer()
	start := threadTime()
	for range b.N {
		due := time.Now().Add(every)
		for rest := ms; len(rest) > 0; {
			n, err := c.WriteBatch(rest[:min(batch, len(rest))])
			if err != nil {
				b.Fatal(err)
			}
			rest = rest[n:]
		}
		time.Sleep(time.Until(due))
	}
	b.StopTimer()
	spent := threadTime() - start
	b.ReportMetric(float64(b.N*clients)/spent.Seconds(), "packets/core")
	b.ReportMetric(float64(read.Load())/float64(b.N*clients), "read")
	b.ReportMetric(0, "ns/op") // which would be the frame's 20 ms
}
