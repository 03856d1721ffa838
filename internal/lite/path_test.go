package lite

import (
	"bytes"
	"net/netip"
	"sync"
	"testing"
	"time"

	"github.com/pion/ice/v4"
	"github.com/pion/stun/v4"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/earshot-audio/earshot/internal/sdp"
)

// outbox counts what a server sends to each address, and keeps the latest challenge.
type outbox struct {
	bytes     map[netip.AddrPort]int
	challenge map[netip.AddrPort][]byte
}

func newOutbox() *outbox {
	return &outbox{map[netip.AddrPort]int{}, map[netip.AddrPort][]byte{}}
}

func (o *outbox) Send(b []byte, to netip.AddrPort) {
	o.bytes[to] += len(b)
	if m := (stunMessage{}); m.parse(b) && m.kind == bindingRequest {
		o.challenge[to] = bytes.Clone(b)
	}
}

// lockedOutbox is an outbox for handshakes, too, which have goroutines of their own.
type lockedOutbox struct {
	mu sync.Mutex
	*outbox
}

func (o *lockedOutbox) Send(b []byte, to netip.AddrPort) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.outbox.Send(b, to)
}

func (o *lockedOutbox) to(at netip.AddrPort) int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.bytes[at]
}

// answerTo answers the latest challenge that an address got, as its owner would.
func (o *outbox) answerTo(t *testing.T, at netip.AddrPort, remote sdp.Credentials) []byte {
	t.Helper()
	var m stunMessage
	require.True(t, m.parse(o.challenge[at]), "there was no challenge to %s", at)
	h := new(stunHMACPool).get()
	return bytes.Clone(appendBindingSuccess(nil, h, m.transaction, at, remote.Pwd))
}

// drivenPeer is a peer of a server that is driven datagram by datagram.
type drivenPeer struct {
	*Peer
	s             *Server
	out           *outbox
	local, remote sdp.Credentials
	now           time.Time
}

func newDrivenPeer(t *testing.T, s *Server, out *outbox) *drivenPeer {
	t.Helper()
	d := &drivenPeer{s: s, out: out, local: sdp.NewCredentials(), remote: sdp.NewCredentials(), now: time.Now()}
	d.Peer = must(s.Add(PeerConfig{Local: d.local, Remote: d.remote, Fingerprint: s.cfg.Certificate.Fingerprint(),
		Events: newPeerRecorder(out)}, d.now))
	return d
}

// check lets a check of the peer's own come from an address.
func (d *drivenPeer) check(t *testing.T, from netip.AddrPort, more ...stun.Setter) int {
	t.Helper()
	b := pionCheck(t, d.local.Ufrag, d.remote.Ufrag, d.local.Pwd, append(more, ice.AttrControlling(1))...)
	d.s.Handle(bytes.Clone(b), from, d.now, d.out)
	return len(b)
}

// prove lets an address answer.
func (d *drivenPeer) prove(t *testing.T, from netip.AddrPort) {
	t.Helper()
	d.s.Handle(d.out.answerTo(t, from, d.remote), from, d.now, d.out)
}

func newDrivenServer(t *testing.T) (*Server, *outbox) {
	t.Helper()
	out := newOutbox()
	s := must(NewServer(ServerConfig{Certificate: must(NewCertificate(time.Now())), Send: out}))
	t.Cleanup(s.Close)
	return s, out
}

