//go:build unix

package faults

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os/exec"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pion/interceptor"
	"github.com/pion/logging"
	"github.com/pion/rtp"
	"github.com/pion/sdp/v3"
	"github.com/pion/webrtc/v4"
	"github.com/stretchr/testify/require"

	"github.com/earshot-audio/earshot/internal/serverprocess"
)

// patience is how long a test waits for what must happen.
const patience = 30 * time.Second

// smallBuffers are of the media port's sockets: what would fill those that it asks for is
// more than a few listeners are sent.
var smallBuffers = patch{replace: map[string]string{"socketBuffer   = 8 << 20": "socketBuffer = smallestBuffer"}}

var (
	// tightEarshot is earshot with them.
	tightEarshot = built("tight", "cmd/earshot", map[string]patch{"room/mediaport/port.go": smallBuffers})
	// unbundledEarshot is that as it is where the kernel cuts no messages into datagrams.
	unbundledEarshot = built("unbundled", "cmd/earshot", map[string]patch{
		"room/mediaport/port.go": smallBuffers,
		"internal/udpbatch/linux.go": {replace: map[string]string{
			"err := canSegment(p.raw.Control); err != nil": "err := unix.EOPNOTSUPP; true",
		}},
	})
)

// A broadcast is a speaker and listeners in a room of earshot's own server, which is a
// process. They are pion/webrtc's, and know of no retransmission. Each frame bears its
// number.
type broadcast struct {
	t         *testing.T
	stage     stage
	server    *serverprocess.Process
	listeners []*broadcastListener

	peers  []*webrtc.PeerConnection
	frames atomic.Int64 // how many were sent
	stop   chan struct{}
	works  sync.WaitGroup
}

// A stage is where a broadcast is.
type stage struct {
	program   []string // of the server
	at        string   // the server's address
	from      net.IP   // the clients' address
	hold      int      // for how many milliseconds the room holds packets
	listeners int
}

// onLoopback is a stage of this machine alone.
func onLoopback(program string, hold int) stage {
	return stage{program: []string{program}, at: "127.0.0.1", from: net.IPv4(127, 0, 0, 1), hold: hold, listeners: 4}
}

// play starts a server and a broadcast, calls f once everybody has heard something, and
// ends both.
func (s stage) play(t *testing.T, f func(*broadcast) error) (err error) {
	t.Helper()
	args := append(s.program[1:], "serve", "--open", "--open-to-network", "--rate-limit-exempt", s.from.String()+"/32",
		"--http", s.at+":0", "--media", s.at+":0", "--stop-with-stdin")
	server, err := serverprocess.Start(context.Background(), exec.Command(s.program[0], args...), func(error) {})
	require.NoError(t, err)
	b := &broadcast{t: t, stage: s, server: server, stop: make(chan struct{})}
	defer func() {
		close(b.stop)
		b.works.Wait()
		for _, pc := range b.peers {
			err = errors.Join(err, pc.GracefulClose())
		}
		for _, l := range b.listeners {
			_ = l.conn.Close() // its peer may have closed it
		}
		err = errors.Join(err, server.Close())
	}()
	room := server.URL + "/rooms/" + b.openRoom(s.hold)
	if err := b.speak(room + "/whip"); err != nil {
		return err
	}
	for range s.listeners {
		if err := b.listen(room + "/whep"); err != nil {
			return err
		}
	}
	const heard = 25
	require.Eventually(t, func() bool {
		for _, l := range b.listeners {
			if l.count() < heard {
				return false
			}
		}
		return true
	}, patience, 10*time.Millisecond, "everybody hears something")
	return f(b)
}

// openRoom opens a room and returns its id.
func (b *broadcast) openRoom(hold int) string {
	status, body := post(b.t, b.server.URL+"/api/rooms", "application/json", fmt.Sprintf(`{"name":"recovery","audience_hold_ms":%d}`, hold))
	require.Equal(b.t, http.StatusCreated, status, body)
	_, rest, ok := strings.Cut(body, `"room":"`)
	require.True(b.t, ok, body)
	id, _, _ := strings.Cut(rest, `"`)
	return id
}

func post(t *testing.T, url, kind, body string) (int, string) {
	t.Helper()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: patience}
	resp, err := client.Post(url, kind, strings.NewReader(body))
	require.NoError(t, err)
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	return resp.StatusCode, string(text)
}

// peer makes a peer connection that receives at conn.
func (b *broadcast) peer(conn net.PacketConn) *webrtc.PeerConnection {
	media := &webrtc.MediaEngine{}
	require.NoError(b.t, media.RegisterDefaultCodecs())
	require.NoError(b.t, media.RegisterHeaderExtension(webrtc.RTPHeaderExtensionCapability{URI: sdp.AudioLevelURI}, webrtc.RTPCodecTypeAudio))
	log := logging.NewDefaultLoggerFactory()
	log.DefaultLogLevel = logging.LogLevelDisabled
	settings := webrtc.SettingEngine{LoggerFactory: log}
	settings.SetIncludeLoopbackCandidate(true)
	settings.SetNetworkTypes([]webrtc.NetworkType{webrtc.NetworkTypeUDP4})
	settings.SetICEUDPMux(webrtc.NewICEUDPMux(log.NewLogger("mux"), conn))
	pc, err := webrtc.NewAPI(webrtc.WithMediaEngine(media), webrtc.WithSettingEngine(settings),
		webrtc.WithInterceptorRegistry(&interceptor.Registry{})).NewPeerConnection(webrtc.Configuration{})
	require.NoError(b.t, err)
	b.peers = append(b.peers, pc)
	return pc
}

