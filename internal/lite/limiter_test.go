package lite

import (
	"encoding/binary"
	"net"
	"net/netip"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/earshot-audio/earshot/internal/srtp"
)

// readOne reads a datagram in a goroutine of its own.
func readOne(p *pipe) <-chan error {
	done := make(chan error, 1)
	go func() {
		_, err := p.read(nil)
		done <- err
	}()
	return done
}

func TestLimiterCPUSlotsAreOnePerCore(t *testing.T) {
	l := NewLimiter(100)
	slots := cap(l.cpuSlots)
	require.Equal(t, runtime.GOMAXPROCS(0), slots)
	nothing := func([]byte) {}
	idle := newPipe(l, nothing)
	waits := readOne(idle) // for a datagram, which takes no CPU slot
	pipes := make([]*pipe, slots)
	for i := range pipes {
		pipes[i] = newPipe(l, nothing)
		pipes[i].put([]byte("x"))
		require.NoError(t, within(t, readOne(pipes[i]), "a datagram"))
	}
	assert.Len(t, l.cpuSlots, slots, "all compute")

	next := newPipe(l, nothing)
	next.put([]byte("x"))
	done := readOne(next)
	again := readOne(pipes[0]) // it has computed, and gives its CPU slot to the next
	require.NoError(t, within(t, done, "a CPU slot"))
	assert.Len(t, l.cpuSlots, slots)

	for _, p := range pipes {
		p.close()
		p.releaseCPUSlot() // as its handshake does
	}
	assert.ErrorIs(t, within(t, again, "the end"), ErrClosed)
	assert.Len(t, l.cpuSlots, 1, "those that end give their CPU slots back")
	late := make(chan time.Time, 1)
	late <- time.Time{}
	b, err := next.read(late)
	require.NoError(t, err)
	assert.Nil(t, b, "nothing came in time")
	assert.Empty(t, l.cpuSlots)
	idle.close()
	assert.ErrorIs(t, within(t, waits, "the end"), ErrClosed)
	assert.Empty(t, l.cpuSlots)
}

func TestHandshakeGoesOnWithoutACPUSlot(t *testing.T) {
	l := NewLimiter(100)
	for range cap(l.cpuSlots) {
		l.cpuSlots <- struct{}{} // somebody keeps them
	}
	p := newPipe(l, func([]byte) {})
	p.put([]byte("x"))
	require.NoError(t, within(t, readOne(p), "a datagram"))
	p.releaseCPUSlot()
	assert.Len(t, l.cpuSlots, cap(l.cpuSlots), "it gives back nobody else's")

	s := newTestServer(t, func(c *ServerConfig) { c.Limit = l })
	join(t, s, newTestClients(t), nil).waitReady(t)
}

func TestHandshakeWaitingForACPUSlotCanBeEnded(t *testing.T) {
	l := NewLimiter(100)
	for range cap(l.cpuSlots) {
		l.cpuSlots <- struct{}{}
	}
	p := newPipe(l, func([]byte) {})
	p.put([]byte("x"))
	done := readOne(p)
	p.close()
	assert.ErrorIs(t, within(t, done, "the end"), ErrClosed)
	assert.Equal(t, [][]byte{[]byte("x")}, p.drain())
}

// BenchmarkMediaAmongHandshakes is what a shard of 2,500 ears has of its time
// while a few hundred handshakes come all at once: how long it takes for a
// frame, with calls and computing as it has them.
func BenchmarkMediaAmongHandshakes(b *testing.B) {
	for _, row := range []struct {
		name  string
		slots int
	}{{"one per core", runtime.GOMAXPROCS(0)}, {"all at once", 1 << 10}} {
		b.Run(row.name, func(b *testing.B) {
			conn, err := net.ListenUDP("udp4", nil)
			require.NoError(b, err)
			defer func() { _ = conn.Close() }()
			stream := must(openStream(must(srtp.NewSealer(srtp.GCM128, randomBytes(16), randomBytes(12))), 9))
			var worst, all time.Duration
			var frames int
			for range b.N {
				w := newMemoryNetwork(b, 2)
				w.server.cfg.Limit.cpuSlots = make(chan struct{}, row.slots)
				w.crowd.cfg.Limit.cpuSlots = make(chan struct{}, row.slots)
				stop, ended := make(chan struct{}), make(chan struct{})
				go func() {
					defer close(ended)
					ticker := time.NewTicker(20 * time.Millisecond)
					defer ticker.Stop()
					for {
						var due time.Time
						select {
						case <-stop:
							return
						case due = <-ticker.C:
						}
						shardFrame(b, stream, conn)
						took := time.Since(due)
						worst, all, frames = max(worst, took), all+took, frames+1
					}
				}()
				waits := make([]func(), 300)
				for i := range waits {
					e, h := w.join(b, i)
					waits[i] = func() { <-e.ready; <-h.ready }
				}
				for _, wait := range waits {
					wait()
				}
				close(stop)
				<-ended
			}
			b.ReportMetric(float64(all.Microseconds())/float64(max(frames, 1)), "µs/frame")
			b.ReportMetric(float64(worst.Microseconds()), "µs-worst")
		})
	}
}

// shardFrame seals 2,500 packets and hands each 64 of them to the kernel.
func shardFrame(b *testing.B, st *srtp.Stream, conn *net.UDPConn) {
	header, _ := testPacket(b, 0, 9, nil)
	dst, payload := make([]byte, 0, 256), make([]byte, 80)
	for i := range 2500 {
		seq := uint16(0)
		if index, begun := st.Index(); begun {
			seq = uint16(index) + 1
		}
		binary.BigEndian.PutUint16(header[2:], seq)
		sealed := must(st.Seal(dst, header, payload))
		if i%4 == 0 { // as long in the kernel as sixteen in one call of sendmmsg
			_, _ = conn.WriteToUDPAddrPort(sealed, netip.MustParseAddrPort("127.0.0.1:9"))
		}
	}
}
