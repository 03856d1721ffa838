package rtc

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pion/dtls/v3"
	"github.com/pion/webrtc/v4"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/earshot-audio/earshot/internal/udpproxy"
	"github.com/earshot-audio/earshot/room/fanout"
)

// opened opens an ear for a listener, whose packets go through a proxy.
func (l *listener) opened(r *testRoom, p *udpproxy.Proxy) {
	l.t.Helper()
	_, err := l.pc.AddTransceiverFromKind(webrtc.RTPCodecTypeAudio, webrtc.RTPTransceiverInit{Direction: webrtc.RTPTransceiverDirectionRecvonly})
	require.NoError(l.t, err)
	l.ear, err = r.OpenEar(context.Background(), 0, l.offer())
	require.NoError(l.t, err)
	l.accept(viaProxy(p, l.ear.Answer()))
	l.waitConnected()
	eventually(l.t, func() bool { return r.Stats().Ears == 1 }, "it is subscribed")
}

// useSRTP is how the extension of a ServerHello begins that names one profile
// (RFC 5764, section 4.1.1): type 14, five bytes, two of them the profile.
var useSRTP = []byte{0, 14, 0, 5, 0, 2}

func TestEarNegotiatesTheServersFavouriteProfile(t *testing.T) {
	forEachEarKind(t, func(t *testing.T, ears earKind) {
		r := newTestRoom(t, ears, Config{}, 1)
		s := newSpeaker(t, r, 1, withLevel)
		const one, two, three = dtls.SRTP_AEAD_AES_128_GCM, dtls.SRTP_AEAD_AES_256_GCM, dtls.SRTP_AES128_CM_HMAC_SHA1_80
		for _, row := range []struct {
			name    string
			offered []dtls.SRTPProtectionProfile
			want    dtls.SRTPProtectionProfile
		}{
			{"of all, whatever the client's order, the one that costs least", []dtls.SRTPProtectionProfile{three, two, one}, one},
			{"of the others the one with the longer key", []dtls.SRTPProtectionProfile{three, two}, two},
			{"the one that every client has, if it has no other", []dtls.SRTPProtectionProfile{three}, three},
		} {
			t.Run(row.name, func(t *testing.T) {
				l := newListener(t, func(e *webrtc.SettingEngine, _ *webrtc.MediaEngine) {
					e.SetSRTPProtectionProfiles(row.offered...)
				})
				p := startProxy(t, r.engine)
				var chosen atomic.Uint32
				p.Filter(nil, func(_ netip.AddrPort, b []byte) [][]byte {
					if at := bytes.Index(b, useSRTP); b[0] == handshakeRecord && at >= 0 {
						chosen.Store(uint32(binary.BigEndian.Uint16(b[at+len(useSRTP):])))
					}
					return [][]byte{b}
				})
				l.opened(r, p)
				s.say([]byte(row.name), 30)
				eventually(t, func() bool { return l.heard([]string{row.name}) }, "it hears")
				require.NoError(t, l.ear.Close())
				assert.Equal(t, row.want, dtls.SRTPProtectionProfile(chosen.Load()))
			})
		}
	})
}

// When the room has talked so long that the slot's own count is about to roll
// over, somebody joins, and a bad network takes their first ten packets.
func TestEarJoiningAtTheSlotsRolloverSurvivesLoss(t *testing.T) {
	forEachEarKind(t, func(t *testing.T, ears earKind) {
		const joinsAt, lost, frames = 65530, 10, 40
		r := newTestRoom(t, ears, Config{}, 1)
		m, err := r.router.Publish(7)
		require.NoError(t, err)
		said := 0
		say := func() {
			m.Push(fanout.Frame{Seq: uint16(said), Timestamp: uint32(960 * said), Level: 30, Payload: binary.BigEndian.AppendUint32(nil, uint32(said))})
			said++
		}
		for range joinsAt {
			say() // for nobody
		}
		time.Sleep(2 * airTime) // else the last of them would still be in the air

		p := startProxy(t, r.engine)
		gone := 0
		p.Filter(nil, func(_ netip.AddrPort, b []byte) [][]byte {
			if b[0] >= 128 && b[1]&0x7f == 111 && gone < lost {
				gone++
				return nil
			}
			return [][]byte{b}
		})
		l := newListener(t)
		l.opened(r, p)
		for range frames {
			say()
			time.Sleep(time.Millisecond)
		}
		eventually(t, func() bool { return len(l.payloads()) == frames-lost }, "it hears the rest")
		for i, p := range l.first() {
			require.Equal(t, uint32(joinsAt+lost+i), binary.BigEndian.Uint32(p.Payload))
		}
	})
}

// A client that has moved is heard of by whichever of the port's sockets the
// system now gives its packets to; its ear stays with its shard, which sends by
// its own.
func TestEarFollowsAClientToAnySocketOfThePort(t *testing.T) {
	forEachEarKind(t, func(t *testing.T, ears earKind) {
		r := newTestRoom(t, ears, Config{Shards: 4}, 3)
		s := newSpeaker(t, r, 1, withLevel)
		c := newCrowd(t)
		o := c.join(r)
		eventually(t, func() bool { return r.Stats().Ears == 1 }, "it is subscribed")
		const moves = 12 // all of which come by one of four sockets once in 4 million runs
		for i := range moves {
			s.say(fmt.Append(nil, i), 30)
			eventually(t, func() bool { return o.count() == i+1 }, "it hears where it is")
			seen := o.ear.Stats().LastCheck
			old := o.socket
			o.read(o.open())
			require.NoError(t, old.Close())
			c.ahead.Add(int64(10 * time.Second)) // a check is due
			eventually(t, func() bool { return o.ear.Stats().LastCheck.After(seen) }, "it checks from elsewhere")
			eventually(t, func() bool { return o.answered() }, "and is answered there")
			eventually(t, func() bool { return o.followed() }, "and has answered the server")
		}
		s.say([]byte("at last"), 30)
		eventually(t, func() bool { return o.count() == moves+1 }, "it hears everywhere")
		o.mu.Lock()
		defer o.mu.Unlock()
		assert.Len(t, o.local, moves+1, "addresses")
		checkUnbroken(t, o.heard)
	})
}

// answered says whether the client's present socket has received anything.
func (o *one) answered() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.local[o.socket.LocalAddr().String()] > 0
}

// followed says whether the ear is to be sent to the client's present socket. Pion's
// decides at once.
func (o *one) followed() bool {
	l, ok := o.ear.subscriber.sink.(*leanEndpoint)
	if !ok {
		return true
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	return l.getPeer().Addr().String() == o.socket.LocalAddr().String()
}

func TestAnswersShareOneCertificate(t *testing.T) {
	forEachEarKind(t, func(t *testing.T, ears earKind) {
		r := newTestRoom(t, ears, Config{}, 3)
		other, err := r.engine.NewRoom(MediaRoomConfig{})
		require.NoError(t, err)
		prints := map[string]bool{}
		for i := range 10 {
			ear, err := r.OpenEar(t.Context(), 0, chromium(t, "ear3"))
			require.NoError(t, err)
			mic, err := other.OpenMic(t.Context(), uint32(i+1), chromium(t, "mic"))
			require.NoError(t, err)
			for _, answer := range []string{ear.Answer(), mic.Answer()} {
				for line := range strings.SplitSeq(answer, "\r\n") {
					if strings.HasPrefix(line, "a=fingerprint:") {
						prints[line] = true
					}
				}
			}
		}
		assert.Len(t, prints, 1, "making one costs more than a handshake")
	})
}
