package mediaport

import (
	"fmt"
	"net"
	"net/netip"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pion/ice/v4"
	"github.com/pion/stun/v4"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/earshot-audio/earshot/internal/lite"
	"github.com/earshot-audio/earshot/internal/sdp"
	"github.com/earshot-audio/earshot/internal/udpbatch"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// tape keeps what is sent.
type tape struct {
	packets [][]byte
	to      []netip.AddrPort
	calls   int
}

func (s *tape) WriteBatch(ms []udpbatch.Message) (int, error) {
	s.calls++
	for i := range ms {
		s.packets, s.to = append(s.packets, slices.Clone(ms[i].Buf)), append(s.to, ms[i].Addr)
	}
	return len(ms), nil
}

// script is a socket on which everything comes at once, and that keeps what is
// sent and asked of it.
type script struct {
	udpbatch.Conn
	tape
	incoming []udpbatch.Message
	gathers  []time.Duration
}

func (s *script) ReadBatch(ms []udpbatch.Message) (int, error) {
	if len(s.incoming) == 0 {
		return 0, net.ErrClosed
	}
	n := min(len(ms), len(s.incoming))
	for i, m := range s.incoming[:n] {
		ms[i].N, ms[i].Addr = copy(ms[i].Buf, m.Buf), m.Addr
	}
	s.incoming = s.incoming[n:]
	return n, nil
}

func (s *script) WriteBatch(ms []udpbatch.Message) (int, error) { return s.tape.WriteBatch(ms) }
func (s *script) SetGather(every time.Duration)                 { s.gathers = append(s.gathers, every) }

// deaf owns a peer and hears nothing of it.
type deaf struct{ lite.PeerEvents }

// newDemux is a demultiplexer that sends nothing by itself.
func newDemux(t *testing.T) (*lite.Server, sdp.Fingerprint) {
	t.Helper()
	certificate, err := lite.NewCertificate(time.Now())
	require.NoError(t, err)
	s, err := lite.NewServer(lite.ServerConfig{
		Certificate: certificate, Send: lite.SenderFunc(func([]byte, netip.AddrPort) {}), Consent: time.Minute, HandshakeTimeout: time.Minute,
	})
	require.NoError(t, err)
	t.Cleanup(s.Close)
	return s, certificate.Fingerprint()
}

// knownPeer adds an ear's connection and gives the check that its client sends.
func knownPeer(t *testing.T, s *lite.Server, f sdp.Fingerprint) []byte {
	t.Helper()
	local, remote := sdp.NewCredentials(), sdp.NewCredentials()
	_, err := s.Add(lite.PeerConfig{Local: local, Remote: remote, Fingerprint: f, Events: deaf{}}, time.Now())
	require.NoError(t, err)
	m, err := stun.Build(stun.TransactionID, stun.BindingRequest, stun.NewUsername(local.Ufrag+":"+remote.Ufrag),
		ice.AttrControlling(1), ice.UseCandidate(), ice.PriorityAttr(1), stun.NewShortTermIntegrity(local.Pwd), stun.Fingerprint)
	require.NoError(t, err)
	return m.Raw
}

func TestReaderRepliesInBatches(t *testing.T) {
	demux, fingerprint := newDemux(t)
	s := &script{}
	want := map[netip.AddrPort]bool{}
	for i := range portBatch + 3 {
		s.incoming = append(s.incoming, udpbatch.Message{Buf: knownPeer(t, demux, fingerprint), Addr: address(i)})
		want[address(i)] = true
	}
	require.NoError(t, newReader(open(t, 1), s, demux, new(atomic.Uint64)).run())
	assert.Equal(t, 2, s.calls, "one call for each batch that was read")
	for i, to := range s.to {
		require.True(t, want[to], "%v is answered once", to)
		delete(want, to)
		m := stun.Message{Raw: s.packets[i]}
		require.NoError(t, m.Decode())
		require.Equal(t, stun.BindingSuccess, m.Type)
	}
	assert.Empty(t, want)
}

func TestReaderGathersLongerWhenIdle(t *testing.T) {
	handshake := []byte{22, 254, 253, 0}
	start := time.Now()
	for _, row := range []struct {
		name  string
		event func(t *testing.T, r *reader, f sdp.Fingerprint, at time.Time)
		haste bool
	}{
		{"a consent check", func(t *testing.T, r *reader, f sdp.Fingerprint, at time.Time) {
			r.handle(knownPeer(t, r.to, f), address(1), at)
		}, false},
		{"a packet of nobody's", func(_ *testing.T, r *reader, _ sdp.Fingerprint, at time.Time) {
			r.handle([]byte{128, 111}, address(1), at)
		}, false},
		{"a handshake's", func(_ *testing.T, r *reader, _ sdp.Fingerprint, at time.Time) { r.handle(handshake, address(1), at) }, true},
		{"a check for a mic", func(t *testing.T, r *reader, _ sdp.Fingerprint, at time.Time) {
			local := sdp.NewCredentials()
			_, err := r.to.AddExternal(local, sdp.Credentials{}, func([]byte, netip.AddrPort) {})
			require.NoError(t, err)
			m, err := stun.Build(stun.TransactionID, stun.BindingRequest, stun.NewUsername(local.Ufrag+":x"),
				stun.NewShortTermIntegrity(local.Pwd), stun.Fingerprint)
			require.NoError(t, err)
			r.handle(m.Raw, address(1), at)
		}, true},
		{"an event that the owner counts", func(_ *testing.T, r *reader, _ sdp.Fingerprint, _ time.Time) { r.urgent.Add(1) }, true},
	} {
		t.Run(row.name, func(t *testing.T) {
			demux, fingerprint := newDemux(t)
			s := &script{}
			r := newReader(open(t, 1), s, demux, new(atomic.Uint64))
			r.lastUrgent = start
			r.adjustGather(start.Add(busyPeriod))
			require.Empty(t, s.gathers, "something may still come")
			at := start.Add(busyPeriod + time.Millisecond)
			r.adjustGather(at)
			require.Equal(t, []time.Duration{idleGather}, s.gathers)
			s.gathers = nil
			at = at.Add(time.Second)
			row.event(t, r, fingerprint, at)
			r.adjustGather(at)
			if !row.haste {
				assert.Empty(t, s.gathers)
				return
			}
			assert.Equal(t, []time.Duration{busyGather}, s.gathers)
			r.adjustGather(at.Add(busyPeriod))
			r.adjustGather(at.Add(busyPeriod + 1))
			assert.Equal(t, []time.Duration{busyGather, idleGather}, s.gathers, fmt.Sprint("after ", busyPeriod))
		})
	}
}
