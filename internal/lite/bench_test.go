//go:build unix

package lite

import (
	"encoding/binary"
	"net/netip"
	"runtime"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/pion/ice/v4"
	"github.com/stretchr/testify/require"

	"github.com/earshot-audio/earshot/internal/sdp"
	"github.com/earshot-audio/earshot/internal/srtp"
)

func cpu(tb testing.TB) time.Duration {
	var u syscall.Rusage
	require.NoError(tb, syscall.Getrusage(syscall.RUSAGE_SELF, &u))
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkJoin connects clients, 64 at a time: ICE and DTLS of both sides.
func BenchmarkJoin(b *testing.B) {
	w := newMemoryNetwork(b, 1)
	slots := make(chan struct{}, 64)
	var all sync.WaitGroup
	b.ReportAllocs()
	b.ResetTimer()
	before := cpu(b)
	for i := range b.N {
		slots <- struct{}{}
		e, h := w.join(b, i)
		all.Go(func() {
			<-e.ready
			<-h.ready
			<-slots
		})
	}
	all.Wait()
	b.ReportMetric(float64(cpu(b)-before)/1e3/float64(b.N), "cpu-µs/join")
}

// BenchmarkHeap weighs a connected peer of a server, and a connected client.
func BenchmarkHeap(b *testing.B) {
	heap := func() float64 {
		runtime.GC()
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return float64(m.HeapAlloc)
	}
	for b.Loop() {
		const n = 2000
		w := newMemoryNetwork(b, 1)
		type owner struct {
			e *peerRecorder
			h *clientRecorder
		}
		owners := make([]owner, n)
		for i := 0; i < n; i += 50 {
			for j := i; j < i+50; j++ {
				owners[j].e, owners[j].h = w.join(b, j)
			}
			for j := i; j < i+50; j++ {
				<-owners[j].e.ready
				<-owners[j].h.ready
			}
		}
		streams := make([]*srtp.Stream, n)
		all := heap()
		for i := range owners {
			streams[i] = owners[i].e.stream(b, 9)
		}
		withStreams := heap()
		w.mu.Lock()
		for _, c := range w.clients {
			c.CloseSilently()
		}
		clear(w.clients)
		w.mu.Unlock()
		for i := range owners {
			owners[i].h = nil
		}
		servers := heap()
		for _, p := range w.server.demux.appendPeers(nil) {
			p.cfg.Events = nil
			p.cfg.Fingerprint = p.cfg.Fingerprint[:0]
		}
		b.ReportMetric((withStreams-all)/n, "B/stream")
		b.ReportMetric((withStreams-servers)/n, "B/client+its-test")
		w.server.Close()
		sealers := heap()
		b.ReportMetric((servers-sealers)/n, "B/peer-without-sealer")
		for i := range owners {
			owners[i].e.sealer = nil
			streams[i] = nil
		}
		b.ReportMetric((sealers-heap())/n, "B/sealer+stream")
		runtime.KeepAlive(owners)
		runtime.KeepAlive(streams)
	}
}

// BenchmarkCheck answers consent checks of 5,000 peers.
func BenchmarkCheck(b *testing.B) {
	const n = 5000
	s := must(NewServer(ServerConfig{Certificate: must(NewCertificate(time.Now())), Send: SenderFunc(func([]byte, netip.AddrPort) {})}))
	defer s.Close()
	now := time.Now()
	checks, at := make([][]byte, n), make([]netip.AddrPort, n)
	for i := range n {
		local, remote := sdp.NewCredentials(), sdp.NewCredentials()
		must(s.Add(PeerConfig{Local: local, Remote: remote, Fingerprint: s.cfg.Certificate.Fingerprint(), Events: newPeerRecorder(nil)}, now))
		checks[i] = pionCheck(b, local.Ufrag, remote.Ufrag, local.Pwd, ice.AttrControlling(1), ice.UseCandidate())
		at[i] = clientAddr(i)
		s.Handle(checks[i], at[i], now, nil)
	}
	b.ReportAllocs()
	b.ResetTimer()
	for i := range b.N {
		s.Handle(checks[i%n], at[i%n], now, nil)
	}
}

// BenchmarkOpen opens the packets of 5,000 clients, as their socket's reader does.
func BenchmarkOpen(b *testing.B) {
	for _, p := range srtp.DefaultProfiles() {
		b.Run(p.String(), func(b *testing.B) {
			const n = 5000
			streams, clients := make([]*srtp.Stream, n), make([]*Client, n)
			from, now := netip.MustParseAddrPort("127.0.0.1:9"), time.Now()
			for i := range n {
				key, salt := randomBytes(p.KeyLen()), randomBytes(p.SaltLen())
				streams[i] = must(openStream(must(srtp.NewSealer(p, key, salt)), 9))
				clients[i] = &Client{cfg: ClientConfig{Server: from, Events: ignoreEvents{}}}
				clients[i].opener.Store(must(srtp.NewOpener(p, key, salt)))
			}
			header, _ := testPacket(b, 0, 9, nil)
			payload, sealed := randomBytes(80), make([][]byte, n)
			for i := range sealed {
				sealed[i] = make([]byte, 0, 256)
			}
			b.ReportAllocs()
			b.ResetTimer()
			for i := range b.N {
				if i%n == 0 {
					b.StopTimer()
					binary.BigEndian.PutUint16(header[2:], uint16(i/n))
					for j := range n {
						sealed[j] = must(streams[j].Seal(sealed[j][:0], header, payload))
					}
					b.StartTimer()
				}
				clients[i%n].Handle(sealed[i%n], from, now)
			}
		})
	}
}

// nobody listens.
type ignoreEvents struct{ ClientEvents }

func (ignoreEvents) RTP(*Client, []byte, uint64, time.Time) {}

// BenchmarkTick looks through 5,000 peers.
func BenchmarkTick(b *testing.B) {
	s := must(NewServer(ServerConfig{Certificate: must(NewCertificate(time.Now())), Send: SenderFunc(func([]byte, netip.AddrPort) {})}))
	defer s.Close()
	now := time.Now()
	for range 5000 {
		must(s.Add(PeerConfig{Local: sdp.NewCredentials(), Remote: sdp.NewCredentials(), Fingerprint: s.cfg.Certificate.Fingerprint(), Events: newPeerRecorder(nil)}, now))
	}
	b.ReportAllocs()
	b.ResetTimer()
	for b.Loop() {
		s.Tick(now)
	}
}
