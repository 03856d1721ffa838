package lite

import (
	"bytes"
	"net/netip"
	"testing"
	"time"

	"github.com/pion/ice/v4"
	"github.com/pion/stun/v4"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/earshot-audio/earshot/internal/sdp"
)

// password is that of all external agents here.
const password = "swordfishswordfishswordfish"

// externalAgent counts the datagrams that an external agent has received.
type externalAgent struct {
	*External
	received int
	last     []byte
}

func addAgent(t testing.TB, s *Server, ufrag string) *externalAgent {
	t.Helper()
	a := &externalAgent{}
	x, err := s.AddExternal(sdp.Credentials{Ufrag: ufrag, Pwd: password}, sdp.Credentials{}, func(b []byte, _ netip.AddrPort) {
		a.received++
		a.last = append(a.last[:0], b...)
	})
	require.NoError(t, err)
	a.External = x
	return a
}

func newQuietServer(t testing.TB) *Server {
	t.Helper()
	s := must(NewServer(ServerConfig{Certificate: must(NewCertificate(time.Now())),
		Send: SenderFunc(func([]byte, netip.AddrPort) {})}))
	t.Cleanup(s.Close)
	return s
}

// checkFor is an ICE check, signed with the password unless another is given.
func checkFor(t testing.TB, user string, wrong ...string) []byte {
	t.Helper()
	key := password
	if len(wrong) > 0 {
		key = wrong[0]
	}
	m, err := stun.Build(stun.TransactionID, stun.BindingRequest, stun.NewSoftware("x"), stun.NewUsername(user),
		stun.NewShortTermIntegrity(key), stun.Fingerprint)
	require.NoError(t, err)
	return m.Raw
}

func loopback(n int) netip.AddrPort {
	return netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), uint16(1000+n))
}

// dtlsRecord begins as DTLS does.
var dtlsRecord = []byte{22, 254, 253, 0}

// deliver hands a datagram to the server and reports whether it went to the agent.
func (a *externalAgent) deliver(b []byte, from netip.AddrPort) bool {
	before := a.received
	external := a.server.Handle(bytes.Clone(b), from, time.Now(), nil)
	return a.received == before+1 && external && bytes.Equal(b, a.last)
}

func TestDemuxDeliversToPeersAndExternalAgents(t *testing.T) {
	s := newQuietServer(t)
	mic, other := addAgent(t, s, "micc"), addAgent(t, s, "other")
	now, local, remote := time.Now(), sdp.Credentials{Ufrag: "earr", Pwd: password}, sdp.NewCredentials()
	peer := must(s.Add(PeerConfig{Local: local, Remote: remote, Fingerprint: s.cfg.Certificate.Fingerprint(), Events: newPeerRecorder(nil)}, now))
	earCheck := pionCheck(t, local.Ufrag, remote.Ufrag, local.Pwd, ice.AttrControlling(1))

	assert.False(t, mic.deliver(dtlsRecord, loopback(1)), "nobody is known there")
	assert.False(t, mic.deliver(checkFor(t, "else:x"), loopback(1)), "a check for somebody else")
	assert.False(t, mic.deliver(dtlsRecord, loopback(1)))
	assert.True(t, mic.deliver(checkFor(t, "micc:x"), loopback(1)), "a check of a mic")
	assert.True(t, mic.deliver(dtlsRecord, loopback(1)), "what comes from there is the mic's")
	assert.True(t, mic.deliver([]byte{128, 111}, loopback(1)), "whatever it is")
	assert.True(t, mic.deliver([]byte{22}, loopback(1)))
	assert.True(t, mic.deliver(must(stun.Build(stun.TransactionID, stun.NewType(stun.MethodBinding, stun.ClassIndication))).Raw, loopback(1)))
	assert.False(t, mic.deliver(dtlsRecord, loopback(2)))
	assert.False(t, mic.deliver(checkFor(t, "else:x"), loopback(1)), "a check names whom it is for, wherever it is from")
	assert.True(t, other.deliver(checkFor(t, "other:x"), loopback(1)), "another mic takes over the address")
	assert.False(t, mic.deliver(dtlsRecord, loopback(1)))
	assert.True(t, mic.deliver(checkFor(t, "micc:x"), loopback(1)), "and gives it back")
	mic.Remove()
	mic.Remove()
	assert.False(t, other.deliver(dtlsRecord, loopback(1)), "to nobody, once it is gone")
	assert.True(t, other.deliver(checkFor(t, "other:x"), loopback(1)))

	// An ear on the socket that a mic was on, and the other way round.
	s.Handle(earCheck, loopback(1), now, nil)
	assert.False(t, other.deliver(dtlsRecord, loopback(1)), "it is the ear's now")
	assert.Same(t, peer, s.demux.lookup(loopback(1)).peer)
	assert.True(t, other.deliver(checkFor(t, "other:x"), loopback(1)))
	peer.Close()
	assert.True(t, other.deliver(dtlsRecord, loopback(1)), "it stays the mic's")
	other.Remove()
	assert.False(t, other.deliver(dtlsRecord, loopback(1)))
	assert.False(t, mic.deliver(checkFor(t, "micc:x"), loopback(1)))
	assert.Empty(t, s.demux.byAddr)
	assert.Empty(t, s.demux.byUfrag)
}

