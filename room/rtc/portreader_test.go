package rtc

import (
	"fmt"
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/pion/ice/v4"
	"github.com/pion/stun/v4"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/earshot-audio/earshot/internal/lite"
	"github.com/earshot-audio/earshot/internal/sdp"
	"github.com/earshot-audio/earshot/internal/srtp"
	"github.com/earshot-audio/earshot/internal/udpbatch"
)

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

// knownPeer adds an ear's connection and gives the check that its client sends.
func knownPeer(t *testing.T, e *Engine) []byte {
	t.Helper()
	local, remote := sdp.NewCredentials(), sdp.NewCredentials()
	_, err := e.lite.Add(lite.PeerConfig{Local: local, Remote: remote, Fingerprint: e.fingerprint, Events: deaf{}}, time.Now())
	require.NoError(t, err)
	m, err := stun.Build(stun.TransactionID, stun.BindingRequest, stun.NewUsername(local.Ufrag+":"+remote.Ufrag),
		ice.AttrControlling(1), ice.UseCandidate(), ice.PriorityAttr(1), stun.NewShortTermIntegrity(local.Pwd), stun.Fingerprint)
	require.NoError(t, err)
	return m.Raw
}

func TestPortReaderRepliesInBatches(t *testing.T) {
	e := newTestRoom(t, leanEars, Config{Media: "127.0.0.1:0"}, 1).engine
	s := &script{}
	want := map[netip.AddrPort]bool{}
	for i := range portBatch + 3 {
		s.incoming = append(s.incoming, udpbatch.Message{Buf: knownPeer(t, e), Addr: address(i)})
		want[address(i)] = true
	}
	require.NoError(t, newPortReader(e, s).run())
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

func TestPortReaderGathersLongerWhenIdle(t *testing.T) {
	handshake := []byte{22, 254, 253, 0}
	start := time.Now()
	for _, row := range []struct {
		name  string
		event func(t *testing.T, r *portReader, at time.Time)
		haste bool
	}{
		{"a consent check", func(t *testing.T, r *portReader, at time.Time) { r.handle(knownPeer(t, r.engine), address(1), at) }, false},
		{"a packet of nobody's", func(_ *testing.T, r *portReader, at time.Time) { r.handle([]byte{128, 111}, address(1), at) }, false},
		{"a handshake's", func(_ *testing.T, r *portReader, at time.Time) { r.handle(handshake, address(1), at) }, true},
		{"a check for a mic", func(t *testing.T, r *portReader, at time.Time) {
			local := sdp.NewCredentials()
			_, err := r.engine.lite.AddExternal(local, sdp.Credentials{}, func([]byte, netip.AddrPort) {})
			require.NoError(t, err)
			m, err := stun.Build(stun.TransactionID, stun.BindingRequest, stun.NewUsername(local.Ufrag+":x"),
				stun.NewShortTermIntegrity(local.Pwd), stun.Fingerprint)
			require.NoError(t, err)
			r.handle(m.Raw, address(1), at)
		}, true},
		{"an offer", func(_ *testing.T, r *portReader, _ time.Time) {
			newSession(&MediaRoom{engine: r.engine}, &sdp.Offer{}, nil)
		}, true},
		{"a packet that a listener has missed", func(t *testing.T, r *portReader, _ time.Time) {
			l, _ := keyed(t, srtp.GCM128)
			l.ear = &Ear{session: &session{room: &MediaRoom{engine: r.engine}}}
			l.streams[0].nack = true
			l.requestRetransmissions(nackFor(t, l.streams[0].ssrc, 1))
		}, true},
	} {
		t.Run(row.name, func(t *testing.T) {
			s := &script{}
			r := newPortReader(newTestRoom(t, leanEars, Config{Media: "127.0.0.1:0"}, 1).engine, s)
			r.lastUrgent = start
			r.adjustGather(start.Add(busyPeriod))
			require.Empty(t, s.gathers, "something may still come")
			at := start.Add(busyPeriod + time.Millisecond)
			r.adjustGather(at)
			require.Equal(t, []time.Duration{idleGather}, s.gathers)
			s.gathers = nil
			at = at.Add(time.Second)
			row.event(t, r, at)
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
