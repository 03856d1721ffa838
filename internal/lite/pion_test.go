package lite

import (
	"encoding/binary"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pion/ice/v4"
	"github.com/pion/interceptor"
	"github.com/pion/logging"
	"github.com/pion/rtcp"
	"github.com/pion/rtp"
	pionsdp "github.com/pion/sdp/v3"
	"github.com/pion/webrtc/v4"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	piondtls "github.com/pion/dtls/v3"

	"github.com/earshot-audio/earshot/internal/dtls"
	"github.com/earshot-audio/earshot/internal/sdp"
	"github.com/earshot-audio/earshot/internal/srtp"
)

// full is a PeerConnection of pion/webrtc.
type pionPeer struct {
	*webrtc.PeerConnection
	states chan webrtc.PeerConnectionState
}

func newPionPeer(t testing.TB, tune ...func(*webrtc.SettingEngine)) *pionPeer {
	t.Helper()
	var settings webrtc.SettingEngine
	settings.SetIncludeLoopbackCandidate(true)
	settings.SetICEMulticastDNSMode(ice.MulticastDNSModeDisabled)
	settings.SetNetworkTypes([]webrtc.NetworkType{webrtc.NetworkTypeUDP4})
	settings.SetIPFilter(func(ip net.IP) bool { return ip.IsLoopback() })
	quiet := logging.NewDefaultLoggerFactory()
	quiet.DefaultLogLevel = logging.LogLevelDisabled
	settings.LoggerFactory = quiet
	for _, f := range tune {
		f(&settings)
	}
	media, registry := &webrtc.MediaEngine{}, &interceptor.Registry{}
	require.NoError(t, media.RegisterDefaultCodecs())
	require.NoError(t, webrtc.ConfigureRTCPReports(registry))
	pc, err := webrtc.NewAPI(webrtc.WithSettingEngine(settings), webrtc.WithMediaEngine(media),
		webrtc.WithInterceptorRegistry(registry)).NewPeerConnection(webrtc.Configuration{})
	require.NoError(t, err)
	f := &pionPeer{PeerConnection: pc, states: make(chan webrtc.PeerConnectionState, 20)}
	pc.OnConnectionStateChange(func(s webrtc.PeerConnectionState) { f.states <- s })
	t.Cleanup(func() { _ = pc.GracefulClose() })
	return f
}

// reach waits for a state.
func (f *pionPeer) reach(t testing.TB, want webrtc.PeerConnectionState) {
	t.Helper()
	for reached := false; !reached; {
		reached = within(t, f.states, "state "+want.String()) == want
	}
}

// describe sets the local description and gives it with its candidates.
func (f *pionPeer) describe(t testing.TB, d webrtc.SessionDescription) *pionsdp.SessionDescription {
	t.Helper()
	gathered := webrtc.GatheringCompletePromise(f.PeerConnection)
	require.NoError(t, f.SetLocalDescription(d))
	<-gathered
	var parsed pionsdp.SessionDescription
	require.NoError(t, parsed.UnmarshalString(f.LocalDescription().SDP))
	return &parsed
}

// identity takes from an SDP what identifies its side.
func identity(t testing.TB, d *pionsdp.SessionDescription) (sdp.Credentials, sdp.Fingerprint) {
	t.Helper()
	find := func(name string) string {
		if v, ok := d.MediaDescriptions[0].Attribute(name); ok {
			return v
		}
		v, ok := d.Attribute(name)
		require.True(t, ok, name)
		return v
	}
	fingerprint, err := sdp.ParseFingerprint(find("fingerprint"))
	require.NoError(t, err)
	return sdp.Credentials{Ufrag: find("ice-ufrag"), Pwd: find("ice-pwd")}, fingerprint
}