// TestUnprovenAddressGetsLessThanThreeTimesItsBytes sends each kind of datagram from an
// address that never answers, many times, alone and after a check that names a peer.
func TestUnprovenAddressGetsLessThanThreeTimesItsBytes(t *testing.T) {
	victim := netip.MustParseAddrPort("192.0.2.9:9")
	nominate := func(d *drivenPeer) []byte {
		return pionCheck(t, d.local.Ufrag, d.remote.Ufrag, d.local.Pwd, ice.AttrControlling(1), ice.UseCandidate())
	}
	kinds := map[string]func(d *drivenPeer) []byte{
		"a check": func(d *drivenPeer) []byte {
			return pionCheck(t, d.local.Ufrag, d.remote.Ufrag, d.local.Pwd, ice.AttrControlling(1))
		},
		"a check that nominates": nominate,
		"the shortest check": func(d *drivenPeer) []byte {
			return must(stun.Build(stun.TransactionID, stun.BindingRequest, stun.NewUsername(d.local.Ufrag+":"+d.remote.Ufrag),
				stun.NewShortTermIntegrity(d.local.Pwd))).Raw
		},
		"a check that says it is controlled": func(d *drivenPeer) []byte {
			return pionCheck(t, d.local.Ufrag, d.remote.Ufrag, d.local.Pwd, ice.AttrControlled(1))
		},
		"a check with an attribute that nobody knows": func(d *drivenPeer) []byte {
			return pionCheck(t, d.local.Ufrag, d.remote.Ufrag, d.local.Pwd, ice.AttrControlling(1), stun.RawAttribute{Type: 0x7ff})
		},
		"a check with a wrong password": func(d *drivenPeer) []byte {
			return pionCheck(t, d.local.Ufrag, d.remote.Ufrag, "swordfishswordfishswordfish", ice.AttrControlling(1))
		},
		"a forged answer to a challenge": func(d *drivenPeer) []byte {
			return must(stun.Build(stun.TransactionID, stun.BindingSuccess, stun.NewShortTermIntegrity(d.remote.Pwd))).Raw
		},
		"a hello": func(*drivenPeer) []byte { return hello(t) },
		"a handshake record": func(*drivenPeer) []byte {
			return append([]byte{22, 0xfe, 0xfd, 0, 0, 0, 0, 0, 0, 0, 1, 0, 4}, 1, 2, 3, 4)
		},
		"an alert":              func(*drivenPeer) []byte { return append([]byte{21, 0xfe, 0xfd, 0, 1, 0, 0, 0, 0, 0, 1, 0, 2}, 2, 0) },
		"a report that is none": func(*drivenPeer) []byte { return append([]byte{0x80, 201, 0, 1}, make([]byte, 40)...) },
		"a packet that is none": func(*drivenPeer) []byte { return append([]byte{0x80, 111, 0, 1}, make([]byte, 40)...) },
		"nothing of WebRTC":     func(*drivenPeer) []byte { return []byte("GET / HTTP/1.1\r\n\r\n") },
	}
	for name, kind := range kinds {
		for _, after := range []bool{false, true} {
			t.Run(name, func(t *testing.T) {
				out := &lockedOutbox{outbox: newOutbox()}
				s := must(NewServer(ServerConfig{Certificate: must(NewCertificate(time.Now())), Send: out}))
				d := newDrivenPeer(t, s, out.outbox)
				in := 0
				give := func(b []byte) {
					in += len(b)
					s.Handle(b, victim, d.now, out)
				}
				if after {
					give(nominate(d))
				}
				for range 20 {
					d.now = d.now.Add(100 * time.Millisecond)
					give(kind(d))
				}
				if name == "a hello" && after {
					require.Eventually(t, func() bool { return out.to(victim) > 500 }, patience, time.Millisecond, "the server's flight")
				}
				s.Close() // waits for the handshakes
				got := out.to(victim)
				assert.Less(t, got, 3*in, "bytes out for %d in", in)
				t.Logf("%s, after a check: %t: %.2f bytes out for each in", name, after, float64(got)/float64(in))
			})
		}
	}
}

// TestFlightsToAnUnprovenAddressAreBounded repeats a flight, as a handshake does that
// gets no answer.
func TestFlightsToAnUnprovenAddressAreBounded(t *testing.T) {
	s, out := newDrivenServer(t)
	d, at := newDrivenPeer(t, s, out), netip.MustParseAddrPort("192.0.2.1:1")
	in := d.check(t, at, ice.UseCandidate())
	d.handshake = &pendingHandshake{pipe: newPipe(NewLimiter(1), func([]byte) {})}
	for range 50 {
		d.send(make([]byte, 100), out)
	}
	assert.Less(t, out.bytes[at], 3*in)
	before := out.bytes[at]
	d.prove(t, at)
	assert.Equal(t, before+maxHeld*100, out.bytes[at], "what was held")
	before = out.bytes[at]
	d.send(make([]byte, 5000), out)
	assert.Equal(t, before+5000, out.bytes[at], "a proven address gets all")
}

