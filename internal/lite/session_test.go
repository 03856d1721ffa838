package lite

import (
	"net/netip"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pion/rtcp"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/earshot-audio/earshot/internal/dtls"
	"github.com/earshot-audio/earshot/internal/sdp"
	"github.com/earshot-audio/earshot/internal/srtp"
)

func TestClientWithServerInEveryProfile(t *testing.T) {
	for _, p := range srtp.DefaultProfiles() {
		t.Run(p.String(), func(t *testing.T) {
			s := newTestServer(t)
			a := newTestClients(t, func(c *ClientGroupConfig) { c.Profiles = []srtp.Profile{p} })
			x := join(t, s, a, nil)
			x.waitReady(t)
			assert.Equal(t, p, x.ear.sealer.Profile())
			assert.Equal(t, x.port.addr(), x.client.Mapped())
			assert.Equal(t, x.port.addr(), x.peer.Addr())

			st := x.ear.stream(t, 42)
			for seq := uint16(100); seq < 150; seq++ {
				plain := x.ear.speak(t, st, seq, randomBytes(int(seq)))
				require.Equal(t, plain, within(t, x.heard.rtp, "a packet"))
			}
			report := must(rtcp.Marshal([]rtcp.Packet{&rtcp.ReceiverReport{SSRC: 1}}))
			require.NoError(t, x.client.SendRTCP(report))
			require.Equal(t, report, within(t, x.ear.rtcp, "a receiver report"))
			report = must(rtcp.Marshal([]rtcp.Packet{&rtcp.SenderReport{SSRC: 42, PacketCount: 50}}))
			sealed, err := x.ear.sealer.SealRTCP(make([]byte, 0, 200), report)
			require.NoError(t, err)
			s.port.Send(sealed, x.ear.to)
			require.Equal(t, report, within(t, x.heard.rtcp, "a sender report"))
		})
	}
}

func TestServerPicksTheProfile(t *testing.T) {
	s := newTestServer(t)
	a := newTestClients(t, func(c *ClientGroupConfig) { c.Profiles = []srtp.Profile{srtp.CM128SHA1, srtp.GCM256, srtp.GCM128} })
	x := join(t, s, a, nil)
	x.waitReady(t)
	assert.Equal(t, srtp.GCM128, x.ear.sealer.Profile())
}

func TestClientCloseEndsThePeer(t *testing.T) {
	s, a := newTestServer(t), newTestClients(t)
	x := join(t, s, a, nil)
	x.waitReady(t)
	x.client.Close()
	assert.ErrorIs(t, within(t, x.ear.closed, "the peer's end"), ErrPeerClosed)
	assert.Zero(t, s.Stats().Peers)
	assert.Zero(t, s.Stats().Addresses)
	assert.Zero(t, a.Clients())
}

func TestPeerCloseEndsTheClient(t *testing.T) {
	s, a := newTestServer(t), newTestClients(t)
	x := join(t, s, a, nil)
	x.waitReady(t)
	x.peer.Close()
	assert.ErrorIs(t, within(t, x.heard.closed, "the client's end"), ErrPeerClosed)
	x.peer.Close() // once more does nothing
	assert.Empty(t, x.ear.closed, "the owner closed it himself")
}

func TestServerRefusesAnotherCertificate(t *testing.T) {
	s, a := newTestServer(t), newTestClients(t)
	shown := a.cert
	a.cert = must(NewCertificate(time.Now())) // what the SDP would say
	x := join(t, s, a, nil)
	assert.ErrorIs(t, within(t, x.ear.closed, "the peer's end"), ErrFingerprint)
	assert.ErrorIs(t, within(t, x.heard.closed, "the client's end"), ErrHandshake)
	a.cert = shown
	join(t, s, a, nil).waitReady(t)
}

func TestClientRefusesAnotherCertificate(t *testing.T) {
	s, a := newTestServer(t), newTestClients(t)
	s.cert = must(NewCertificate(time.Now()))
	x := join(t, s, a, nil)
	assert.ErrorIs(t, within(t, x.heard.closed, "the client's end"), ErrFingerprint)
	assert.ErrorIs(t, within(t, x.ear.closed, "the peer's end"), ErrHandshake)
}