// litesdp writes the SDP of a lite endpoint for one audio section.
func litesdp(c sdp.Credentials, fingerprint sdp.Fingerprint, at netip.AddrPort, lite bool, setup, direction string, ssrc uint32) string {
	lines := []string{"v=0", "o=- 1 1 IN IP4 127.0.0.1", "s=-", "t=0 0", "a=group:BUNDLE 0"}
	if lite {
		lines = append(lines, "a=ice-lite")
	}
	lines = append(lines, "m=audio 9 UDP/TLS/RTP/SAVPF 111", "c=IN IP4 0.0.0.0", "a=mid:0", "a=rtcp-mux",
		"a=ice-ufrag:"+c.Ufrag, "a=ice-pwd:"+c.Pwd, "a=fingerprint:"+string(fingerprint), "a=setup:"+setup,
		"a="+direction, "a=rtpmap:111 opus/48000/2")
	if ssrc != 0 {
		lines = append(lines, fmt.Sprintf("a=ssrc:%d cname:earshot", ssrc), fmt.Sprintf("a=ssrc:%d msid:room slot", ssrc))
	}
	if at.IsValid() {
		lines = append(lines, fmt.Sprintf("a=candidate:1 1 udp 2130706431 %v %d typ host", at.Addr(), at.Port()), "a=end-of-candidates")
	}
	return strings.Join(lines, "\r\n") + "\r\n"
}

// listenWith connects a full client to a lite server.
func listenWith(t testing.TB, s *testServer, f *pionPeer) (*Peer, *peerRecorder, <-chan *rtp.Packet) {
	t.Helper()
	packets := make(chan *rtp.Packet, 1000)
	f.OnTrack(func(track *webrtc.TrackRemote, _ *webrtc.RTPReceiver) {
		for {
			p, _, err := track.ReadRTP()
			if err != nil {
				return
			}
			packets <- p
		}
	})
	_, err := f.AddTransceiverFromKind(webrtc.RTPCodecTypeAudio, webrtc.RTPTransceiverInit{Direction: webrtc.RTPTransceiverDirectionRecvonly})
	require.NoError(t, err)
	remote, fingerprint := identity(t, f.describe(t, must(f.CreateOffer(nil))))
	local, e := sdp.NewCredentials(), newPeerRecorder(s.port)
	p, err := s.Add(PeerConfig{Local: local, Remote: remote, Fingerprint: fingerprint, Events: e}, time.Now())
	require.NoError(t, err)
	require.NoError(t, f.SetRemoteDescription(webrtc.SessionDescription{Type: webrtc.SDPTypeAnswer,
		SDP: litesdp(local, s.cert.Fingerprint(), s.port.addr(), true, "passive", "sendonly", 42)}))
	return p, e, packets
}

func TestServerWithPionInEveryProfile(t *testing.T) {
	for _, p := range srtp.DefaultProfiles() {
		t.Run(p.String(), func(t *testing.T) {
			s := newTestServer(t)
			f := newPionPeer(t, func(e *webrtc.SettingEngine) {
				e.SetSRTPProtectionProfiles(piondtls.SRTPProtectionProfile(p))
			})
			_, e, packets := listenWith(t, s, f)
			f.reach(t, webrtc.PeerConnectionStateConnected)
			within(t, e.ready, "the server's readiness")
			st := e.stream(t, 42)
			for seq := uint16(32700); seq < 32760; seq++ {
				payload := randomBytes(int(seq) % 300)
				plain := e.speak(t, st, seq, append(payload, 1))
				got, err := within(t, packets, "a packet").Marshal()
				require.NoError(t, err)
				require.Equal(t, plain, got)
			}
			// Its receiver reports come back, each second.
			parsed, err := rtcp.Unmarshal(within(t, e.rtcp, "a receiver report"))
			require.NoError(t, err)
			require.IsType(t, &rtcp.ReceiverReport{}, parsed[0])
		})
	}
}

func TestPeerCloseReachesPion(t *testing.T) {
	s, f := newTestServer(t), newPionPeer(t)
	p, e, _ := listenWith(t, s, f)
	f.reach(t, webrtc.PeerConnectionStateConnected)
	within(t, e.ready, "the server's readiness")
	s.port.losing(func(b []byte) bool { return b[0] != dtls.RecordAlert }) // nothing else can tell it
	p.Close()
	f.reach(t, webrtc.PeerConnectionStateClosed)
}