func TestAddExternalRefuses(t *testing.T) {
	s := newQuietServer(t)
	receive := func([]byte, netip.AddrPort) {}
	_, err := s.AddExternal(sdp.Credentials{Ufrag: "mic", Pwd: password}, sdp.Credentials{}, receive)
	require.Error(t, err, "a fragment that is too short")
	_, err = s.AddExternal(sdp.NewCredentials(), sdp.Credentials{}, nil)
	require.Error(t, err, "no receiver")
	local := sdp.NewCredentials()
	_, err = s.AddExternal(local, sdp.Credentials{}, receive)
	require.NoError(t, err)
	_, err = s.AddExternal(local, sdp.Credentials{}, receive)
	require.ErrorContains(t, err, "in use")
	s.Close()
	_, err = s.AddExternal(sdp.NewCredentials(), sdp.Credentials{}, receive)
	require.ErrorIs(t, err, ErrClosed)
}

func TestExternalAgentHasFewAddresses(t *testing.T) {
	s := newQuietServer(t)
	mic := addAgent(t, s, "micc")
	for i := range 100 {
		assert.True(t, mic.deliver(checkFor(t, "micc:x"), loopback(i)))
	}
	assert.Len(t, s.demux.byAddr, maxAddresses)
	assert.True(t, mic.deliver([]byte{22}, loopback(99)))
	assert.False(t, mic.deliver([]byte{22}, loopback(0)))
}

func TestDemuxKeepsAnAddressThatCameBackAfterAnotherHadIt(t *testing.T) {
	s := newQuietServer(t)
	mic, other := addAgent(t, s, "micc"), addAgent(t, s, "other")
	assert.True(t, mic.deliver(checkFor(t, "micc:x"), loopback(0)))
	assert.True(t, other.deliver(checkFor(t, "other:x"), loopback(0)))
	assert.True(t, mic.deliver(checkFor(t, "micc:x"), loopback(0)))
	for i := range maxAddresses - 1 {
		assert.True(t, mic.deliver(checkFor(t, "micc:x"), loopback(1+i)))
	}
	assert.True(t, mic.deliver(dtlsRecord, loopback(0)), "it is the oldest of four and still one of them")
	assert.True(t, mic.deliver(checkFor(t, "micc:x"), loopback(9)))
	assert.False(t, mic.deliver(dtlsRecord, loopback(0)))
}

