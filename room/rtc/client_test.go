package rtc

import (
	"context"
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pion/ice/v4"
	"github.com/pion/interceptor"
	"github.com/pion/logging"
	"github.com/pion/rtp"
	"github.com/pion/webrtc/v4"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/earshot-audio/earshot/internal/sdp"
	"github.com/earshot-audio/earshot/room/fanout"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience bounds the wait for what must happen.
const patience = 30 * time.Second

func eventually(t testing.TB, condition func() bool, what string) {
	t.Helper()
	require.Eventually(t, condition, patience, 2*time.Millisecond, what)
}

// newRouter makes a router with shards of its own.
func newRouter(t testing.TB, cfg fanout.Config, shards fanout.ShardsConfig) *fanout.Router {
	t.Helper()
	var err error
	cfg.Shards, err = fanout.NewShards(shards)
	require.NoError(t, err)
	r, err := fanout.New(cfg)
	require.NoError(t, err)
	t.Cleanup(func() {
		r.Close()
		cfg.Shards.Close()
	})
	return r
}

// clock is the time of a room's packets under the test's control.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// show is a room whose packets come when the test says so, however slow the
// machine is.
type show struct {
	*testRoom
	t     *testing.T
	clock *clock
}

func newShow(t *testing.T, ears earKind, slots int) *show {
	t.Helper()
	e := newEngine(t, ears, Config{})
	c := &clock{now: time.Unix(1_000_000, 0)}
	e.now = c.Now
	r, err := e.NewRoom(MediaRoomConfig{Slots: slots, AudienceHold: ears.hold()})
	require.NoError(t, err)
	return &show{testRoom: &testRoom{MediaRoom: r, ears: ears}, t: t, clock: c}
}

// release lets those packets leave that are held until the clock goes on.
func (s *show) release() {
	s.SetAudienceHold(0)
	s.SetAudienceHold(s.ears.hold())
}

// say lets a speaker say one frame, and waits until the router has it.
func (s *show) say(who *speaker, payload []byte, level uint8) {
	s.t.Helper()
	pushed := s.Stats().Pushed
	who.say(payload, level)
	eventually(s.t, func() bool { return s.Stats().Pushed == pushed+1 }, "the router has the frame")
}

// waitEars waits until that many ears hear the room.
func (s *show) waitEars(n int) {
	s.t.Helper()
	eventually(s.t, func() bool { return s.Stats().Ears == n }, "the ears hear the room")
}

// newTestRoom opens an engine and a room in it.
func newTestRoom(t testing.TB, ears earKind, cfg Config, slots int) *testRoom {
	t.Helper()
	r, err := newEngine(t, ears, cfg).NewRoom(MediaRoomConfig{Slots: slots, AudienceHold: ears.hold()})
	require.NoError(t, err)
	return &testRoom{MediaRoom: r, ears: ears}
}

// chromium is an offer as Chromium 156 made it; see the README beside it.
func chromium(t testing.TB, name string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("..", "..", "internal", "sdp", "testdata", "chromium-"+name+".sdp"))
	require.NoError(t, err)
	return string(b)
}

// client is a plain pion/webrtc client, as a user of Pion would write it.
type client struct {
	t  testing.TB
	pc *webrtc.PeerConnection
	// connected is closed when ICE and DTLS are up.
	connected chan struct{}
	// closed is closed when the connection is closed by the other side.
	closed chan struct{}
}

type clientOption func(*webrtc.SettingEngine, *webrtc.MediaEngine)

// withLevel lets the client offer the loudness extension.
func withLevel(_ *webrtc.SettingEngine, m *webrtc.MediaEngine) {
	_ = m.RegisterHeaderExtension(webrtc.RTPHeaderExtensionCapability{URI: sdp.AudioLevelURI}, webrtc.RTPCodecTypeAudio)
}

func newClient(t testing.TB, options ...clientOption) *client {
	t.Helper()
	var settings webrtc.SettingEngine
	settings.SetIncludeLoopbackCandidate(true)
	settings.SetICEMulticastDNSMode(ice.MulticastDNSModeDisabled)
	settings.SetIPFilter(func(ip net.IP) bool { return netip.MustParseAddr("127.0.0.1") == addrOf(ip) })
	quiet := logging.NewDefaultLoggerFactory()
	quiet.DefaultLogLevel = logging.LogLevelDisabled
	settings.LoggerFactory = quiet
	media := &webrtc.MediaEngine{}
	require.NoError(t, media.RegisterDefaultCodecs())
	for _, o := range options {
		o(&settings, media)
	}
	api := webrtc.NewAPI(webrtc.WithSettingEngine(settings), webrtc.WithMediaEngine(media),
		webrtc.WithInterceptorRegistry(&interceptor.Registry{}))
	pc, err := api.NewPeerConnection(webrtc.Configuration{})
	require.NoError(t, err)
	c := &client{t: t, pc: pc, connected: make(chan struct{}), closed: make(chan struct{})}
	var up, down sync.Once
	pc.OnConnectionStateChange(func(s webrtc.PeerConnectionState) {
		switch s {
		case webrtc.PeerConnectionStateConnected:
			up.Do(func() { close(c.connected) })
		case webrtc.PeerConnectionStateClosed, webrtc.PeerConnectionStateFailed:
			down.Do(func() { close(c.closed) })
		}
	})
	t.Cleanup(func() { _ = pc.GracefulClose() })
	return c
}

