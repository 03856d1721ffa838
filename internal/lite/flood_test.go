package lite

import (
	"bytes"
	"encoding/binary"
	"math/rand/v2"
	"net/netip"
	"runtime"
	"testing"
	"time"

	"github.com/pion/ice/v4"
	"github.com/pion/rtcp"
	"github.com/pion/stun/v4"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/earshot-audio/earshot/internal/dtls"
	"github.com/earshot-audio/earshot/internal/sdp"
	"github.com/earshot-audio/earshot/internal/srtp"
)

// hello is a datagram that begins a handshake.
func hello(t testing.TB) []byte {
	t.Helper()
	var b []byte
	config := must(newDTLSConfig(true, must(NewCertificate(time.Now())), srtp.DefaultProfiles()))
	config.NewHandshake(nil, func(sent []byte) { b = bytes.Clone(sent) }).Start(time.Now())
	return b
}

// strangersAlert is an alert that no key sealed.
func strangersAlert() []byte {
	return append([]byte{dtls.RecordAlert, 0xfe, 0xfd, 0, 1, 0, 0, 0, 0, 0, 5, 0, 26}, make([]byte, 26)...)
}

func TestServerFloodAllocatesNothing(t *testing.T) {
	sent := 0
	s := must(NewServer(ServerConfig{Certificate: must(NewCertificate(time.Now())),
		Send: SenderFunc(func([]byte, netip.AddrPort) { sent++ })}))
	defer s.Close()
	now, local, remote := time.Now(), sdp.NewCredentials(), sdp.NewCredentials()
	p, err := s.Add(PeerConfig{Local: local, Remote: remote, Fingerprint: s.cfg.Certificate.Fingerprint(), Events: newPeerRecorder(nil)}, now)
	require.NoError(t, err)

	report := must(rtcp.Marshal([]rtcp.Packet{&rtcp.ReceiverReport{SSRC: 1}}))
	datagrams := map[string][]byte{
		"a check for nobody":                  pionCheck(t, "nobody", "client", "swordfish", ice.AttrControlling(1)),
		"a check with a wrong password":       pionCheck(t, local.Ufrag, remote.Ufrag, "swordfish", ice.AttrControlling(1)),
		"a check from somebody else":          pionCheck(t, local.Ufrag, "somebody", local.Pwd, ice.AttrControlling(1)),
		"a check without integrity":           must(stun.Build(stun.BindingRequest, stun.TransactionID, stun.NewUsername(local.Ufrag+":"+remote.Ufrag))).Raw,
		"a check without a name":              must(stun.Build(stun.BindingRequest, stun.TransactionID, stun.NewShortTermIntegrity(local.Pwd))).Raw,
		"an answer to no check":               must(stun.Build(stun.BindingSuccess, stun.TransactionID)).Raw,
		"a DTLS hello":                        hello(t),
		"a DTLS alert":                        strangersAlert(),
		"a report":                            must(must(srtp.NewSealer(srtp.GCM128, randomBytes(16), randomBytes(12))).SealRTCP(make([]byte, 0, 100), report)),
		"noise":                               randomBytes(1200),
		"an empty datagram":                   {},
		"a ChannelData message (RFC 8656)":    append([]byte{0x40, 0, 0, 8}, make([]byte, 8)...),
		"an RTP packet that is cut too short": {0x80, 111},
	}
	for name, b := range datagrams {
		at := func() netip.AddrPort {
			var ip [4]byte
			binary.BigEndian.PutUint32(ip[:], rand.Uint32())
			return netip.AddrPortFrom(netip.AddrFrom4(ip), uint16(rand.Uint32()))
		}
		s.Handle(b, at(), now, nil) // makes the scratch memory
		if allocs := testing.AllocsPerRun(100_000/len(datagrams), func() { s.Handle(b, at(), now, nil) }); !raceEnabled {
			assert.Zero(t, allocs, name)
		}
	}
	assert.Zero(t, sent, "nobody is answered")
	stats := s.Stats()
	assert.Equal(t, 1, stats.Peers)
	assert.Zero(t, stats.Addresses)
	assert.NotZero(t, stats.Unknown)
	assert.NotZero(t, stats.Unauthentic)
	assert.NotZero(t, stats.Malformed)
	assert.False(t, p.Addr().IsValid())
	assert.Equal(t, now, p.LastSeen())
}

