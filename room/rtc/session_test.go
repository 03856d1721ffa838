package rtc

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pion/ice/v4"
	"github.com/pion/webrtc/v4"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// waitDone waits for the end of a session and returns its reason.
func waitDone(t *testing.T, s Session) error {
	t.Helper()
	select {
	case <-s.Done():
		return s.Reason()
	case <-time.After(patience):
		require.FailNow(t, "the session did not end")
		return nil
	}
}

func TestEarCloseStopsPacketsAndNotifiesTheClient(t *testing.T) {
	forEachEarKind(t, func(t *testing.T, ears earKind) {
		r := newTestRoom(t, ears, Config{}, 3)
		s := newSpeaker(t, r, 1, withLevel)
		kicked, stays := openEar(t, r, 1, 0), openEar(t, r, 1, 0)
		eventually(t, func() bool { return r.Stats().Ears == 2 }, "both hear")
		s.say([]byte("before"), 30)
		eventually(t, func() bool { return len(kicked.payloads()) == 1 && len(stays.payloads()) == 1 }, "both have it")

		require.NoError(t, kicked.ear.Close())
		require.NoError(t, kicked.ear.Close())
		assert.ErrorIs(t, kicked.ear.Reason(), ErrClosed)
		sent := kicked.ear.Stats().Packets
		s.say([]byte("after"), 30)
		eventually(t, func() bool { return len(stays.payloads()) == 2 }, "the other goes on")
		select {
		case <-kicked.closed:
		case <-time.After(patience):
			t.Fatal("the client was not told")
		}
		assert.Equal(t, []string{"before"}, kicked.payloads())
		assert.Equal(t, sent, kicked.ear.Stats().Packets)
		assert.Nil(t, stays.ear.Reason())
	})
}

func TestMicCloseSilencesIt(t *testing.T) {
	forEachEarKind(t, func(t *testing.T, ears earKind) {
		r := newTestRoom(t, ears, Config{}, 3)
		s := newSpeaker(t, r, 1, withLevel)
		l := openEar(t, r, 1, 0)
		eventually(t, func() bool { return r.Stats().Ears == 1 }, "the ear hears")
		s.say([]byte("before"), 30)
		eventually(t, func() bool { return len(l.payloads()) == 1 }, "it is heard")
		require.NoError(t, s.mic.Close())
		pushed := r.Stats().Pushed
		for range 20 { // the client ignores it and goes on
			s.say([]byte("ghost"), 30)
		}
		<-s.closed
		assert.Equal(t, pushed, r.Stats().Pushed)
		assert.Equal(t, []string{"before"}, l.payloads())
		assert.Equal(t, 0, r.Stats().Mics)
	})
}

func TestSessionEndsAtOnceWhenTheClientHangsUp(t *testing.T) {
	forEachEarKind(t, func(t *testing.T, ears earKind) {
		// The consent timeout of 30 s is out of reach here.
		r := newTestRoom(t, ears, Config{}, 3)
		s := newSpeaker(t, r, 1)
		l := openEar(t, r, 2, 0)
		l.waitConnected()
		s.say([]byte("a frame"), 30)
		eventually(t, func() bool { return len(l.payloads()) == 1 }, "this side has seen the end of both handshakes")
		start := time.Now()
		require.NoError(t, l.pc.GracefulClose())
		assert.ErrorIs(t, waitDone(t, l.ear), ErrHangup)
		require.NoError(t, s.pc.GracefulClose())
		assert.ErrorIs(t, waitDone(t, s.mic), ErrHangup)
		assert.Less(t, time.Since(start), DefaultConsentTimeout/2, "by close_notify, not by timeout")
		assert.Equal(t, 0, r.Stats().Ears)
		assert.Equal(t, 0, r.Stats().Mics)
	})
}

func TestSessionEndsWhenTheClientHangsUpDuringTheHandshake(t *testing.T) {
	r := newTestRoom(t, leanEars, Config{}, 3)
	for range 20 {
		l := openEar(t, r, 2, 0)
		l.waitConnected() // the client has the last flight; pion may still be sending it here
		require.NoError(t, l.pc.GracefulClose())
		assert.ErrorIs(t, waitDone(t, l.ear), ErrHangup)
	}
	assert.Equal(t, 0, r.Stats().Ears)
}

// cutConn is a client's socket whose cable can be pulled.
type cutConn struct {
	net.PacketConn
	cut atomic.Bool
}

func (c *cutConn) WriteTo(b []byte, to net.Addr) (int, error) {
	if c.cut.Load() {
		return len(b), nil
	}
	return c.PacketConn.WriteTo(b, to)
}

// withCut lets a client check every 20 ms, over a socket that can be cut.
func withCut(t *testing.T) (*cutConn, clientOption) {
	conn, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	require.NoError(t, err)
	cut := &cutConn{PacketConn: conn}
	mux := ice.NewUDPMuxDefault(ice.UDPMuxParams{UDPConn: cut})
	t.Cleanup(func() { _ = mux.Close() })
	return cut, func(s *webrtc.SettingEngine, _ *webrtc.MediaEngine) {
		s.SetICEUDPMux(mux)
		s.SetICETimeouts(time.Minute, time.Minute, 20*time.Millisecond)
	}
}