func TestForgedChecksBindNoAddressToAnExternalAgent(t *testing.T) {
	s := newQuietServer(t)
	mic := addAgent(t, s, "micc")
	assert.True(t, mic.deliver(checkFor(t, "micc:x"), loopback(0)))
	for i := range 100 {
		assert.False(t, mic.deliver(checkFor(t, "micc:x", "guessed"), loopback(1+i)))
		assert.False(t, mic.deliver([]byte{22}, loopback(1+i)))
	}
	assert.True(t, mic.deliver([]byte{22}, loopback(0)), "the client's own address stays")
	assert.True(t, mic.deliver(checkFor(t, "micc:x", "guessed"), loopback(0)), "from there the agent judges it, as all else")
	assert.Len(t, s.demux.byAddr, 1)
	assert.EqualValues(t, 100, s.Stats().Unauthentic)
}

func TestDemuxAllocatesNothing(t *testing.T) {
	s := newQuietServer(t)
	received := 0
	_, err := s.AddExternal(sdp.Credentials{Ufrag: "micc", Pwd: password}, sdp.Credentials{}, func([]byte, netip.AddrPort) { received++ })
	require.NoError(t, err)
	mic, forged, ear, now := checkFor(t, "micc:x"), checkFor(t, "micc:x", "guessed"), checkFor(t, "earr:x"), time.Now()
	if allocs := testing.AllocsPerRun(100, func() {
		s.Handle(mic, loopback(1), now, nil)
		s.Handle(forged, loopback(4), now, nil)
		s.Handle(ear, loopback(2), now, nil)
		s.Handle(dtlsRecord, loopback(3), now, nil)
		s.Handle(dtlsRecord, loopback(1), now, nil)
	}); !raceEnabled {
		assert.Zero(t, allocs)
	}
	assert.Equal(t, 2*101, received)
}

// FuzzDemux holds that an external agent gets from a new address nothing but
// authentic checks that name it, and from its own address everything that names
// nobody else.
func FuzzDemux(f *testing.F) {
	f.Add(checkFor(f, "micc:x"))
	f.Add(checkFor(f, ""))
	f.Add([]byte{0, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42})
	f.Add(checkFor(f, "micc:x", "guessed"))
	f.Add(dtlsRecord)
	s := newQuietServer(f)
	f.Fuzz(func(t *testing.T, b []byte) {
		mic := addAgent(t, s, "micc")
		defer mic.Remove()
		before := bytes.Clone(b)
		got := mic.deliver(b, loopback(1))
		require.Equal(t, before, b)
		require.Equal(t, got, s.demux.lookup(loopback(1)) != nil)
		var m stunMessage
		named, isNamed := "", false
		if m.parse(b) && m.kind == bindingRequest {
			to, _, ok := m.usernames()
			named, isNamed = string(to), ok
		}
		require.Equal(t, authentic(b, password) && isNamed && named == "micc", got)
		require.True(t, mic.deliver(checkFor(t, "micc:x"), loopback(2)))
		require.Equal(t, !isNamed || named == "micc", mic.deliver(b, loopback(2)))
	})
}

// FuzzUsernamesAgainstPion holds that the name that a check is delivered by is the
// one that Pion, which judges it, reads.
func FuzzUsernamesAgainstPion(f *testing.F) {
	f.Add(checkFor(f, "mic:x"))
	f.Add(checkFor(f, "mic"))
	f.Add(checkFor(f, ":"))
	f.Add([]byte("\x00\x01\x00\x10\x21\x12\xa4\x42transaction!\x00\x1c\x00\x00\x00\x06\x00\x05mic:x\x00\x00\x00")) // after a MESSAGE-INTEGRITY-SHA256
	f.Fuzz(func(t *testing.T, b []byte) {
		var m stunMessage
		if !m.parse(b) {
			return
		}
		to, from, ok := m.usernames()
		theirs := &stun.Message{Raw: bytes.Clone(b)}
		var name stun.Username
		if m.username == nil || theirs.Decode() != nil || name.GetFrom(theirs) != nil {
			require.True(t, m.username == nil || len(m.username) > 513 || theirs.Decode() != nil || len(m.username) == 0)
			return
		}
		require.Equal(t, string(name), string(m.username))
		require.Equal(t, bytes.Contains(name, []byte{':'}), ok)
		if ok {
			require.Equal(t, string(name), string(to)+":"+string(from))
		}
	})
}