func TestPeerKeepsItsLatestAddresses(t *testing.T) {
	s := must(NewServer(ServerConfig{Certificate: must(NewCertificate(time.Now())), Send: SenderFunc(func([]byte, netip.AddrPort) {})}))
	defer s.Close()
	now, local, remote := time.Now(), sdp.NewCredentials(), sdp.NewCredentials()
	p := must(s.Add(PeerConfig{Local: local, Remote: remote, Fingerprint: s.cfg.Certificate.Fingerprint(), Events: newPeerRecorder(nil)}, now))
	at := func(i int) netip.AddrPort {
		return netip.AddrPortFrom(netip.MustParseAddr("192.0.2.1"), uint16(1000+i))
	}
	for i := range 100 {
		s.Handle(pionCheck(t, local.Ufrag, remote.Ufrag, local.Pwd, ice.AttrControlling(1)), at(i), now, nil)
	}
	assert.Equal(t, maxAddresses, s.Stats().Addresses)
	assert.Equal(t, at(0), p.Addr(), "the first one, as long as none is nominated")
	s.Handle(pionCheck(t, local.Ufrag, remote.Ufrag, local.Pwd, ice.AttrControlling(1), ice.UseCandidate()), at(7), now, nil)
	assert.Equal(t, at(7), p.Addr(), "the nominated one")
	now = now.Add(time.Second)
	s.Handle(pionCheck(t, local.Ufrag, remote.Ufrag, local.Pwd, ice.AttrControlling(1)), at(8), now, nil)
	assert.Equal(t, at(7), p.Addr(), "a check without nomination moves nothing")
	now = now.Add(addressTimeout)
	s.Handle(pionCheck(t, local.Ufrag, remote.Ufrag, local.Pwd, ice.AttrControlling(1)), at(8), now, nil)
	assert.Equal(t, at(8), p.Addr(), "unless the chosen one is silent")
	assert.Equal(t, now, p.LastSeen())

	// Another peer behind the same address and port: the last check counts.
	other, otherRemote := sdp.NewCredentials(), sdp.NewCredentials()
	q := must(s.Add(PeerConfig{Local: other, Remote: otherRemote, Fingerprint: s.cfg.Certificate.Fingerprint(), Events: newPeerRecorder(nil)}, now))
	s.Handle(pionCheck(t, other.Ufrag, otherRemote.Ufrag, other.Pwd, ice.AttrControlling(1)), at(8), now, nil)
	assert.Same(t, q, s.demux.lookup(at(8)).peer)
	p.Close()
	assert.Same(t, q, s.demux.lookup(at(8)).peer, "it stays the other's")
	q.Close()
	assert.Zero(t, s.Stats().Addresses)
}