// connect exchanges descriptions, and waits until the connection is up.
func (b *broadcast) connect(pc *webrtc.PeerConnection, url string) error {
	up := make(chan struct{})
	var once sync.Once
	pc.OnConnectionStateChange(func(s webrtc.PeerConnectionState) {
		if s == webrtc.PeerConnectionStateConnected {
			once.Do(func() { close(up) })
		}
	})
	offer, err := pc.CreateOffer(nil)
	require.NoError(b.t, err)
	gathered := webrtc.GatheringCompletePromise(pc)
	require.NoError(b.t, pc.SetLocalDescription(offer))
	<-gathered
	status, answer := post(b.t, url, "application/sdp", pc.LocalDescription().SDP)
	require.Equal(b.t, http.StatusCreated, status, answer)
	require.NoError(b.t, pc.SetRemoteDescription(webrtc.SessionDescription{Type: webrtc.SDPTypeAnswer, SDP: answer}))
	select {
	case <-up:
		return nil
	case <-time.After(patience):
		return fmt.Errorf("not connected to %s: %s", url, pc.ConnectionState())
	}
}

// speak lets the speaker send a frame every 20 ms, as far as the machine lets it.
func (b *broadcast) speak(url string) error {
	conn, err := net.ListenUDP("udp4", &net.UDPAddr{IP: b.stage.from})
	require.NoError(b.t, err)
	pc := b.peer(conn)
	track, err := webrtc.NewTrackLocalStaticRTP(webrtc.RTPCodecCapability{MimeType: webrtc.MimeTypeOpus, ClockRate: 48000, Channels: 2}, "a", "b")
	require.NoError(b.t, err)
	sender, err := pc.AddTrack(track)
	require.NoError(b.t, err)
	b.works.Go(func() {
		defer func() { _ = conn.Close() }() // the peer may have closed it
		<-b.stop
	})
	if err := b.connect(pc, url); err != nil {
		return err
	}
	level := uint8(0)
	for _, e := range sender.GetParameters().HeaderExtensions {
		if e.URI == sdp.AudioLevelURI {
			level = uint8(e.ID)
		}
	}
	b.works.Go(func() {
		tick := time.NewTicker(frame)
		defer tick.Stop()
		for n := 0; ; n++ {
			select {
			case <-b.stop:
				return
			case <-tick.C:
			}
			p := &rtp.Packet{Header: rtp.Header{Version: 2, SequenceNumber: uint16(n), Timestamp: uint32(960 * n)}, Payload: binary.BigEndian.AppendUint32(nil, uint32(n))}
			if p.SetExtension(level, []byte{0x80 | 30}) != nil || track.WriteRTP(p) != nil {
				return // the listeners will miss what it has not sent
			}
			b.frames.Add(1)
		}
	})
	return nil
}

// sent is how many frames were sent so far, which is the number of the next.
func (b *broadcast) sent() int { return int(b.frames.Load()) }

// awaitSent waits until so many frames were sent.
func (b *broadcast) awaitSent(n int) {
	b.t.Helper()
	require.Eventually(b.t, func() bool { return b.sent() >= n }, patience, time.Millisecond, "frame %d is sent", n)
}

// A broadcastListener notes which frames it has heard.
type broadcastListener struct {
	conn *pausedConn

	mu    sync.Mutex
	heard map[int]int // how often, by number
}

func (l *broadcastListener) count() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.heard)
}

// listen connects a listener.
func (b *broadcast) listen(url string) error {
	socket, err := net.ListenUDP("udp4", &net.UDPAddr{IP: b.stage.from})
	require.NoError(b.t, err)
	l := &broadcastListener{conn: &pausedConn{UDPConn: socket}, heard: map[int]int{}}
	b.listeners = append(b.listeners, l)
	pc := b.peer(l.conn)
	_, err = pc.AddTransceiverFromKind(webrtc.RTPCodecTypeAudio, webrtc.RTPTransceiverInit{Direction: webrtc.RTPTransceiverDirectionRecvonly})
	require.NoError(b.t, err)
	pc.OnTrack(func(track *webrtc.TrackRemote, _ *webrtc.RTPReceiver) {
		for {
			p, _, err := track.ReadRTP()
			if err != nil {
				return
			}
			if len(p.Payload) == 4 {
				l.mu.Lock()
				l.heard[int(binary.BigEndian.Uint32(p.Payload))]++
				l.mu.Unlock()
			}
		}
	})
	return b.connect(pc, url)
}

// A pausedConn is a socket that nobody reads while it is paused.
type pausedConn struct {
	*net.UDPConn

	reading sync.Mutex // held while it is paused
}

// ReadFrom implements net.PacketConn.
func (c *pausedConn) ReadFrom(b []byte) (int, net.Addr, error) {
	n, from, err := c.UDPConn.ReadFrom(b)
	c.reading.Lock() // what was read already is late, too
	defer c.reading.Unlock()
	return n, from, err
}

// pause lets the socket fill, which takes a few packets.
func (c *pausedConn) pause() {
	c.reading.Lock()
	_ = c.SetReadBuffer(1) // the system's smallest
}

// resume lets it be read again.
func (c *pausedConn) resume() {
	_ = c.SetReadBuffer(1 << 20)
	c.reading.Unlock()
}
