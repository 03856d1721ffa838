package endtoend_test

import (
	"net/http"
	"net/netip"
	"sync"
	"testing"
	"time"

	"github.com/pion/interceptor"
	"github.com/pion/rtp"
	"github.com/pion/sdp/v3"
	"github.com/pion/webrtc/v4"
	"github.com/stretchr/testify/require"

	"github.com/earshot-audio/earshot/loadgen/speech"
)

// clientAddress is where clients send from.
var clientAddress = netip.AddrFrom4([4]byte{127, 0, 0, 1})

// An exchange hands an offer to a server and returns its answer.
type exchange func(offer string) (answer string)

// byHTTP exchanges by WHIP or WHEP; the session is ended with the test.
func byHTTP(t *testing.T, url string) exchange {
	return func(offer string) string {
		resp, answer := request(t, http.MethodPost, url, "application/sdp", offer)
		require.Equal(t, http.StatusCreated, resp.StatusCode, answer)
		location, err := resp.Location()
		require.NoError(t, err)
		require.NotEmpty(t, location.Path)
		return answer
	}
}

// plain is a peer connection of Pion's own making, but for the loopback and what
// the test changes.
func plain(t *testing.T, change ...func(*webrtc.SettingEngine)) *webrtc.PeerConnection {
	t.Helper()
	media := &webrtc.MediaEngine{}
	require.NoError(t, media.RegisterDefaultCodecs())
	require.NoError(t, media.RegisterHeaderExtension(webrtc.RTPHeaderExtensionCapability{URI: sdp.AudioLevelURI}, webrtc.RTPCodecTypeAudio))
	registry := &interceptor.Registry{}
	require.NoError(t, webrtc.RegisterDefaultInterceptors(media, registry))
	settings := webrtc.SettingEngine{}
	settings.SetIncludeLoopbackCandidate(true)
	settings.SetInterfaceFilter(func(name string) bool {
		return !clientAddress.IsLoopback() || name == "lo" || name == "lo0"
	})
	for _, c := range change {
		c(&settings)
	}
	pc, err := webrtc.NewAPI(webrtc.WithMediaEngine(media), webrtc.WithInterceptorRegistry(registry), webrtc.WithSettingEngine(settings)).
		NewPeerConnection(webrtc.Configuration{})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, pc.GracefulClose()) })
	return pc
}

// connect exchanges descriptions and returns when the connection is up.
func connect(t *testing.T, pc *webrtc.PeerConnection, by exchange) {
	t.Helper()
	up := make(chan struct{})
	var once sync.Once
	pc.OnConnectionStateChange(func(s webrtc.PeerConnectionState) {
		if s == webrtc.PeerConnectionStateConnected {
			once.Do(func() { close(up) })
		}
	})
	offer, err := pc.CreateOffer(nil)
	require.NoError(t, err)
	gathered := webrtc.GatheringCompletePromise(pc)
	require.NoError(t, pc.SetLocalDescription(offer))
	<-gathered
	answer := by(pc.LocalDescription().SDP)
	require.NoError(t, pc.SetRemoteDescription(webrtc.SessionDescription{Type: webrtc.SDPTypeAnswer, SDP: answer}))
	select {
	case <-up:
	case <-time.After(patience):
		t.Fatalf("not connected: %s", pc.ConnectionState())
	}
}

// A publisher is a mic that sends the frames it is given.
type publisher struct {
	t        *testing.T
	track    *webrtc.TrackLocalStaticRTP
	level    uint8
	sequence uint16
	stamp    uint32
}

func publish(t *testing.T, by exchange, change ...func(*webrtc.SettingEngine)) *publisher {
	t.Helper()
	pc := plain(t, change...)
	track, err := webrtc.NewTrackLocalStaticRTP(webrtc.RTPCodecCapability{MimeType: webrtc.MimeTypeOpus, ClockRate: 48000, Channels: 2}, "a", "b")
	require.NoError(t, err)
	sender, err := pc.AddTrack(track)
	require.NoError(t, err)
	drained := make(chan struct{})
	go func() {
		defer close(drained)
		b := make([]byte, 1500)
		for {
			if _, _, err := sender.Read(b); err != nil {
				return
			}
		}
	}()
	connect(t, pc, by)
	p := &publisher{t: t, track: track, sequence: 65_500, stamp: 1 << 31}
	for _, e := range sender.GetParameters().HeaderExtensions {
		if e.URI == sdp.AudioLevelURI {
			p.level = uint8(e.ID)
		}
	}
	require.NotZero(t, p.level, "the server takes audio levels")
	return p
}

// say sends frames, one every 20 ms, all at one level.
func (p *publisher) say(frames []speech.Frame, level uint8) {
	p.t.Helper()
	tick := time.NewTicker(speech.FrameLength)
	defer tick.Stop()
	for i, f := range frames {
		packet := &rtp.Packet{Header: rtp.Header{Version: 2, Marker: i == 0, SequenceNumber: p.sequence, Timestamp: p.stamp}, Payload: f.Payload}
		l, err := (&rtp.AudioLevelExtension{Level: level, Voice: true}).Marshal()
		require.NoError(p.t, err)
		require.NoError(p.t, packet.SetExtension(p.level, l))
		require.NoError(p.t, p.track.WriteRTP(packet))
		p.sequence++
		p.stamp += 960
		<-tick.C
	}
	p.stamp += 48_000 // silence
}

// A listener keeps what its ear receives, by section.
type listener struct {
	pc *webrtc.PeerConnection

	mu    sync.Mutex
	heard map[string][]*rtp.Packet // by mid
}

func listen(t *testing.T, sections int, by exchange, change ...func(*webrtc.SettingEngine)) *listener {
	t.Helper()
	pc := plain(t, change...)
	l := &listener{pc: pc, heard: map[string][]*rtp.Packet{}}
	for range sections {
		_, err := pc.AddTransceiverFromKind(webrtc.RTPCodecTypeAudio, webrtc.RTPTransceiverInit{Direction: webrtc.RTPTransceiverDirectionRecvonly})
		require.NoError(t, err)
	}
	pc.OnTrack(func(track *webrtc.TrackRemote, receiver *webrtc.RTPReceiver) {
		var mid string
		for _, tr := range pc.GetTransceivers() {
			if tr.Receiver() == receiver {
				mid = tr.Mid()
			}
		}
		for {
			p, _, err := track.ReadRTP()
			if err != nil {
				return
			}
			l.mu.Lock()
			l.heard[mid] = append(l.heard[mid], p)
			l.mu.Unlock()
		}
	})
	connect(t, pc, by)
	return l
}

// close ends the ear as its client does.
func (l *listener) close(t *testing.T) {
	t.Helper()
	require.NoError(t, l.pc.GracefulClose())
}

// all are what all sections have received so far.
func (l *listener) all() (all []*rtp.Packet) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, p := range l.heard {
		all = append(all, p...)
	}
	return all
}

// wait waits until n packets have come in.
func (l *listener) wait(t *testing.T, n int) []*rtp.Packet {
	t.Helper()
	require.Eventually(t, func() bool { return len(l.all()) >= n }, patience, 10*time.Millisecond, "%d packets", n)
	return l.all()
}
