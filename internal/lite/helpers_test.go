package lite

import (
	"bytes"
	"crypto/rand"
	"net"
	"net/netip"
	"sync"
	"testing"
	"time"

	"github.com/pion/rtp"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/earshot-audio/earshot/internal/sdp"
	"github.com/earshot-audio/earshot/internal/srtp"
)

// patience is how long something that has to happen may take on a busy machine.
const patience = 30 * time.Second

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// port is a real socket on loopback whose datagrams go to a function.
type testSocket struct {
	conn *net.UDPConn
	done chan struct{}

	mu   sync.Mutex
	drop func(b []byte) bool // of what is sent
}

func openTestSocket(t testing.TB) *testSocket {
	t.Helper()
	conn, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	require.NoError(t, err)
	require.NoError(t, conn.SetReadBuffer(4<<20))
	return &testSocket{conn: conn, done: make(chan struct{})}
}

// serve begins to read.
func (p *testSocket) serve(t testing.TB, handle func(b []byte, from netip.AddrPort, now time.Time)) {
	go func() {
		defer close(p.done)
		b := make([]byte, 2048)
		for {
			n, from, err := p.conn.ReadFromUDPAddrPort(b)
			if err != nil {
				return
			}
			handle(b[:n], from, time.Now())
		}
	}()
	t.Cleanup(func() {
		_ = p.conn.Close()
		<-p.done
	})
}

func (p *testSocket) addr() netip.AddrPort {
	return unmap(p.conn.LocalAddr().(*net.UDPAddr).AddrPort())
}

// losing makes the port lose what f says yes to.
func (p *testSocket) losing(f func(b []byte) bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.drop = f
}

func (p *testSocket) Send(b []byte, to netip.AddrPort) {
	p.mu.Lock()
	lost := p.drop != nil && p.drop(b)
	p.mu.Unlock()
	if !lost {
		_, _ = p.conn.WriteToUDPAddrPort(b, to)
	}
}

// every calls f each few milliseconds until the test ends.
func every(t testing.TB, f func(now time.Time)) {
	stop, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		tick := time.NewTicker(5 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case now := <-tick.C:
				f(now)
			case <-stop:
				return
			}
		}
	}()
	t.Cleanup(func() { close(stop); <-done })
}

// ear records what happens to a server's peer.
type peerRecorder struct {
	ready  chan struct{}
	moved  chan netip.AddrPort
	rtcp   chan []byte
	closed chan error

	mu     sync.Mutex
	to     netip.AddrPort
	sealer *srtp.Sealer
	send   Sender
}

func newPeerRecorder(send Sender) *peerRecorder {
	return &peerRecorder{ready: make(chan struct{}), moved: make(chan netip.AddrPort, 10), rtcp: make(chan []byte, 1000),
		closed: make(chan error, 2), send: send}
}

func (e *peerRecorder) Ready(_ *Peer, to netip.AddrPort, s *srtp.Sealer) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.to, e.sealer = to, s
	close(e.ready)
}

func (e *peerRecorder) Moved(_ *Peer, to netip.AddrPort) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.to = to
	e.moved <- to
}

func (e *peerRecorder) RTCP(_ *Peer, packet []byte, _ time.Time) {
	select {
	case e.rtcp <- bytes.Clone(packet):
	default:
	}
}

func (e *peerRecorder) Closed(_ *Peer, reason error) { e.closed <- reason }

// stream opens a stream for sending.
func (e *peerRecorder) stream(t testing.TB, ssrc uint32) *srtp.Stream {
	e.mu.Lock()
	defer e.mu.Unlock()
	st, err := openStream(e.sealer, ssrc)
	require.NoError(t, err)
	return st
}

// speak seals a packet and sends it where the peer is.
func (e *peerRecorder) speak(t testing.TB, st *srtp.Stream, seq uint16, payload []byte) (plain []byte) {
	t.Helper()
	e.mu.Lock()
	defer e.mu.Unlock()
	header, plain := testPacket(t, seq, st.SSRC(), payload)
	sealed, err := st.Seal(make([]byte, 0, 1500), header, payload)
	require.NoError(t, err)
	e.send.Send(sealed, e.to)
	return plain
}

// heard records what happens to a client.
type clientRecorder struct {
	ready  chan struct{}
	rtp    chan []byte
	rtcp   chan []byte
	closed chan error

	mu      sync.Mutex
	refused []error
}

func newClientRecorder() *clientRecorder {
	return &clientRecorder{ready: make(chan struct{}), rtp: make(chan []byte, 1000), rtcp: make(chan []byte, 100), closed: make(chan error, 2)}
}

