package udpbatch

import (
	"cmp"
	"fmt"
	"net/netip"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/earshot-audio/earshot/internal/packet"
)

const (
	// payload is a sealed packet of speech at 24 kbit/s: 80 bytes of Opus, the
	// RTP header with CSRC and level, and the tag.
	payload = 120
	// peers is the room of the headline case.
	peers = 5000
)

// sinks are sockets that are read all the time, and addresses of theirs for
// peers: an undrained figure means nothing, as most packets then end at a full
// buffer. drained tells how many packets were read.
func sinks(b *testing.B, o Options) (addresses []netip.AddrPort, drained func() uint64) {
	const segments = 64 // messages of MaxMessage that are read at once
	o.ReadBuffer, o.PacketInfo, o.Timestamps, o.Gather = 4<<20, true, true, time.Millisecond
	const n = 8
	var sinks []Conn
	var wg sync.WaitGroup
	var read atomic.Uint64
	for range n {
		c, err := Listen(b.Context(), "0.0.0.0:0", o)
		if err != nil {
			b.Skip("a sink that keeps up: ", err)
		}
		sinks = append(sinks, c)
		wg.Go(func() {
			ms := room(256)
			if o.Segments {
				ms = roomForSegments(segments)
			}
			for {
				n, err := c.ReadBatch(ms)
				if err != nil {
					return
				}
				for _, m := range ms[:n] {
					n += max(0, m.N-1) / max(1, cmp.Or(m.Segment, m.N))
				}
				read.Add(uint64(n))
			}
		})
	}
	b.Cleanup(func() {
		for _, c := range sinks {
			_ = c.Close()
		}
		wg.Wait()
	})
	for i := range peers {
		ip := netip.AddrFrom4([4]byte{127, 1, byte(i >> 8), byte(i)})
		addresses = append(addresses, netip.AddrPortFrom(ip, sinks[i%n].LocalAddr().Port()))
	}
	return addresses, read.Load
}

var ways = []struct {
	name string
	o    Options
}{{"batch", Options{}}, {"gather", Options{Gather: time.Millisecond}}, {"portable", Options{Portable: true}}}

// BenchmarkWrite is nanoseconds a packet sent (by the wall, and of processor
// time), to 5,000 peers whose sockets are drained by the rest of the machine.
func BenchmarkWrite(b *testing.B) {
	for _, w := range ways {
		for _, size := range []int{1, 4, 16, 32, 64, 128, 256} {
			b.Run(fmt.Sprintf("%s/%d", w.name, size), func(b *testing.B) {
				addresses, drained := sinks(b, Options{})
				c := listen(b, "127.0.0.1:0", w.o)
				arena, err := packet.NewArena(256 * payload)
				require.NoError(b, err)
				ms := make([]Message, size)
				next := 0
				runtime.LockOSThread()
				defer runtime.UnlockOSThread()
				b.ReportAllocs()
				b.ResetTimer()
				start := threadTime()
				for sent := 0; sent < b.N; {
					arena.Reset()
					for i := range ms {
						ms[i].Buf, ms[i].Addr = arena.Take(payload), addresses[next]
						next = (next + 1) % peers
					}
					n, err := c.WriteBatch(ms[:min(size, b.N-sent)])
					if err != nil {
						b.Fatal(err)
					}
					sent += n
				}
				b.StopTimer()
				b.ReportMetric(float64(threadTime()-start)/float64(b.N), "cpu-ns/op")
				b.ReportMetric(float64(drained())/float64(b.N), "drained")
			})
		}
	}
}

// BenchmarkRead is nanoseconds of processor time a packet read from a socket that holds a batch,
// without those of putting it there.
func BenchmarkRead(b *testing.B) {
	for _, w := range ways {
		for _, size := range []int{1, 4, 16, 64, 256} {
			b.Run(fmt.Sprintf("%s/%d", w.name, size), func(b *testing.B) {
				o := w.o
				o.ReadBuffer, o.Timestamps, o.PacketInfo = 4<<20, true, true
				c, sender := listen(b, "127.0.0.1:0", o), listen(b, "127.0.0.1:0", Options{})
				out, in := make([]Message, 256), room(size)
				for i := range out {
					out[i] = Message{Buf: make([]byte, payload), Addr: c.LocalAddr()}
				}
				b.ReportAllocs()
				runtime.LockOSThread()
				defer runtime.UnlockOSThread()
				spent := time.Duration(0)
				for read := 0; read < b.N; {
					fill, err := sender.WriteBatch(out)
					if err != nil {
						b.Fatal(err)
					}
					start := threadTime()
					for got := 0; got < fill; {
						n, err := c.ReadBatch(in)
						if err != nil {
							b.Fatal(err)
						}
						got += n
					}
					spent += threadTime() - start
					read += fill
					runtime.Gosched()
				}
				rounds := (b.N + len(out) - 1) / len(out)
				b.ReportMetric(float64(spent.Nanoseconds())/float64(rounds*len(out)), "cpu-ns/packet")
			})
		}
	}
}

// BenchmarkSegments is nanoseconds of processor time a packet, of the sending thread
// and of the whole process with those who read, for one, two and more packets to a
// peer at a time.
func BenchmarkSegments(b *testing.B) {
	for _, o := range []struct {
		name string
		read Options
	}{{"gro", Options{Segments: true}}, {"plain", Options{}}} {
		for _, each := range []int{1, 2, 3, 5, 10} {
			b.Run(fmt.Sprintf("%s/%d", o.name, each), func(b *testing.B) {
				const size = 64
				addresses, drained := sinks(b, o.read)
				c := listen(b, "127.0.0.1:0", Options{Gather: time.Millisecond})
				arena, err := packet.NewArena(size * 10 * payload)
				require.NoError(b, err)
				ms := make([]Message, size)
				next := 0
				runtime.LockOSThread()
				defer runtime.UnlockOSThread()
				b.ReportAllocs()
				b.ResetTimer()
				start, all := threadTime(), processTime()
				sent := 0
				for sent < b.N {
					arena.Reset()
					for i := range ms {
						ms[i].Buf, ms[i].Addr = arena.Take(each*payload), addresses[next]
						if each > 1 {
							ms[i].Segment = payload
						}
						next = (next + 1) % peers
					}
					n, err := c.WriteBatch(ms)
					if err != nil {
						b.Fatal(err)
					}
					sent += n * each
				}
				b.StopTimer()
				b.ReportMetric(float64(threadTime()-start)/float64(sent), "cpu-ns/packet")
				b.ReportMetric(float64(processTime()-all)/float64(sent), "both-ns/packet")
				b.ReportMetric(float64(drained())/float64(sent), "drained")
			})
		}
	}
}