func TestSessionEndsAfterTheConsentTimeout(t *testing.T) {
	forEachEarKind(t, func(t *testing.T, ears earKind) {
		r := newTestRoom(t, ears, Config{ConsentTimeout: 500 * time.Millisecond}, 3)
		lost, cutIt := withCut(t)
		_, keepIt := withCut(t)
		gone, stays := openEar(t, r, 1, 0, cutIt), openEar(t, r, 1, 0, keepIt)
		gone.waitConnected()
		stays.waitConnected()
		lost.cut.Store(true)
		assert.ErrorIs(t, waitDone(t, gone.ear), ErrConsentLost)
		seen := stays.ear.Stats().LastCheck
		eventually(t, func() bool { return stays.ear.Stats().LastCheck.After(seen.Add(time.Second)) }, "checks go on")
		assert.Nil(t, stays.ear.Reason(), "one who checks is not closed")
		assert.Equal(t, 1, r.Stats().Ears)
	})
}

func TestConsentCountsAuthenticatedChecksOnly(t *testing.T) {
	forEachEarKind(t, func(t *testing.T, ears earKind) {
		r := newTestRoom(t, ears, Config{ConsentTimeout: 400 * time.Millisecond}, 3)
		cut, option := withCut(t)
		l := openEar(t, r, 1, 0, option)
		l.waitConnected()
		cut.cut.Store(true)
		// Anybody could send such packets from the client's address.
		stop := make(chan struct{})
		defer close(stop)
		to := net.UDPAddrFromAddrPort(r.engine.Addr())
		go func() {
			for {
				select {
				case <-stop:
					return
				case <-time.After(10 * time.Millisecond):
					_, _ = cut.PacketConn.WriteTo([]byte{0x80, 111, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3}, to)
				}
			}
		}()
		assert.ErrorIs(t, waitDone(t, l.ear), ErrConsentLost)
	})
}

func TestSessionEndsWhenTheClientNeverConnects(t *testing.T) {
	forEachEarKind(t, func(t *testing.T, ears earKind) {
		r := newTestRoom(t, ears, Config{ConsentTimeout: 200 * time.Millisecond}, 3)
		l := newListener(t)
		_, err := l.pc.AddTransceiverFromKind(webrtc.RTPCodecTypeAudio, webrtc.RTPTransceiverInit{Direction: webrtc.RTPTransceiverDirectionRecvonly})
		require.NoError(t, err)
		ear, err := r.OpenEar(context.Background(), 0, l.offer())
		require.NoError(t, err)
		assert.ErrorIs(t, waitDone(t, ear), ErrNeverConnected)
		assert.False(t, ear.Stats().Connected)
	})
}

func TestSessionRefusesAnotherCertificate(t *testing.T) {
	forEachEarKind(t, func(t *testing.T, ears earKind) {
		r := newTestRoom(t, ears, Config{}, 3)
		l := newListener(t)
		_, err := l.pc.AddTransceiverFromKind(webrtc.RTPCodecTypeAudio, webrtc.RTPTransceiverInit{Direction: webrtc.RTPTransceiverDirectionRecvonly})
		require.NoError(t, err)
		offer := l.offer()
		at := strings.Index(offer, "a=fingerprint:sha-256 ") + len("a=fingerprint:sha-256 ")
		forged := offer[:at] + flip(offer[at:at+1]) + offer[at+1:]
		ear, err := r.OpenEar(context.Background(), 0, forged)
		require.NoError(t, err)
		l.accept(ear.Answer())
		assert.ErrorIs(t, waitDone(t, ear), ErrHandshake)
		assert.Equal(t, 0, r.Stats().Ears)
	})
}

func flip(digit string) string {
	if digit == "0" {
		return "1"
	}
	return "0"
}

func TestMediaRoomCloseEndsItsSessionsAndNoOthers(t *testing.T) {
	forEachEarKind(t, func(t *testing.T, ears earKind) {
		r := newTestRoom(t, ears, Config{}, 3)
		other, err := r.newSibling(MediaRoomConfig{})
		require.NoError(t, err)
		l, o := openEar(t, r, 1, 0), openEar(t, other, 1, 0)
		s := newSpeaker(t, r, 1)
		l.waitConnected()
		o.waitConnected()
		require.NoError(t, r.Close())
		require.NoError(t, r.Close())
		assert.ErrorIs(t, l.ear.Reason(), ErrClosed)
		assert.ErrorIs(t, s.mic.Reason(), ErrClosed)
		assert.Nil(t, o.ear.Reason())
		_, err = r.OpenEar(context.Background(), 0, chromium(t, "ear3"))
		assert.ErrorIs(t, err, ErrClosed)
		_, err = r.OpenMic(context.Background(), 1, chromium(t, "mic"))
		assert.ErrorIs(t, err, ErrClosed)
	})
}

