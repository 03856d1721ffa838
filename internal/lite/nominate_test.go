package lite

import (
	"bytes"
	"context"
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/pion/ice/v4"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/earshot-audio/earshot/internal/sdp"
)

// sentKinds lists what a server has sent since it was last asked.
type sentKinds struct{ list []uint16 }

func (k *sentKinds) Send(b []byte, _ netip.AddrPort) {
	var m stunMessage
	m.parse(b)
	k.list = append(k.list, m.kind)
}

// A client that nominates at its next round of checks does so at once when it gets a
// check from the other side for a pair that it knows to work: after the answer.
func TestCheckOfAClientThatJoinsGetsOneOfTheServersOwn(t *testing.T) {
	home, away := netip.MustParseAddrPort("192.0.2.1:1"), netip.MustParseAddrPort("192.0.2.1:2")
	just, both := []uint16{bindingSuccess}, []uint16{bindingSuccess, bindingRequest}
	for _, row := range []struct {
		what      string
		before    func(t *testing.T, d *drivenPeer)
		from      netip.AddrPort
		nominates bool
		want      []uint16
	}{
		{what: "the first check", from: home, want: both},
		{what: "one that nominates: no cause is missing", from: home, nominates: true, want: just},
		{what: "the second, from an address that has not answered", from: home, want: both, before: func(t *testing.T, d *drivenPeer) {
			d.check(t, home)
		}},
		{what: "one from an address that has answered", from: home, want: just, before: func(t *testing.T, d *drivenPeer) {
			d.check(t, home)
			d.prove(t, home)
		}},
		{what: "another address: the client may prefer that one", from: away, want: both, before: func(t *testing.T, d *drivenPeer) {
			d.check(t, home)
		}},
		{what: "a client whose handshake has begun", from: home, want: just, before: func(_ *testing.T, d *drivenPeer) {
			d.handshake = &pendingHandshake{pipe: newPipe(NewLimiter(1), func([]byte) {})}
		}},
		{what: "an offer without a password", from: home, want: just, before: func(_ *testing.T, d *drivenPeer) {
			d.route.session.remote.Pwd = ""
		}},
	} {
		t.Run(row.what, func(t *testing.T) {
			s, out := newDrivenServer(t)
			d := newDrivenPeer(t, s, out)
			if row.before != nil {
				row.before(t, d)
			}
			b := pionCheck(t, d.local.Ufrag, d.remote.Ufrag, d.local.Pwd, ice.AttrControlling(1))
			if row.nominates {
				b = pionCheck(t, d.local.Ufrag, d.remote.Ufrag, d.local.Pwd, ice.AttrControlling(1), ice.UseCandidate())
			}
			sent := &sentKinds{}
			s.Handle(b, row.from, d.now, sent)
			assert.Equal(t, row.want, sent.list)
		})
	}
}

// TestNominatedAddressThatHasAnsweredIsTakenAtOnce has a client check from two addresses
// and nominate the second.
func TestNominatedAddressThatHasAnsweredIsTakenAtOnce(t *testing.T) {
	s, out := newDrivenServer(t)
	d := newDrivenPeer(t, s, out)
	first, second := netip.MustParseAddrPort("192.0.2.1:1"), netip.MustParseAddrPort("192.0.2.1:2")
	for _, home := range []bool{false, true} { // whether the first answers as well
		d.check(t, first)
		d.check(t, second)
		d.prove(t, second)
		if home {
			d.prove(t, first)
		}
		assert.Equal(t, first, d.Addr(), "it has nominated none")
		d.check(t, second, ice.UseCandidate())
		assert.Equal(t, second, d.Addr())
		assert.True(t, d.current.proven, "it has answered")
		d.Close()
		d = newDrivenPeer(t, s, out)
	}
}

