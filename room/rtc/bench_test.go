package rtc

import (
	"crypto/rand"
	"fmt"
	"net"
	"net/netip"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/earshot-audio/earshot/internal/srtp"
	"github.com/earshot-audio/earshot/internal/udpbatch"
	"github.com/earshot-audio/earshot/room/fanout"
	"github.com/earshot-audio/earshot/room/mediaport"
)

// discard is a socket that sends nothing.
type discard struct{ packets, bytes atomic.Uint64 }

func (d *discard) WriteBatch(ms []udpbatch.Message) (int, error) {
	n := 0
	for i := range ms {
		n += len(ms[i].Buf)
		ms[i].N = len(ms[i].Buf)
	}
	d.packets.Add(uint64(len(ms)))
	d.bytes.Add(uint64(n))
	return len(ms), nil
}

// sealedEar is a lean ear with keys and without a connection.
func sealedEar(t testing.TB, profile srtp.Profile, to netip.AddrPort, sections int) *leanEndpoint {
	t.Helper()
	key, salt := make([]byte, profile.KeyLen()), make([]byte, profile.SaltLen())
	_, _ = rand.Read(key)
	_, _ = rand.Read(salt)
	sealer, err := srtp.NewSealer(profile, key, salt)
	require.NoError(t, err)
	return linked(t, sealer, to, sections)
}

// linked is a lean endpoint with the given keys.
func linked(t testing.TB, sealer *srtp.Sealer, to netip.AddrPort, sections int) *leanEndpoint {
	t.Helper()
	l := &leanEndpoint{cname: "bench", to: to, sealer: sealer, streams: make([]outboundStream, sections)}
	for i := range l.streams {
		v := &l.streams[i]
		*v = outboundStream{ssrc: l.newSSRC(), payload: 111, level: 1}
		require.NoError(t, sealer.Stream(&v.stream, v.ssrc))
		v.stream.Remember()
	}
	return l
}

// BenchmarkShard is one frame of one mic for 5,000 lean ears on one shard:
// sealed into a discarded batch, and sent to a socket that nobody reads.
func BenchmarkShard(b *testing.B) {
	const ears = 5000
	sink, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	require.NoError(b, err)
	defer func() { _ = sink.Close() }()
	to := sink.LocalAddr().(*net.UDPAddr).AddrPort()
	p, err := mediaport.Open(mediaport.Config{Address: "127.0.0.1:0", Sockets: 1})
	require.NoError(b, err)
	defer func() { _ = p.Close() }()
	for _, row := range []struct {
		name  string
		batch func() *sendBatch
	}{{"discarded", func() *sendBatch { return batchTo(&discard{}) }}, {"sent", func() *sendBatch { return batchOf(p, 0) }}} {
		for _, profile := range srtp.DefaultProfiles() {
			b.Run(fmt.Sprintf("%s/%s", row.name, profile), func(b *testing.B) {
				router := newRouter(b, fanout.Config{Queue: 1 << 20, MaxAge: time.Hour}, fanout.ShardsConfig{
					Count: 1, Prefetch: prefetchEars,
					NewSendBatch: func(int) fanout.SendBatch { return row.batch() },
				})
				for range ears {
					_, err := router.Subscribe(sealedEar(b, profile, to, 1), fanout.SubscribeOptions{Sections: 1})
					require.NoError(b, err)
				}
				m, err := router.Publish(1)
				require.NoError(b, err)
				payload := make([]byte, 80)
				done := func() uint64 { s := router.Stats(); return s.Sent + s.Failed }
				say := func(i int) {
					m.Push(fanout.Frame{Seq: uint16(i), Timestamp: uint32(960 * i), Level: 30, Payload: payload})
					for want := uint64(i+1) * ears; done() < want; {
						time.Sleep(20 * time.Microsecond)
					}
				}
				say(0)
				b.ReportAllocs()
				b.ResetTimer()
				for i := range b.N {
					say(i + 1)
				}
				b.StopTimer()
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*ears), "ns/packet")
				if row.name == "discarded" && router.Stats().Failed > 0 {
					b.Fatal("packets failed")
				}
			})
		}
	}
}
