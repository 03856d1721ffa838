package lite

import (
	"net/netip"
	"testing"
	"time"

	"github.com/pion/ice/v4"
	"github.com/pion/stun/v4"
	"github.com/pion/webrtc/v4"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/earshot-audio/earshot/internal/sdp"
)

// TestRestartLosesNoPacket restarts ICE of a client that hears, several times and without a
// pause of what it hears.
func TestRestartLosesNoPacket(t *testing.T) {
	s, a := newTestServer(t), newTestClients(t)
	x := join(t, s, a, nil)
	x.waitReady(t)
	st, seq := x.ear.stream(t, 42), uint16(0)
	hear := func() {
		seq++
		plain := x.ear.speak(t, st, seq, []byte("speech"))
		require.Equal(t, plain, within(t, x.heard.rtp, "a packet"))
	}
	hear()
	old := x.peer.cfg.Local
	for range 3 {
		local, remote := sdp.NewCredentials(), sdp.NewCredentials()
		require.NoError(t, x.peer.Restart(local, remote))
		hear()
		before := x.peer.LastSeen()
		require.NoError(t, x.client.Restart(remote, local, time.Now()))
		hear()
		require.Eventually(t, func() bool { return x.peer.LastSeen().After(before) }, patience, time.Millisecond)
		hear()
		assert.Equal(t, ServerStats{Peers: 1, Addresses: 1}, s.Stats())
	}
	require.Eventually(t, x.client.Settled, patience, time.Millisecond)
	named, _, _ := s.demux.lookupCheck([]byte(old.Ufrag), loopback(1))
	assert.Nil(t, named, "the first session is forgotten")
	assert.Equal(t, 1, s.demux.names())
	assert.Empty(t, x.ear.moved, "it is where it was")
	x.client.Close()
	assert.ErrorIs(t, within(t, x.ear.closed, "the peer's end"), ErrPeerClosed)
	assert.Zero(t, s.demux.names())
}

// names is how many user name fragments are known.
func (d *demux) names() int {
	d.mu.RLock()
	defer d.mu.RUnlock()
	return len(d.byUfrag)
}

// TestRestartOfPion has a client of pion/webrtc restart ICE, which it does on other sockets.
func TestRestartOfPion(t *testing.T) {
	s, f := newTestServer(t), newPionPeer(t)
	p, e, packets := listenWith(t, s, f)
	f.reach(t, webrtc.PeerConnectionStateConnected)
	within(t, e.ready, "the server's readiness")
	st := e.stream(t, 42)
	e.speak(t, st, 1, []byte("speech"))
	within(t, packets, "a packet")

	remote, _ := identity(t, f.describe(t, must(f.CreateOffer(&webrtc.OfferOptions{ICERestart: true}))))
	local := sdp.NewCredentials()
	require.NoError(t, p.Restart(local, remote))
	require.NoError(t, f.SetRemoteDescription(webrtc.SessionDescription{Type: webrtc.SDPTypeAnswer,
		SDP: litesdp(local, s.cert.Fingerprint(), s.port.addr(), true, "passive", "sendonly", 42)}))
	moved := within(t, e.moved, "the move")
	assert.Equal(t, p.Addr(), moved)
	e.speak(t, st, 2, []byte("speech"))
	assert.EqualValues(t, 2, within(t, packets, "a packet").SequenceNumber)
	assert.Equal(t, 1, s.Stats().Peers)
	assert.Empty(t, e.closed)
}

