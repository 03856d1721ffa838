package signaling

import (
	"encoding/binary"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pion/interceptor"
	"github.com/pion/rtp"
	"github.com/pion/webrtc/v4"
	"github.com/stretchr/testify/require"

	"github.com/earshot-audio/earshot/signaling/wire"
)

const levelURI = "urn:ietf:params:rtp-hdrext:ssrc-audio-level"

// peer is a real WebRTC client with one session: a mic that talks all the time
// once it is connected, or an ear that records what it hears.
type peer struct {
	t    *testing.T
	pc   *webrtc.PeerConnection
	sent atomic.Uint32 // frames, of a mic; their payload holds the number

	mu    sync.Mutex
	heard []heard
	over  bool // the connection has ended
	stop  chan struct{}
	work  sync.WaitGroup
}

// heard is one packet that an ear received.
type heard struct {
	talker, frame uint32
	at            time.Time
}

func newPeer(t *testing.T, media wire.Media, sections int) *peer {
	t.Helper()
	engine := &webrtc.MediaEngine{}
	require.NoError(t, engine.RegisterCodec(webrtc.RTPCodecParameters{
		RTPCodecCapability: webrtc.RTPCodecCapability{MimeType: webrtc.MimeTypeOpus, ClockRate: 48000, Channels: 2, SDPFmtpLine: "minptime=10;useinbandfec=1"},
		PayloadType:        111,
	}, webrtc.RTPCodecTypeAudio))
	require.NoError(t, engine.RegisterHeaderExtension(webrtc.RTPHeaderExtensionCapability{URI: levelURI}, webrtc.RTPCodecTypeAudio))
	settings := webrtc.SettingEngine{}
	settings.SetIncludeLoopbackCandidate(true)
	settings.SetNetworkTypes([]webrtc.NetworkType{webrtc.NetworkTypeUDP4})
	api := webrtc.NewAPI(webrtc.WithMediaEngine(engine), webrtc.WithSettingEngine(settings),
		webrtc.WithInterceptorRegistry(&interceptor.Registry{}))
	pc, err := api.NewPeerConnection(webrtc.Configuration{})
	require.NoError(t, err)
	p := &peer{t: t, pc: pc, stop: make(chan struct{})}
	connected := make(chan struct{})
	var once sync.Once
	pc.OnConnectionStateChange(func(state webrtc.PeerConnectionState) {
		switch state {
		case webrtc.PeerConnectionStateConnected:
			once.Do(func() { close(connected) })
		case webrtc.PeerConnectionStateClosed, webrtc.PeerConnectionStateFailed, webrtc.PeerConnectionStateDisconnected:
			p.mu.Lock()
			p.over = true
			p.mu.Unlock()
		}
	})
	if media == wire.MediaMic {
		track, err := webrtc.NewTrackLocalStaticRTP(webrtc.RTPCodecCapability{MimeType: webrtc.MimeTypeOpus}, "a", "s")
		require.NoError(t, err)
		transceiver, err := pc.AddTransceiverFromTrack(track, webrtc.RTPTransceiverInit{Direction: webrtc.RTPTransceiverDirectionSendonly})
		require.NoError(t, err)
		p.work.Go(func() { p.talk(connected, transceiver.Sender(), track) })
	} else {
		for range sections {
			_, err := pc.AddTransceiverFromKind(webrtc.RTPCodecTypeAudio, webrtc.RTPTransceiverInit{Direction: webrtc.RTPTransceiverDirectionRecvonly})
			require.NoError(t, err)
		}
		pc.OnTrack(func(track *webrtc.TrackRemote, _ *webrtc.RTPReceiver) { p.listen(track) })
	}
	t.Cleanup(p.close)
	return p
}

// close ends the connection from the client's side.
func (p *peer) close() {
	p.mu.Lock()
	select {
	case <-p.stop:
	default:
		close(p.stop)
	}
	p.mu.Unlock()
	_ = p.pc.GracefulClose()
	p.work.Wait()
}

// offer returns the client's offer, without candidates: the server learns its
// address from its checks.
func (p *peer) offer() string {
	p.t.Helper()
	offer, err := p.pc.CreateOffer(nil)
	require.NoError(p.t, err)
	require.NoError(p.t, p.pc.SetLocalDescription(offer))
	return offer.SDP
}

func (p *peer) accept(answer string) {
	p.t.Helper()
	require.NoError(p.t, p.pc.SetRemoteDescription(webrtc.SessionDescription{Type: webrtc.SDPTypeAnswer, SDP: answer}))
}

// talk sends a frame every 20 ms, all of them loud.
func (p *peer) talk(connected <-chan struct{}, sender *webrtc.RTPSender, track *webrtc.TrackLocalStaticRTP) {
	select {
	case <-connected:
	case <-p.stop:
		return
	}
	var id uint8
	for _, extension := range sender.GetParameters().HeaderExtensions {
		if extension.URI == levelURI {
			id = uint8(extension.ID)
		}
	}
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-p.stop:
			return
		case <-tick.C:
		}
		n := p.sent.Add(1)
		packet := &rtp.Packet{
			Header:  rtp.Header{Version: 2, SequenceNumber: uint16(n), Timestamp: 960 * n},
			Payload: binary.BigEndian.AppendUint32([]byte{0x78}, n),
		}
		if id != 0 {
			_ = packet.SetExtension(id, []byte{0x80 | 20})
		}
		_ = track.WriteRTP(packet)
	}
}

func (p *peer) listen(track *webrtc.TrackRemote) {
	for {
		packet, _, err := track.ReadRTP()
		if err != nil {
			return
		}
		if len(packet.Payload) != 5 || len(packet.CSRC) != 1 {
			continue
		}
		p.mu.Lock()
		p.heard = append(p.heard, heard{packet.CSRC[0], binary.BigEndian.Uint32(packet.Payload[1:]), time.Now()})
		p.mu.Unlock()
	}
}

// all returns what an ear has heard so far.
func (p *peer) all() []heard {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]heard(nil), p.heard...)
}

// awaitFrame waits until the ear has heard a frame of the talker that is later
// than the given one.
func (p *peer) awaitFrame(talker, after uint32) {
	p.t.Helper()
	require.Eventually(p.t, func() bool {
		for _, h := range p.all() {
			if h.talker == talker && h.frame > after {
				return true
			}
		}
		return false
	}, eventually, often, "talker %d is not heard", talker)
}

// awaitConnected waits until ICE and DTLS are up: only then can the server tell
// the client of an end.
func (p *peer) awaitConnected() {
	p.t.Helper()
	require.Eventually(p.t, func() bool { return p.pc.ConnectionState() == webrtc.PeerConnectionStateConnected }, eventually, often)
}

// awaitEnd waits until the server has ended the connection.
func (p *peer) awaitEnd() {
	p.t.Helper()
	require.Eventually(p.t, func() bool {
		p.mu.Lock()
		defer p.mu.Unlock()
		return p.over
	}, eventually, often, "the connection goes on")
}

// openMedia opens a mic or an ear over a client's WebSocket.
func (c *client) openMedia(media wire.Media) *peer {
	c.t.Helper()
	p := newPeer(c.t, media, 3)
	c.send(wire.Offer{Media: media, SDP: p.offer()})
	p.accept(await[wire.Answer](c).SDP)
	return p
}
