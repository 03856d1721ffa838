package lite

import (
	"net/netip"
	"sync"
	"testing"
	"time"

	"github.com/pion/rtcp"
	"github.com/stretchr/testify/require"

	"github.com/earshot-audio/earshot/internal/sdp"
)

// wire connects a server with many clients in memory, so that the figures are
// of this package and not of the system's sockets.
type memoryNetwork struct {
	server    *Server
	crowd     *ClientGroup
	serverAt  netip.AddrPort
	toServer  chan memoryDatagram
	toClients chan memoryDatagram
	mu        sync.RWMutex
	clients   map[netip.AddrPort]*Client
	stop      chan struct{}
	done      sync.WaitGroup
}

type memoryDatagram struct {
	b  []byte
	at netip.AddrPort // from, or to
}

func newMemoryNetwork(tb testing.TB, readers int) *memoryNetwork {
	w := &memoryNetwork{serverAt: netip.MustParseAddrPort("127.0.0.1:1"), toServer: make(chan memoryDatagram, 1<<16),
		toClients: make(chan memoryDatagram, 1<<16), clients: map[netip.AddrPort]*Client{}, stop: make(chan struct{})}
	w.server = must(NewServer(ServerConfig{Certificate: must(NewCertificate(time.Now())),
		Send: SenderFunc(func(b []byte, to netip.AddrPort) { w.push(w.toClients, b, to) })}))
	w.crowd = must(NewClientGroup(ClientGroupConfig{Certificate: must(NewCertificate(time.Now()))}))
	for range readers {
		w.done.Go(func() {
			w.pull(w.toServer, func(p memoryDatagram) { w.server.Handle(p.b, p.at, time.Now(), nil) })
		})
	}
	w.done.Go(func() {
		w.pull(w.toClients, func(p memoryDatagram) {
			w.mu.RLock()
			c := w.clients[p.at]
			w.mu.RUnlock()
			if c != nil {
				c.Handle(p.b, w.serverAt, time.Now())
			}
		})
	})
	tb.Cleanup(func() {
		w.crowd.Close()
		w.server.Close()
		close(w.stop)
		w.done.Wait()
	})
	return w
}

func (w *memoryNetwork) push(to chan memoryDatagram, b []byte, at netip.AddrPort) {
	select {
	case to <- memoryDatagram{append([]byte(nil), b...), at}:
	case <-w.stop:
	}
}

func (w *memoryNetwork) pull(from chan memoryDatagram, handle func(memoryDatagram)) {
	for {
		select {
		case p := <-from:
			handle(p)
		case <-w.stop:
			return
		}
	}
}

func clientAddr(i int) netip.AddrPort {
	return netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 1, byte(i >> 8), byte(i)}), 9)
}

// join connects a client with the given number.
func (w *memoryNetwork) join(tb testing.TB, i int) (*peerRecorder, *clientRecorder) {
	at := clientAddr(i)
	e, h, local, remote := newPeerRecorder(nil), newClientRecorder(), sdp.NewCredentials(), sdp.NewCredentials()
	h.rtp, h.rtcp, e.rtcp = nil, nil, nil // of thousands
	_, err := w.server.Add(PeerConfig{Local: local, Remote: remote, Fingerprint: w.crowd.cfg.Certificate.Fingerprint(), Events: e}, time.Now())
	require.NoError(tb, err)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.clients[at], err = w.crowd.Connect(ClientConfig{Local: remote, Remote: local, Fingerprint: w.server.cfg.Certificate.Fingerprint(),
		Server: w.serverAt, Events: h,
		Send: SenderFunc(func(b []byte, _ netip.AddrPort) { w.push(w.toServer, b, at) })}, time.Now())
	require.NoError(tb, err)
	return e, h
}

// Datagrams of one peer may reach any of a server's sockets: shards share it.
func TestServerHandleIsConcurrent(t *testing.T) {
	w := newMemoryNetwork(t, 4)
	every(t, w.crowd.Tick)
	every(t, w.server.Tick)
	var all sync.WaitGroup
	report := must(rtcp.Marshal([]rtcp.Packet{&rtcp.ReceiverReport{SSRC: 1}}))
	for i := range 30 {
		e, h := w.join(t, i)
		all.Go(func() {
			within(t, e.ready, "the server's readiness")
			within(t, h.ready, "the client's readiness")
			w.mu.RLock()
			c := w.clients[clientAddr(i)]
			w.mu.RUnlock()
			for range 10 {
				if c.SendRTCP(report) != nil {
					t.Error("a report could not be sent")
				}
			}
			if i%2 == 0 {
				c.Close()
				_ = within(t, e.closed, "the peer's end")
			}
		})
	}
	all.Wait()
	require.Equal(t, 15, w.server.Stats().Peers)
	require.Equal(t, 15, w.crowd.Clients())
}