func TestPeerEndsWithPionsCloseNotify(t *testing.T) {
	s, f := newTestServer(t), newPionPeer(t)
	_, e, _ := listenWith(t, s, f)
	f.reach(t, webrtc.PeerConnectionStateConnected)
	within(t, e.ready, "the server's readiness")
	require.NoError(t, f.Close())
	assert.ErrorIs(t, within(t, e.closed, "the peer's end"), ErrPeerClosed)
	assert.Zero(t, s.Stats().Peers)
}

func TestPionFollowsARolloverWithTenPacketsLost(t *testing.T) {
	s, f := newTestServer(t), newPionPeer(t)
	_, e, packets := listenWith(t, s, f)
	f.reach(t, webrtc.PeerConnectionStateConnected)
	within(t, e.ready, "the server's readiness")
	st := e.stream(t, 42)
	hear := func(seq uint16) {
		plain := e.speak(t, st, seq, []byte("speech"))
		require.Equal(t, plain, must(within(t, packets, "a packet").Marshal()))
	}
	for i := 32767; i < 65530; i += 10000 {
		hear(uint16(i))
	}
	hear(65530)
	for seq := uint16(65531); seq != 5; seq++ {
		h, _ := testPacket(t, seq, 42, nil)
		_, err := st.Seal(make([]byte, 0, 200), h, nil) // and lost
		require.NoError(t, err)
	}
	for seq := uint16(5); seq < 20; seq++ {
		hear(seq)
	}
}

func TestClientWithPionServer(t *testing.T) {
	for _, lite := range []bool{true, false} {
		t.Run(fmt.Sprintf("lite=%v", lite), func(t *testing.T) {
			a := newTestClients(t)
			f := newPionPeer(t, func(e *webrtc.SettingEngine) { e.SetLite(lite) })
			track, err := webrtc.NewTrackLocalStaticRTP(webrtc.RTPCodecCapability{MimeType: webrtc.MimeTypeOpus}, "slot", "room")
			require.NoError(t, err)
			sender, err := f.AddTrack(track)
			require.NoError(t, err)
			local := sdp.NewCredentials()
			require.NoError(t, f.SetRemoteDescription(webrtc.SessionDescription{Type: webrtc.SDPTypeOffer,
				SDP: litesdp(local, a.cert.Fingerprint(), netip.AddrPort{}, false, "active", "recvonly", 0)}))
			answer := f.describe(t, must(f.CreateAnswer(nil)))
			remote, fingerprint := identity(t, answer)
			p, h := openTestSocket(t), newClientRecorder()
			var client *Client
			ready := make(chan struct{})
			p.serve(t, func(b []byte, from netip.AddrPort, now time.Time) {
				<-ready
				client.Handle(b, from, now)
			})
			client, err = a.Connect(ClientConfig{Local: local, Remote: remote, Fingerprint: fingerprint,
				Server: candidate(t, answer), Send: p, Events: h}, time.Now())
			require.NoError(t, err)
			close(ready)
			within(t, h.ready, "the client's readiness")
			require.Eventually(t, func() bool { return client.opener.Load() != nil }, patience, time.Millisecond)
			f.reach(t, webrtc.PeerConnectionStateConnected)
			client.mu.Lock()
			assert.Equal(t, !lite, client.checked, "a full ICE agent checks the path, and may take no hello before")
			client.mu.Unlock()

			reports := make(chan rtcp.Packet, 100)
			go func() {
				for {
					ps, _, err := sender.ReadRTCP()
					if err != nil {
						return
					}
					for _, r := range ps {
						reports <- r
					}
				}
			}()
			for seq := uint16(1); seq <= 50; seq++ {
				require.NoError(t, track.WriteRTP(&rtp.Packet{Header: rtp.Header{Version: 2, SequenceNumber: seq,
					Timestamp: uint32(seq) * 960, CSRC: []uint32{7}}, Payload: []byte{byte(seq), 2, 3}}))
				var got rtp.Packet
				require.NoError(t, got.Unmarshal(within(t, h.rtp, "a packet")))
				require.Equal(t, []byte{byte(seq), 2, 3}, got.Payload)
				require.Equal(t, seq, got.SequenceNumber)
			}
			within(t, h.rtcp, "a sender report")
			ssrc := uint32(sender.GetParameters().Encodings[0].SSRC)
			require.NoError(t, client.SendRTCP(must(rtcp.Marshal([]rtcp.Packet{&rtcp.ReceiverReport{SSRC: 1,
				Reports: []rtcp.ReceptionReport{{SSRC: ssrc, LastSequenceNumber: 50}}}}))))
			for r := range reports {
				if rr, ok := r.(*rtcp.ReceiverReport); ok {
					assert.EqualValues(t, 50, rr.Reports[0].LastSequenceNumber)
					break
				}
			}
			if lite {
				client.Close()
				f.reach(t, webrtc.PeerConnectionStateClosed)
			} else {
				require.NoError(t, f.Close())
				assert.ErrorIs(t, within(t, h.closed, "the client's end"), ErrPeerClosed)
			}
		})
	}
}