// TestConnectedPeerIsNotAimedAtAnother has a listener, who is connected and hears, send
// checks that claim to come from somebody else.
func TestConnectedPeerIsNotAimedAtAnother(t *testing.T) {
	s, a := newTestServer(t), newTestClients(t)
	x := join(t, s, a, nil)
	x.waitReady(t)
	home, victim := x.peer.Addr(), netip.MustParseAddrPort("127.0.0.1:9")
	out, now := newOutbox(), time.Now()
	d := &drivenPeer{Peer: x.peer, s: s.Server, out: out, local: x.peer.cfg.Local, remote: x.peer.cfg.Remote, now: now}
	in := 0
	for range 10 {
		in += d.check(t, victim, ice.UseCandidate())
	}
	assert.Equal(t, home, x.peer.Addr(), "ten checks from an address that does not answer")
	x.ear.speak(t, x.ear.stream(t, 42), 1, []byte("speech"))
	assert.Less(t, out.bytes[victim], 3*in)
	t.Logf("%.2f bytes out for each in", float64(out.bytes[victim])/float64(in))
	d.now = now.Add(2 * addressTimeout)
	d.check(t, victim, ice.UseCandidate())
	assert.Equal(t, home, x.peer.Addr(), "even when its own has fallen silent")
	s.Handle(must(stun.Build(stun.TransactionID, stun.BindingSuccess, stun.NewShortTermIntegrity(d.remote.Pwd), stun.Fingerprint)).Raw, victim, now, out)
	assert.Equal(t, home, x.peer.Addr(), "a response that is to no challenge")
	s.Handle(out.answerTo(t, victim, d.remote), netip.MustParseAddrPort("127.0.0.1:10"), now, out)
	assert.Equal(t, home, x.peer.Addr(), "the challenge answered from elsewhere")
	s.Handle(out.answerTo(t, victim, sdp.NewCredentials()), victim, now, out)
	assert.Equal(t, home, x.peer.Addr(), "with another password")
	d.prove(t, victim)
	assert.Equal(t, victim, x.peer.Addr(), "once it answers, it is the peer's")
	assert.Equal(t, victim, within(t, x.ear.moved, "the move"))
}

// TestCheckFromAnotherPeersAddressDoesNotTakeIt has two peers, of which one, and a mic,
// claim to be where the other is.
func TestCheckFromAnotherPeersAddressDoesNotTakeIt(t *testing.T) {
	s, out := newDrivenServer(t)
	honest, other, mic := newDrivenPeer(t, s, out), newDrivenPeer(t, s, out), addAgent(t, s, "micc")
	at := netip.MustParseAddrPort("192.0.2.1:1")
	honest.check(t, at, ice.UseCandidate())
	honest.current.proven = true // as after its handshake
	other.check(t, at, ice.UseCandidate())
	assert.Same(t, honest.Peer, s.demux.lookup(at).peer, "a check for another peer")
	assert.False(t, mic.deliver(checkFor(t, "micc:x"), at), "a check for a mic")
	assert.Same(t, honest.Peer, s.demux.lookup(at).peer)
	// A client that begins another session on its socket answers for it.
	other.prove(t, at)
	assert.Same(t, other.Peer, s.demux.lookup(at).peer)
	// And one whose session has fallen silent is not in the way.
	assert.True(t, s.Handle(checkFor(t, "micc:x"), at, other.now.Add(2*addressTimeout), nil))
	assert.Same(t, mic.External, s.demux.lookup(at).external)
	honest.Close()
	other.Close()
	assert.Empty(t, s.demux.challenges)
}

// TestExternalAgentSendsLessThanThreeTimes lets an agent send as much as it may.
func TestExternalAgentSendsLessThanThreeTimes(t *testing.T) {
	s, _ := newDrivenServer(t)
	mic, at := addAgent(t, s, "micc"), netip.MustParseAddrPort("192.0.2.1:1")
	flight := append([]byte{22}, make([]byte, 799)...)
	assert.False(t, mic.MaySend(flight, at), "nothing has come")
	in, out := 0, 0
	for range 50 {
		b := checkFor(t, "micc:x")
		in += len(b)
		s.Handle(b, at, time.Now(), nil)
		for range 3 {
			if mic.MaySend(flight, at) {
				out += len(flight)
			}
		}
		require.Less(t, out, 3*in)
	}
	assert.Positive(t, out)
	assert.True(t, mic.MaySend(checkFor(t, "x:micc"), at), "answers to checks always may")
	mic.HandshakeDone()
	for range 50 {
		require.True(t, mic.MaySend(flight, at), "the address is proven")
		mic.MaySend(flight, loopback(9))
	}
	assert.False(t, mic.MaySend(flight, loopback(9)), "another is not")
}