// TestRestartCredentials says which checks count when.
func TestRestartCredentials(t *testing.T) {
	for _, row := range []struct {
		what string
		// of reports whose checks are answered, with the session's credentials of before and after.
		first, again bool
		play         func(t *testing.T, d *drivenPeer, again *drivenPeer)
	}{
		{what: "before any restart", first: true, play: func(_ *testing.T, d, again *drivenPeer) {
			d.s.demux.mu.Lock()
			defer d.s.demux.mu.Unlock()
			delete(d.s.demux.byUfrag, again.local.Ufrag)
			d.route.next = nil
		}},
		{what: "a restart whose client has not come", first: true, again: true},
		{what: "one whose client has checked and not nominated", first: true, again: true, play: func(t *testing.T, _, again *drivenPeer) {
			again.check(t, loopback(1))
		}},
		{what: "one whose client has nominated", again: true, play: func(t *testing.T, _, again *drivenPeer) {
			again.check(t, loopback(1), ice.UseCandidate())
		}},
		{what: "one that another took the place of", first: true, play: func(t *testing.T, d, _ *drivenPeer) {
			require.NoError(t, d.Restart(sdp.NewCredentials(), sdp.NewCredentials()))
		}},
		{what: "one whose check was forged", first: true, again: true, play: func(t *testing.T, d, again *drivenPeer) {
			d.s.Handle(pionCheck(t, again.local.Ufrag, again.remote.Ufrag, d.local.Pwd, ice.AttrControlling(1), ice.UseCandidate()),
				loopback(2), d.now, d.out)
		}},
		{what: "a session that has ended", play: func(_ *testing.T, d, _ *drivenPeer) { d.Close() }},
	} {
		t.Run(row.what, func(t *testing.T) {
			s, out := newDrivenServer(t)
			d := newDrivenPeer(t, s, out)
			d.check(t, loopback(1), ice.UseCandidate())
			again := &drivenPeer{Peer: d.Peer, s: s, out: out, local: sdp.NewCredentials(), remote: sdp.NewCredentials(), now: d.now}
			require.NoError(t, d.Restart(again.local, again.remote))
			if row.play != nil {
				row.play(t, d, again)
			}
			answered := func(x *drivenPeer) bool {
				sent := &sentKinds{}
				s.Handle(pionCheck(t, x.local.Ufrag, x.remote.Ufrag, x.local.Pwd, ice.AttrControlling(1)), loopback(1), d.now, sent)
				return len(sent.list) > 0
			}
			assert.Equal(t, row.first, answered(d), "the first credentials")
			assert.Equal(t, row.again, answered(again), "the others")
		})
	}
}

// TestRestartRefusals names what a restart needs.
func TestRestartRefusals(t *testing.T) {
	s, out := newDrivenServer(t)
	d, other := newDrivenPeer(t, s, out), newDrivenPeer(t, s, out)
	fresh := sdp.NewCredentials
	assert.Error(t, d.Restart(sdp.Credentials{}, fresh()))
	assert.Error(t, d.Restart(fresh(), sdp.Credentials{Ufrag: "abcd"}), "no password: its address could not be proven")
	assert.Error(t, d.Restart(fresh(), d.remote), "its credentials did not change")
	assert.Error(t, d.Restart(other.local, fresh()), "they are another's")
	d.Close()
	assert.ErrorIs(t, d.Restart(fresh(), fresh()), ErrClosed)
	assert.Len(t, s.demux.byUfrag, 1)
}

// TestRestartProvesAnotherAddress has a connected client restart and check from an address
// that does not answer: it gets little, and the client stays where it was until it does.
func TestRestartProvesAnotherAddress(t *testing.T) {
	s, a := newTestServer(t), newTestClients(t)
	x := join(t, s, a, nil)
	x.waitReady(t)
	home, away, out := x.peer.Addr(), loopback(9), newOutbox()
	d := &drivenPeer{Peer: x.peer, s: s.Server, out: out, local: sdp.NewCredentials(), remote: sdp.NewCredentials(), now: time.Now()}
	require.NoError(t, x.peer.Restart(d.local, d.remote))
	in := 0
	for range 10 {
		in += d.check(t, away, ice.UseCandidate())
	}
	assert.Equal(t, home, x.peer.Addr())
	assert.Less(t, out.bytes[away], maxAmplification*in)
	d.prove(t, away)
	assert.Equal(t, away, x.peer.Addr())
	assert.Equal(t, away, within(t, x.ear.moved, "the move"))
}