// candidate gives the first candidate of an SDP.
func candidate(t testing.TB, d *pionsdp.SessionDescription) netip.AddrPort {
	t.Helper()
	line, ok := d.MediaDescriptions[0].Attribute("candidate")
	require.True(t, ok)
	fields := strings.Fields(line)
	return netip.MustParseAddrPort(fields[4] + ":" + fields[5])
}

// Chromium's first hello spans two datagrams, which may come in either order.
func TestServerReassemblesASplitClientHello(t *testing.T) {
	for _, swapped := range []bool{false, true} {
		t.Run(fmt.Sprintf("swapped=%v", swapped), func(t *testing.T) {
			s, a := newTestServer(t), newTestClients(t)
			p := openTestSocket(t)
			seq, split := uint64(0), 0
			p.losing(func(b []byte) bool {
				if classify(b) != kindDTLS {
					return false
				}
				parts := [][]byte{append([]byte(nil), b...)}
				if dtls.IsHello(b) {
					parts = splitHello(b)
					split++
				}
				seq = renumber(parts, seq) // the split takes a sequence number
				if swapped {
					slices.Reverse(parts)
				}
				for _, datagram := range parts {
					_, _ = p.conn.WriteToUDPAddrPort(datagram, s.port.addr())
				}
				return true
			})
			x := join(t, s, a, p)
			x.waitReady(t)
			st := x.ear.stream(t, 42)
			plain := x.ear.speak(t, st, 2, []byte("speech"))
			assert.Equal(t, plain, within(t, x.heard.rtp, "a packet"))
			assert.Positive(t, split)
		})
	}
}

// renumber gives the records of epoch 0 sequence numbers from seq, and returns the
// next one.
func renumber(datagrams [][]byte, seq uint64) uint64 {
	for _, datagram := range datagrams {
		for r := range dtls.Records(datagram) {
			if r.Epoch == 0 {
				binary.BigEndian.PutUint64(r.Raw[3:], seq)
				seq++
			}
		}
	}
	return seq
}

// messageHeader is the length of a handshake message's header.
const messageHeader = 12

// splitHello makes two records of one handshake message (RFC 6347, section 4.2.3).
func splitHello(b []byte) [][]byte {
	message := b[dtls.RecordHeader+messageHeader:]
	cut := len(message) / 2
	var halves [][]byte
	for i, part := range [][]byte{message[:cut], message[cut:]} {
		h := append([]byte(nil), b[:dtls.RecordHeader+messageHeader]...)
		put24(h[dtls.RecordHeader+6:], i*cut)
		put24(h[dtls.RecordHeader+9:], len(part))
		binary.BigEndian.PutUint16(h[11:], uint16(messageHeader+len(part)))
		halves = append(halves, append(h, part...))
	}
	return halves
}

func put24(b []byte, v int) { b[0], b[1], b[2] = byte(v>>16), byte(v>>8), byte(v) }