func addrOf(ip []byte) netip.Addr {
	a, _ := netip.AddrFromSlice(ip)
	return a.Unmap()
}

// offer makes an offer with the candidates in it.
func (c *client) offer() string {
	c.t.Helper()
	gathered := webrtc.GatheringCompletePromise(c.pc)
	o, err := c.pc.CreateOffer(nil)
	require.NoError(c.t, err)
	require.NoError(c.t, c.pc.SetLocalDescription(o))
	<-gathered
	return c.pc.LocalDescription().SDP
}

func (c *client) accept(answer string) {
	c.t.Helper()
	require.NoError(c.t, c.pc.SetRemoteDescription(webrtc.SessionDescription{Type: webrtc.SDPTypeAnswer, SDP: answer}), answer)
}

func (c *client) waitConnected() {
	c.t.Helper()
	select {
	case <-c.connected:
	case <-time.After(patience):
		require.FailNow(c.t, "the client did not connect")
	}
}

// listener is a client with an ear.
type listener struct {
	*client
	ear *testEar

	mu      sync.Mutex
	packets map[string][]rtp.Packet // by mid
	times   []time.Time
}

func newListener(t testing.TB, options ...clientOption) *listener {
	t.Helper()
	l := &listener{client: newClient(t, options...), packets: map[string][]rtp.Packet{}}
	l.pc.OnTrack(func(track *webrtc.TrackRemote, r *webrtc.RTPReceiver) {
		mid := r.RTPTransceiver().Mid()
		for {
			p, _, err := track.ReadRTP()
			if err != nil {
				return
			}
			l.mu.Lock()
			l.packets[mid] = append(l.packets[mid], *p)
			l.times = append(l.times, time.Now())
			l.mu.Unlock()
		}
	})
	return l
}

// openEar opens an ear with that many sections.
func openEar(t testing.TB, r *testRoom, sections int, owner uint32, options ...clientOption) *listener {
	t.Helper()
	l := newListener(t, options...)
	for range sections {
		_, err := l.pc.AddTransceiverFromKind(webrtc.RTPCodecTypeAudio,
			webrtc.RTPTransceiverInit{Direction: webrtc.RTPTransceiverDirectionRecvonly})
		require.NoError(t, err)
	}
	l.open(r, owner)
	return l
}

func (l *listener) open(r *testRoom, owner uint32) {
	l.t.Helper()
	ear, err := r.OpenEar(context.Background(), owner, l.offer())
	require.NoError(l.t, err)
	l.ear = ear
	l.accept(ear.Answer())
}

// first lists the packets of the first section in the order in which they came.
func (l *listener) first() []rtp.Packet {
	l.mu.Lock()
	defer l.mu.Unlock()
	return append([]rtp.Packet(nil), l.packets["0"]...)
}

// payloads lists what came in any section.
func (l *listener) payloads() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	var all []string
	for _, packets := range l.packets {
		for _, p := range packets {
			all = append(all, string(p.Payload))
		}
	}
	return all
}

// heard reports whether all of these came in any section, once each. Before them there
// may be a frame that was in the air when the listener joined.
func (l *listener) heard(said []string) bool {
	times := map[string]int{}
	for _, p := range l.payloads() {
		times[p]++
	}
	for _, p := range said {
		if times[p] != 1 {
			return false
		}
	}
	return true
}

// speaker is a client with a mic.
type speaker struct {
	*client
	mic   *Mic
	track *webrtc.TrackLocalStaticRTP
	sent  atomic.Int64
	level uint8 // the id of the loudness extension
	seq   uint16
	ts    uint32
}

func newSpeaker(t testing.TB, r *testRoom, talker uint32, options ...clientOption) *speaker {
	t.Helper()
	s := &speaker{client: newClient(t, options...), seq: 65500, ts: 4294960000}
	track, err := webrtc.NewTrackLocalStaticRTP(opusCodec().RTPCodecCapability, "audio", "mic")
	require.NoError(t, err)
	s.track = track
	tr, err := s.pc.AddTransceiverFromTrack(track, webrtc.RTPTransceiverInit{Direction: webrtc.RTPTransceiverDirectionSendonly})
	require.NoError(t, err)
	go func() {
		for {
			if _, _, err := tr.Sender().ReadRTCP(); err != nil {
				return
			}
		}
	}()
	mic, err := r.OpenMic(context.Background(), talker, s.offer())
	require.NoError(t, err)
	s.mic = mic
	s.accept(mic.Answer())
	s.waitConnected()
	for _, e := range tr.Sender().GetParameters().HeaderExtensions {
		if e.URI == sdp.AudioLevelURI {
			s.level = uint8(e.ID)
		}
	}
	return s
}

// say sends one frame, at a loudness if the extension is in use.
func (s *speaker) say(payload []byte, level uint8) {
	s.t.Helper()
	p := &rtp.Packet{Header: rtp.Header{Version: 2, SequenceNumber: s.seq, Timestamp: s.ts}, Payload: payload}
	if s.level != 0 {
		require.NoError(s.t, p.SetExtension(s.level, []byte{0x80 | level}))
	}
	s.seq++
	s.ts += 960
	err := s.track.WriteRTP(p)
	if !errors.Is(err, io.ErrClosedPipe) {
		require.NoError(s.t, err)
	}
	s.sent.Add(1)
}