func TestEngineCloseFreesThePort(t *testing.T) {
	e, err := New(Config{Media: "127.0.0.1:0"})
	require.NoError(t, err)
	addr := e.Addr()
	_, err = New(Config{Media: addr.String()})
	require.Error(t, err)
	assert.ErrorContains(t, err, fmt.Sprint(addr.Port()))
	assert.ErrorContains(t, err, "another server has it")
	require.NoError(t, e.Close())
	require.NoError(t, e.Close())
	_, err = e.NewRoom(MediaRoomConfig{})
	assert.ErrorIs(t, err, ErrClosed)
	again, err := New(Config{Media: addr.String()})
	require.NoError(t, err)
	require.NoError(t, again.Close())
}

func TestBadConfigurationIsRefused(t *testing.T) {
	for _, cfg := range []Config{
		{Media: "nowhere"}, {Media: "127.0.0.1:99999"}, {Media: "192.0.2.1:0"},
		{Media: "127.0.0.1:0", ConsentTimeout: -1}, {Media: "127.0.0.1:0", Shards: -1},
	} {
		_, err := New(cfg)
		assert.Error(t, err, "%+v", cfg)
	}
	r := newTestRoom(t, leanEars, Config{}, 0)
	_, err := r.engine.NewRoom(MediaRoomConfig{Slots: -1})
	assert.Error(t, err)
}

func TestAdvertiseReplacesTheCandidates(t *testing.T) {
	forEachEarKind(t, func(t *testing.T, ears earKind) {
		r := newTestRoom(t, ears, Config{Advertise: netip.MustParseAddr("203.0.113.9")}, 3)
		ear, err := r.OpenEar(context.Background(), 0, chromium(t, "ear3"))
		require.NoError(t, err)
		want := fmt.Sprintf("a=candidate:1 1 udp 2130706431 203.0.113.9 %d typ host\r\n", r.engine.Addr().Port())
		assert.Contains(t, ear.Answer(), want)
		assert.Equal(t, 1, strings.Count(ear.Answer(), "a=candidate:"))
	})
}

func TestUnspecifiedAddressOffersEveryInterface(t *testing.T) {
	forEachEarKind(t, func(t *testing.T, ears earKind) {
		r := newTestRoom(t, ears, Config{Media: "0.0.0.0:0"}, 3)
		l := openEar(t, r, 1, 0)
		l.waitConnected()
		assert.Contains(t, l.ear.Answer(), fmt.Sprintf(" 127.0.0.1 %d typ host", r.engine.Addr().Port()))
		assert.NotContains(t, l.ear.Answer(), "0.0.0.0 "+fmt.Sprint(r.engine.Addr().Port()))
	})
}

func TestAddCandidateChecksFragments(t *testing.T) {
	forEachEarKind(t, func(t *testing.T, ears earKind) {
		r := newTestRoom(t, ears, Config{}, 3)
		ear, err := r.OpenEar(context.Background(), 0, chromium(t, "ear3"))
		require.NoError(t, err)
		own := "a=ice-ufrag:" + ear.offer.ICE.Ufrag + "\r\na=ice-pwd:" + ear.offer.ICE.Pwd + "\r\n"
		assert.NoError(t, ear.AddCandidate(own))
		assert.ErrorIs(t, ear.AddCandidate(testFragment), ErrRestart)
		assert.ErrorIs(t, ear.AddCandidate("hello"), ErrBadFragment)
		require.NoError(t, ear.Close())
		assert.ErrorIs(t, ear.AddCandidate(own), ErrClosed)
	})
}

func TestSessionIDsAndSecretsDiffer(t *testing.T) {
	forEachEarKind(t, func(t *testing.T, ears earKind) {
		r := newTestRoom(t, ears, Config{}, 3)
		seen := map[string]bool{}
		for range 20 {
			ear, err := r.OpenEar(context.Background(), 0, chromium(t, "ear3"))
			require.NoError(t, err)
			assert.GreaterOrEqual(t, len(ear.ID()), 26)
			for line := range strings.SplitSeq(ear.Answer(), "\r\n") {
				for _, key := range []string{"a=ice-ufrag:", "a=ice-pwd:", "a=ssrc:", "o=- "} {
					if strings.HasPrefix(line, key) {
						seen[line] = true
					}
				}
			}
			seen[ear.ID()] = true
		}
		// An id, an o= line, a fragment and a password each, and two lines for each
		// of three sources.
		assert.Len(t, seen, 20*(1+1+1+1+3*2))
	})
}

func TestCancelledOfferLeavesNothingBehind(t *testing.T) {
	forEachEarKind(t, func(t *testing.T, ears earKind) {
		r := newTestRoom(t, ears, Config{}, 3)
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		for range 20 {
			ear, err := r.OpenEar(ctx, 0, chromium(t, "ear3"))
			if err == nil { // the answer may be there before the context is looked at
				require.NoError(t, ear.Close())
				continue
			}
			assert.ErrorIs(t, err, context.Canceled)
		}
		assert.Empty(t, r.sessions)
		assert.Empty(t, r.engine.consents.connections)
		assert.Empty(t, r.engine.consents.pending)
		assert.Zero(t, r.engine.lite.Stats().Peers)
	})
}