// The server lets its connection go at once, and still helps a client that lost
// its last flight.
func TestLostLastFlightIsRetransmitted(t *testing.T) {
	s, a := newTestServer(t), newTestClients(t)
	var lost atomic.Int32
	s.port.losing(func(b []byte) bool {
		if b[0] != dtls.RecordChangeCipherSpec || lost.Load() == 2 {
			return false
		}
		lost.Add(1)
		return true
	})
	x := join(t, s, a, nil)
	x.waitReady(t)
	assert.EqualValues(t, 2, lost.Load())
	st := x.ear.stream(t, 42)
	x.ear.speak(t, st, 1, []byte("speech"))
	within(t, x.heard.rtp, "a packet")
	require.NoError(t, x.client.SendRTCP(must(rtcp.Marshal([]rtcp.Packet{&rtcp.ReceiverReport{SSRC: 1}}))))
	within(t, x.ear.rtcp, "a report")
	x.peer.mu.Lock()
	_, reply := x.peer.dtls.Handle(hello(t), time.Now().Add(time.Hour))
	x.peer.mu.Unlock()
	assert.Empty(t, reply, "the report proved that the flight arrived")
	x.peer.Close()
	assert.ErrorIs(t, within(t, x.heard.closed, "the client's end"), ErrPeerClosed)
}

func TestClientKeepsPacketsUntilItHasKeys(t *testing.T) {
	s, a := newTestServer(t), newTestClients(t)
	var lost atomic.Bool
	s.port.losing(func(b []byte) bool { return b[0] == dtls.RecordChangeCipherSpec && !lost.Swap(true) })
	x := join(t, s, a, nil)
	within(t, x.ear.ready, "the server's readiness")
	st := x.ear.stream(t, 42)
	var said [][]byte
	for seq := uint16(1); seq <= 10; seq++ { // the client's DTLS waits for the repetition
		said = append(said, x.ear.speak(t, st, seq, []byte("speech")))
	}
	within(t, x.heard.ready, "the client's readiness")
	x.waitKeys(t)
	said = append(said, x.ear.speak(t, st, 11, []byte("speech")))
	for _, plain := range said {
		require.Equal(t, plain, within(t, x.heard.rtp, "a packet"))
	}
}

func TestPeerFollowsAnAddressChange(t *testing.T) {
	s, a := newTestServer(t), newTestClients(t)
	x := join(t, s, a, nil)
	x.waitReady(t)
	st := x.ear.stream(t, 42)
	x.ear.speak(t, st, 1, []byte("speech"))
	within(t, x.heard.rtp, "a packet")

	elsewhere := openTestSocket(t)
	elsewhere.serve(t, x.client.Handle)
	x.port.losing(func([]byte) bool { return true })
	x.client.mu.Lock()
	x.client.cfg.Send = elsewhere
	x.client.mu.Unlock()
	assert.Equal(t, elsewhere.addr(), within(t, x.ear.moved, "the move")) // with the next consent check
	plain := x.ear.speak(t, st, 2, []byte("speech"))
	assert.Equal(t, plain, within(t, x.heard.rtp, "a packet"))
	require.NoError(t, x.client.SendRTCP(must(rtcp.Marshal([]rtcp.Packet{&rtcp.ReceiverReport{SSRC: 1}}))))
	within(t, x.ear.rtcp, "a report from the new address")
	x.client.Close()
	assert.ErrorIs(t, within(t, x.ear.closed, "the peer's end"), ErrPeerClosed)
}

func TestPeerEndsWithoutConsent(t *testing.T) {
	s, a := newTestServer(t), newTestClients(t)
	x := join(t, s, a, nil)
	x.waitReady(t)
	x.port.losing(func([]byte) bool { return true })
	last := x.peer.LastSeen()
	s.Tick(last.Add(DefaultConsent))
	assert.Empty(t, x.ear.closed, "thirty seconds are allowed")
	s.Tick(last.Add(DefaultConsent + time.Second))
	assert.ErrorIs(t, within(t, x.ear.closed, "the peer's end"), ErrConsent)
	assert.Zero(t, s.Stats().Peers)
	assert.ErrorIs(t, within(t, x.heard.closed, "the client's end"), ErrPeerClosed, "it is told")
}