// TestRestartOfExternal answers the checks of another session itself, and lets the agent know
// of them as if they were of its own.
func TestRestartOfExternal(t *testing.T) {
	s, out := newDrivenServer(t)
	local, remote := sdp.NewCredentials(), sdp.NewCredentials()
	var got [][]byte
	x := must(s.AddExternal(local, remote, func(b []byte, _ netip.AddrPort) { got = append(got, append([]byte(nil), b...)) }))
	now := time.Now()
	s.Handle(pionCheck(t, local.Ufrag, remote.Ufrag, local.Pwd, ice.AttrControlling(7), ice.UseCandidate()), loopback(1), now, out)
	require.Len(t, got, 1)
	response := func(to sdp.Credentials) []byte {
		return must(stun.Build(stun.TransactionID, stun.BindingSuccess, stun.NewShortTermIntegrity(to.Pwd), stun.Fingerprint)).Raw
	}
	assert.True(t, x.MaySend(response(local), loopback(1)), "the agent answers its own checks")

	again, client := sdp.NewCredentials(), sdp.NewCredentials()
	require.NoError(t, x.Restart(again, client))
	sent := &sentKinds{}
	s.Handle(pionCheck(t, again.Ufrag, client.Ufrag, again.Pwd, ice.AttrControlling(7)), loopback(2), now, sent)
	assert.Len(t, sent.list, 1, "it is answered")
	assert.Len(t, got, 1, "the agent must not answer, too")
	assert.True(t, x.MaySend(response(local), loopback(1)), "the first session goes on")

	s.Handle(pionCheck(t, again.Ufrag, client.Ufrag, again.Pwd, ice.AttrControlling(7), ice.UseCandidate()), loopback(2), now, sent)
	assert.Len(t, sent.list, 2)
	require.Len(t, got, 2)
	var m stunMessage
	require.True(t, m.parse(got[1]))
	to, by, _ := m.usernames()
	assert.Equal(t, []string{local.Ufrag, remote.Ufrag}, []string{string(to), string(by)})
	assert.True(t, m.authentic(new(stunHMACPool).get(), local.Pwd), "as the agent's own")
	assert.True(t, m.useCandidate && m.controlling && m.tiebreaker == 7 && m.fingerprinted)
	assert.False(t, x.MaySend(response(local), loopback(2)), "the server has answered")
	unknown := s.Stats().Unknown
	s.Handle(pionCheck(t, local.Ufrag, remote.Ufrag, local.Pwd, ice.AttrControlling(7)), loopback(1), now, out)
	assert.Equal(t, unknown+1, s.Stats().Unknown, "the first session is over")
	s.Handle(pionCheck(t, again.Ufrag, client.Ufrag, local.Pwd, ice.AttrControlling(7)), loopback(3), now, sent)
	assert.Len(t, sent.list, 2, "a forged check gets no answer")
	x.Remove()
	assert.Empty(t, s.demux.byUfrag)
}

// TestRestartThatIsNeverAnswered has the server not know of the restart: the client hears on
// until its consent is over, since checks of the first session have ended.
func TestRestartThatIsNeverAnswered(t *testing.T) {
	s, a := newTestServer(t), newTestClients(t)
	x := join(t, s, a, nil)
	x.waitReady(t)
	require.NoError(t, x.client.Restart(sdp.NewCredentials(), sdp.NewCredentials(), time.Now()))
	assert.False(t, x.client.Settled())
	plain := x.ear.speak(t, x.ear.stream(t, 42), 1, []byte("speech"))
	require.Equal(t, plain, within(t, x.heard.rtp, "a packet"))
	x.client.tick(time.Now().Add(DefaultConsent / 2))
	assert.Empty(t, x.heard.closed)
	x.client.tick(time.Now().Add(2 * DefaultConsent))
	assert.ErrorIs(t, within(t, x.heard.closed, "the client's end"), ErrConsent)
	assert.ErrorIs(t, x.client.Restart(sdp.NewCredentials(), sdp.NewCredentials(), time.Now()), ErrClosed)
	assert.Error(t, x.client.Restart(sdp.Credentials{}, sdp.NewCredentials(), time.Now()))
}