func TestServerAnswersAControlledClientWithRoleConflict(t *testing.T) {
	var answer []byte
	s := must(NewServer(ServerConfig{Certificate: must(NewCertificate(time.Now())),
		Send: SenderFunc(func(b []byte, _ netip.AddrPort) { answer = append([]byte(nil), b...) })}))
	defer s.Close()
	now, local, remote := time.Now(), sdp.NewCredentials(), sdp.NewCredentials()
	p := must(s.Add(PeerConfig{Local: local, Remote: remote, Fingerprint: s.cfg.Certificate.Fingerprint(), Events: newPeerRecorder(nil)}, now))
	at := netip.MustParseAddrPort("192.0.2.1:5")
	code := func() stun.ErrorCode {
		m := &stun.Message{Raw: answer}
		require.NoError(t, m.Decode())
		require.NoError(t, stun.NewShortTermIntegrity(local.Pwd).Check(m))
		var c stun.ErrorCodeAttribute
		require.NoError(t, c.GetFrom(m))
		return c.Code
	}
	s.Handle(pionCheck(t, local.Ufrag, remote.Ufrag, local.Pwd, ice.AttrControlled(1)), at, now, nil)
	assert.Equal(t, stun.CodeRoleConflict, code())
	s.Handle(pionCheck(t, local.Ufrag, remote.Ufrag, local.Pwd, stun.RawAttribute{Type: 0x7777, Value: []byte{1}}), at, now, nil)
	assert.Equal(t, stun.CodeUnknownAttribute, code())
	assert.False(t, p.Addr().IsValid())

	// And a client that is told so changes its role, and tries again at once.
	cr := must(NewClientGroup(ClientGroupConfig{Certificate: s.cfg.Certificate}))
	defer cr.Close()
	var checks []stunMessage
	c := must(cr.Connect(ClientConfig{Local: remote, Remote: local, Fingerprint: s.cfg.Certificate.Fingerprint(), Server: at,
		Events: newClientRecorder(), Send: SenderFunc(func(b []byte, _ netip.AddrPort) {
			var m stunMessage
			require.True(t, m.parse(append([]byte(nil), b...)))
			checks = append(checks, m)
		})}, now))
	require.Len(t, checks, 1)
	assert.True(t, checks[0].controlling)
	refusal := appendBindingError(nil, cr.hmacs.get(), checks[0].transaction, codeRoleConflict, 0, local.Pwd)
	c.Handle(refusal, netip.MustParseAddrPort("192.0.2.66:5"), now)
	require.Len(t, checks, 1, "not from another address")
	c.Handle(refusal, at, now)
	require.Len(t, checks, 2)
	assert.True(t, checks[1].controlled)
	assert.False(t, checks[1].useCandidate)
	assert.NotEqual(t, checks[0].transaction, checks[1].transaction)
	c.Handle(refusal, at, now)
	require.Len(t, checks, 2, "the same refusal once more is of no check that counts")
}

func TestConnectedPeerHasNoGoroutine(t *testing.T) {
	s, a := newTestServer(t), newTestClients(t)
	var all []*connectedPair
	for range 20 {
		all = append(all, join(t, s, a, nil))
	}
	for _, x := range all {
		x.waitReady(t)
	}
	require.Eventually(t, func() bool {
		stacks := make([]byte, 1<<20)
		stacks = stacks[:runtime.Stack(stacks, true)]
		return !bytes.Contains(stacks, []byte("internal/dtls")) && !bytes.Contains(stacks, []byte("lite.(*handshake)")) &&
			!bytes.Contains(stacks, []byte("lite.(*Peer)"))
	}, patience, 10*time.Millisecond)
}

func FuzzHandle(f *testing.F) {
	cert := must(NewCertificate(time.Now()))
	local, remote := sdp.NewCredentials(), sdp.NewCredentials()
	f.Add([]byte{}, true)
	f.Add(hello(f), true)
	f.Add(pionCheck(f, local.Ufrag, remote.Ufrag, local.Pwd, ice.AttrControlling(1)), false)
	f.Add(strangersAlert(), true)
	f.Add([]byte{0x80, 201, 0, 1, 0, 0, 0, 1, 0x80, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}, true)
	s := must(NewServer(ServerConfig{Certificate: cert, Send: SenderFunc(func([]byte, netip.AddrPort) {})}))
	f.Cleanup(s.Close)
	at, now := netip.MustParseAddrPort("192.0.2.1:5"), time.Now()
	p := must(s.Add(PeerConfig{Local: local, Remote: remote, Fingerprint: cert.Fingerprint(), Events: newPeerRecorder(nil)}, now))
	s.Handle(pionCheck(f, local.Ufrag, remote.Ufrag, local.Pwd, ice.AttrControlling(1)), at, now, nil)
	p.dtls, p.opener = &dtls.Session{}, must(srtp.NewRTCPOpener(srtp.GCM128, randomBytes(16), randomBytes(12)))
	f.Fuzz(func(t *testing.T, b []byte, known bool) {
		from := at
		if !known {
			from = netip.MustParseAddrPort("192.0.2.9:5")
		}
		s.Handle(b, from, now, nil)
		require.Equal(t, 1, s.Stats().Peers, "nothing forged ends a peer")
		require.LessOrEqual(t, s.Stats().Addresses, 2)
	})
}