func TestPeerThatNeverConnectsEnds(t *testing.T) {
	s := newTestServer(t)
	e, now := newPeerRecorder(s.port), time.Now()
	_, err := s.Add(PeerConfig{Local: sdp.NewCredentials(), Remote: sdp.NewCredentials(), Fingerprint: s.cert.Fingerprint(), Events: e}, now)
	require.NoError(t, err)
	s.Tick(now.Add(DefaultConsent + time.Second))
	assert.ErrorIs(t, within(t, e.closed, "the peer's end"), ErrConsent)
}

func TestClientEndsWithoutAnsweredChecks(t *testing.T) {
	cr := must(NewClientGroup(ClientGroupConfig{Certificate: must(NewCertificate(time.Now()))}))
	defer cr.Close()
	h, now := newClientRecorder(), time.Now()
	var sent []time.Duration
	clock := now
	_, err := cr.Connect(ClientConfig{Local: sdp.NewCredentials(), Remote: sdp.NewCredentials(),
		Fingerprint: cr.cfg.Certificate.Fingerprint(), Server: netip.MustParseAddrPort("127.0.0.1:9"), Events: h,
		Send: SenderFunc(func([]byte, netip.AddrPort) { sent = append(sent, clock.Sub(now)) })}, now)
	require.NoError(t, err)
	for len(h.closed) == 0 && clock.Sub(now) < time.Minute {
		clock = clock.Add(10 * time.Millisecond)
		cr.Tick(clock)
	}
	assert.ErrorIs(t, within(t, h.closed, "the end"), ErrNoCheck)
	// RFC 8489, section 6.2.1 with an RTO of 500 ms.
	ms := time.Millisecond
	assert.Equal(t, []time.Duration{0, 500 * ms, 1500 * ms, 3500 * ms, 7500 * ms, 15500 * ms, 31500 * ms}, sent)
	assert.Equal(t, 39500*ms, clock.Sub(now))
	assert.Empty(t, cr.timers.due)
}

func TestClientEndsWithoutConsent(t *testing.T) {
	s := newTestServer(t)
	cr := must(NewClientGroup(ClientGroupConfig{Certificate: must(NewCertificate(time.Now()))}))
	t.Cleanup(cr.Close)
	x := join(t, s, &testClients{ClientGroup: cr, cert: cr.cfg.Certificate}, nil) // its clock stands still
	x.waitReady(t)
	start := time.Now()
	s.port.losing(func(b []byte) bool { return b[0] < 4 }) // answers are lost
	var checks atomic.Int32
	x.port.losing(func(b []byte) bool {
		if b[0] < 4 {
			checks.Add(1)
		}
		return false
	})
	for at := time.Duration(0); at < 25*time.Second; at += 10 * time.Millisecond {
		cr.Tick(start.Add(at))
	}
	assert.GreaterOrEqual(t, checks.Load(), int32(8), "at least every 3 s")
	assert.LessOrEqual(t, checks.Load(), int32(13), "at most every 2 s")
	assert.Empty(t, x.heard.closed)
	for at := 25 * time.Second; at < 40*time.Second; at += 10 * time.Millisecond {
		cr.Tick(start.Add(at))
	}
	assert.ErrorIs(t, within(t, x.heard.closed, "the end"), ErrConsent)
}

// A process that is stopped (SIGSTOP), or whose machine sleeps, asks nothing and reads
// nothing meanwhile.
func TestPauseOfTheProcessIsNoTimeout(t *testing.T) {
	type group struct {
		*ClientGroup
		at time.Time
	}
	run := func(g *group, d time.Duration) {
		for end := g.at.Add(d); g.at.Before(end); {
			g.at = g.at.Add(10 * time.Millisecond)
			g.Tick(g.at)
		}
	}
	start := func(t *testing.T) *group {
		g := &group{must(NewClientGroup(ClientGroupConfig{Certificate: must(NewCertificate(time.Now()))})), time.Now()}
		t.Cleanup(g.Close)
		return g
	}
	for name, paused := range map[string]time.Duration{
		"as long as consent": DefaultConsent, "twice as long": 2 * DefaultConsent, "an hour": time.Hour,
	} {
		t.Run("of a client with consent: "+name, func(t *testing.T) {
			s, g := newTestServer(t), start(t)
			x := join(t, s, &testClients{ClientGroup: g.ClientGroup, cert: g.cfg.Certificate}, nil)
			x.waitReady(t)
			run(g, time.Second)
			s.port.losing(func(b []byte) bool { return b[0] < 4 }) // the answers are not read yet
			g.at = g.at.Add(paused)
			run(g, DefaultConsent-5*time.Second)
			assert.Empty(t, x.heard.closed, "the server had no time to answer")
			run(g, 10*time.Second)
			assert.ErrorIs(t, within(t, x.heard.closed, "the end"), ErrConsent, "now it had")
		})
		t.Run("of a client that is not connected: "+name, func(t *testing.T) {
			g, h := start(t), newClientRecorder()
			_, err := g.Connect(ClientConfig{Local: sdp.NewCredentials(), Remote: sdp.NewCredentials(),
				Fingerprint: g.cfg.Certificate.Fingerprint(), Server: netip.MustParseAddrPort("127.0.0.1:9"), Events: h,
				Send: SenderFunc(func([]byte, netip.AddrPort) {})}, g.at)
			require.NoError(t, err)
			run(g, 32*time.Second) // the last check is out
			g.at = g.at.Add(paused)
			run(g, 5*time.Second)
			assert.Empty(t, h.closed, "an answer may still come")
			run(g, 5*time.Second)
			assert.ErrorIs(t, within(t, h.closed, "the end"), ErrNoCheck)
		})
	}
}

