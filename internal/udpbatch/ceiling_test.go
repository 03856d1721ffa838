package udpbatch

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/binary"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/earshot-audio/earshot/internal/packet"
)

// BenchmarkCeiling is the most that a server in Go could do on one core of this
// machine: a packet for each of 5,000 listeners, with a key and an address of
// their own, to sockets that are drained. "send" is sendmmsg alone, "sealed"
// with AES-128-GCM before it; there is no server in it. packets/core is by the
// processor time of the sending thread, with what the kernel does in it to
// deliver over the loopback.
func BenchmarkCeiling(b *testing.B) {
	b.Run("send", func(b *testing.B) { benchmarkCeiling(b, false) })
	b.Run("sealed", func(b *testing.B) { benchmarkCeiling(b, true) })
}

func benchmarkCeiling(b *testing.B, sealed bool) {
	const header, tag, batch = 24, 16, 64
	addresses, drained := sinks(b, Options{})
	c := listen(b, "127.0.0.1:0", Options{Gather: time.Millisecond})
	keys := make([]cipher.AEAD, peers)
	for i := range keys {
		var key [16]byte
		_, _ = rand.Read(key[:])
		block, err := aes.NewCipher(key[:])
		require.NoError(b, err)
		keys[i], err = cipher.NewGCM(block)
		require.NoError(b, err)
	}
	arena, err := packet.NewArena(batch * 2 * payload)
	require.NoError(b, err)
	ms := make([]Message, batch)
	speech := make([]byte, payload-header-tag)
	var nonce [12]byte
	next, round := 0, uint64(0)
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	b.ReportAllocs()
	b.ResetTimer()
	start := threadTime()
	for sent := 0; sent < b.N; {
		arena.Reset()
		for i := range ms {
			buf := arena.Take(payload)
			if sealed {
				binary.BigEndian.PutUint64(nonce[4:], round)
				keys[next].Seal(buf[:header], nonce[:], speech, buf[:header])
			}
			ms[i].Buf, ms[i].Addr = buf, addresses[next]
			if next++; next == peers {
				next, round = 0, round+1
			}
		}
		n, err := c.WriteBatch(ms[:min(batch, b.N-sent)])
		if err != nil {
			b.Fatal(err)
		}
		sent += n
	}
	b.StopTimer()
	spent := threadTime() - start
	b.ReportMetric(float64(spent.Nanoseconds())/float64(b.N), "cpu-ns/packet")
	b.ReportMetric(float64(b.N)/spent.Seconds(), "packets/core")
	b.ReportMetric(float64(drained())/float64(b.N), "drained")
}