func (h *clientRecorder) Ready(*Client) { close(h.ready) }
func (h *clientRecorder) RTP(_ *Client, packet []byte, _ uint64, _ time.Time) {
	h.rtp <- bytes.Clone(packet)
}
func (h *clientRecorder) RTCP(_ *Client, packet []byte, _ time.Time) { h.rtcp <- bytes.Clone(packet) }
func (h *clientRecorder) Refused(_ *Client, err error, _ time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.refused = append(h.refused, err)
}
func (h *clientRecorder) Closed(_ *Client, reason error) { h.closed <- reason }

// within takes something from a channel, or fails.
func within[T any](t testing.TB, c <-chan T, what string) T {
	t.Helper()
	select {
	case v := <-c:
		return v
	case <-time.After(patience):
		require.FailNow(t, what+" did not happen")
		panic("not reached")
	}
}

// testServer is a lite server on a port of its own.
type testServer struct {
	*Server
	port *testSocket
	cert *Certificate
}

func newTestServer(t testing.TB, tune ...func(*ServerConfig)) *testServer {
	t.Helper()
	s := &testServer{port: openTestSocket(t), cert: must(NewCertificate(time.Now()))}
	cfg := ServerConfig{Certificate: s.cert, Send: s.port}
	for _, f := range tune {
		f(&cfg)
	}
	var err error
	s.Server, err = NewServer(cfg)
	require.NoError(t, err)
	s.port.serve(t, func(b []byte, from netip.AddrPort, now time.Time) { s.Handle(b, from, now, nil) })
	t.Cleanup(s.Server.Close)
	return s
}

// testClients is a group of clients, each with a socket of its own.
type testClients struct {
	*ClientGroup
	cert *Certificate
}

func newTestClients(t testing.TB, tune ...func(*ClientGroupConfig)) *testClients {
	t.Helper()
	a := &testClients{cert: must(NewCertificate(time.Now()))}
	cfg := ClientGroupConfig{Certificate: a.cert}
	for _, f := range tune {
		f(&cfg)
	}
	var err error
	a.ClientGroup, err = NewClientGroup(cfg)
	require.NoError(t, err)
	every(t, a.Tick)
	t.Cleanup(a.ClientGroup.Close)
	return a
}

// pair is a lite client of a lite server.
type connectedPair struct {
	peer   *Peer
	ear    *peerRecorder
	client *Client
	heard  *clientRecorder
	port   *testSocket // the client's
}

// join connects a client; port may be made by the test beforehand.
func join(t testing.TB, s *testServer, a *testClients, p *testSocket) *connectedPair {
	t.Helper()
	if p == nil {
		p = openTestSocket(t)
	}
	x := &connectedPair{ear: newPeerRecorder(s.port), heard: newClientRecorder(), port: p}
	server, client := sdp.NewCredentials(), sdp.NewCredentials()
	var err error
	x.peer, err = s.Add(PeerConfig{Local: server, Remote: client, Fingerprint: a.cert.Fingerprint(), Events: x.ear}, time.Now())
	require.NoError(t, err)
	ready := make(chan struct{})
	p.serve(t, func(b []byte, from netip.AddrPort, now time.Time) {
		<-ready
		x.client.Handle(b, from, now)
	})
	x.client, err = a.Connect(ClientConfig{Local: client, Remote: server, Fingerprint: s.cert.Fingerprint(),
		Server: s.port.addr(), Send: p, Events: x.heard}, time.Now())
	require.NoError(t, err)
	close(ready)
	return x
}

func (x *connectedPair) waitReady(t testing.TB) {
	t.Helper()
	within(t, x.heard.ready, "the client's readiness")
	within(t, x.ear.ready, "the server's readiness")
	x.waitKeys(t)
}

// waitKeys waits until the client opens what comes, rather than keep it for the
// next datagram.
func (x *connectedPair) waitKeys(t testing.TB) {
	t.Helper()
	require.Eventually(t, func() bool { return x.client.opener.Load() != nil }, patience, time.Millisecond)
}

func randomBytes(n int) []byte {
	b := make([]byte, n)
	_, _ = rand.Read(b)
	return b
}

// packet builds an RTP packet with a CSRC and a header extension, as ears get.
func testPacket(t testing.TB, seq uint16, ssrc uint32, payload []byte) (header, whole []byte) {
	t.Helper()
	h := rtp.Header{Version: 2, Marker: seq%7 == 0, PayloadType: 111, SequenceNumber: seq,
		Timestamp: uint32(seq) * 960, SSRC: ssrc, CSRC: []uint32{7}}
	require.NoError(t, h.SetExtension(1, []byte{0x85}))
	header, err := h.Marshal()
	require.NoError(t, err)
	return header, append(bytes.Clone(header), payload...)
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// openStream makes a stream that can seal packets again.
func openStream(s *srtp.Sealer, ssrc uint32) (*srtp.Stream, error) {
	st := new(srtp.Stream)
	if err := s.Stream(st, ssrc); err != nil {
		return nil, err
	}
	st.Remember()
	return st, nil
}