func TestHandshakeTimeout(t *testing.T) {
	limit := NewLimiter(1)
	limit.slots <- struct{}{} // another handshake has the only place
	s := newTestServer(t, func(c *ServerConfig) { c.Limit, c.HandshakeTimeout = limit, 5*time.Second })
	a := newTestClients(t)
	x := join(t, s, a, nil)
	require.Eventually(t, func() bool {
		x.peer.mu.Lock()
		defer x.peer.mu.Unlock()
		return x.peer.handshake != nil
	}, patience, time.Millisecond)
	x.peer.mu.Lock()
	since := x.peer.handshake.since
	x.peer.mu.Unlock()
	s.Tick(since.Add(5 * time.Second))
	assert.Empty(t, x.ear.closed, "five seconds are allowed")
	s.Tick(since.Add(5*time.Second + 1))
	assert.ErrorIs(t, within(t, x.ear.closed, "the peer's end"), ErrHandshakeTimeout)
	x.client.Close()

	y := join(t, s, a, nil)
	require.Eventually(t, func() bool {
		y.peer.mu.Lock()
		defer y.peer.mu.Unlock()
		return y.peer.handshake != nil
	}, patience, time.Millisecond)
	<-limit.slots
	y.waitReady(t) // with what it sent while it waited
}

func TestStalledHandshakesGiveUpTheirSlots(t *testing.T) {
	s := newTestServer(t, func(c *ServerConfig) { c.Limit = NewLimiter(2) })
	a := newTestClients(t)
	var stalled []*connectedPair
	for range 5 { // more than there are places
		p := openTestSocket(t)
		p.losing(func(b []byte) bool { return b[0] == dtls.RecordHandshake && !dtls.IsHello(b) })
		stalled = append(stalled, join(t, s, a, p))
	}
	for _, x := range stalled {
		require.Eventually(t, func() bool {
			x.peer.mu.Lock()
			defer x.peer.mu.Unlock()
			return x.peer.handshake != nil
		}, patience, time.Millisecond)
	}
	join(t, s, a, nil).waitReady(t)
	for _, x := range stalled {
		assert.Empty(t, x.ear.ready, "they stall all the same")
		assert.Empty(t, x.ear.closed, "and have their full time")
	}
}

func TestManyClientsConnectThroughASmallLimit(t *testing.T) {
	s := newTestServer(t, func(c *ServerConfig) { c.Limit = NewLimiter(2) })
	a := newTestClients(t)
	var all []*connectedPair
	for range 40 {
		all = append(all, join(t, s, a, nil))
	}
	for _, x := range all {
		x.waitReady(t)
	}
	assert.Equal(t, 40, s.Stats().Peers)
	assert.Equal(t, 40, a.Clients())
	s.Server.Close()
	for _, x := range all {
		assert.ErrorIs(t, within(t, x.heard.closed, "a client's end"), ErrPeerClosed)
	}
	_, err := s.Add(PeerConfig{Local: sdp.NewCredentials(), Remote: sdp.NewCredentials(), Fingerprint: s.cert.Fingerprint(), Events: newPeerRecorder(s.port)}, time.Now())
	assert.ErrorIs(t, err, ErrClosed)
}