// TestPionClientIsGivenCauseToNominate lets an agent of pion/ice connect to a peer and
// to an agent that shares the port. Both addresses are proven before any handshake,
// which only an answer to a check of the server's own does.
func TestPionClientIsGivenCauseToNominate(t *testing.T) {
	t.Run("peer", func(t *testing.T) {
		s := newTestServer(t)
		local := sdp.NewCredentials()
		var p *Peer
		dialPion(t, local, s.port.addr(), func(remote sdp.Credentials) {
			p = must(s.Add(PeerConfig{Local: local, Remote: remote, Fingerprint: s.cert.Fingerprint(),
				Events: newPeerRecorder(s.port)}, time.Now()))
		})
		require.Eventually(t, func() bool {
			p.mu.Lock()
			defer p.mu.Unlock()
			return p.current.proven
		}, patience, time.Millisecond)
		p.Close()
	})
	t.Run("external agent", func(t *testing.T) {
		s := newTestServer(t)
		local := sdp.NewCredentials()
		var x *External
		dialPion(t, local, s.port.addr(), func(remote sdp.Credentials) {
			made := make(chan struct{})
			x = must(s.AddExternal(local, remote, func(b []byte, from netip.AddrPort) {
				b = bytes.Clone(b)
				go func() { // as an agent that answers
					<-made
					var m stunMessage
					if !m.parse(b) || m.kind != bindingRequest {
						return
					}
					answer := appendBindingSuccess(nil, new(stunHMACPool).get(), m.transaction, from, local.Pwd)
					x.MaySend(answer, from)
					s.port.Send(answer, from)
					x.Answered(answer, from, s.port)
				}()
			}))
			close(made)
		})
		require.Eventually(t, func() bool {
			x.mu.Lock()
			defer x.mu.Unlock()
			return x.proven.IsValid()
		}, patience, time.Millisecond)
		x.Remove()
	})
}

// dialPion connects an agent of pion/ice that controls to a lite server.
func dialPion(t *testing.T, server sdp.Credentials, at netip.AddrPort, accept func(client sdp.Credentials)) {
	t.Helper()
	a, err := ice.NewAgentWithOptions(ice.WithNetworkTypes([]ice.NetworkType{ice.NetworkTypeUDP4}),
		ice.WithIncludeLoopback(), ice.WithMulticastDNSMode(ice.MulticastDNSModeDisabled),
		ice.WithIPFilter(func(ip net.IP) bool { return ip.IsLoopback() }))
	require.NoError(t, err)
	t.Cleanup(func() { _ = a.GracefulClose() })
	gathered := make(chan struct{})
	require.NoError(t, a.OnCandidate(func(c ice.Candidate) {
		if c == nil {
			close(gathered)
		}
	}))
	require.NoError(t, a.GatherCandidates())
	<-gathered
	ufrag, pwd, err := a.GetLocalUserCredentials()
	require.NoError(t, err)
	accept(sdp.Credentials{Ufrag: ufrag, Pwd: pwd})
	c, err := ice.NewCandidateHost(&ice.CandidateHostConfig{Network: "udp", Address: at.Addr().String(), Port: int(at.Port()), Component: 1})
	require.NoError(t, err)
	require.NoError(t, a.AddRemoteCandidate(c))
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	_, err = a.Dial(ctx, server.Ufrag, server.Pwd)
	require.NoError(t, err)
}

// TestExternalAgentsClientIsAskedWithinTheBound has an agent answer checks that come
// from an address that never answers, and then one that does.
func TestExternalAgentsClientIsAskedWithinTheBound(t *testing.T) {
	s, out := newDrivenServer(t)
	remote, at := sdp.NewCredentials(), netip.MustParseAddrPort("192.0.2.1:1")
	x := must(s.AddExternal(sdp.Credentials{Ufrag: "micc", Pwd: password}, remote, func([]byte, netip.AddrPort) {}))
	answer := appendBindingSuccess(nil, new(stunHMACPool).get(), transactionID{}, at, password)
	in := 0
	for range 20 {
		b := checkFor(t, "micc:"+remote.Ufrag)
		in += len(b)
		s.Handle(b, at, time.Now(), nil)
		require.True(t, x.MaySend(answer, at))
		out.Send(answer, at)
		x.Answered(answer, at, out)
	}
	assert.Less(t, out.bytes[at], 3*in)
	t.Logf("%.2f bytes out for each in", float64(out.bytes[at])/float64(in))

	forged := sdp.NewCredentials()
	s.Handle(out.answerTo(t, at, forged), at, time.Now(), nil)
	assert.False(t, x.proven.IsValid(), "an answer with another password")
	s.Handle(out.answerTo(t, at, remote), loopback(9), time.Now(), nil)
	assert.False(t, x.proven.IsValid(), "an answer from elsewhere")
	s.Handle(out.answerTo(t, at, remote), at, time.Now(), nil)
	assert.Equal(t, at, x.proven)
	before := out.bytes[at]
	x.Answered(answer, at, out)
	assert.Equal(t, before, out.bytes[at], "it is known now")

	// A handshake that went to another address as well does not prove that one.
	flight := append([]byte{22}, make([]byte, 99)...)
	x.MaySend(flight, at)
	x.MaySend(flight, loopback(9))
	x.HandshakeDone()
	assert.Equal(t, at, x.proven)
}
