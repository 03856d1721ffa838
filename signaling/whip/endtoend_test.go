package whip

import (
	"encoding/binary"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pion/rtp"
	"github.com/pion/webrtc/v4"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// timeout is how long tests wait for what must happen.
const timeout = 30 * time.Second

// client is an independent client: net/http and pion/webrtc.
type client struct {
	t    *testing.T
	http *http.Client
	base string

	pc       *webrtc.PeerConnection
	location string
	tag      string
	offer    string
}

// connect serves an endpoint of PeerConnections and makes a client for it. A
// lite client is only reached by who knows its candidates.
func connect(t *testing.T, lite bool) (*pionEndpoint, *client) {
	t.Helper()
	p := newPeers(t)
	h, err := New(Config{Endpoint: p})
	require.NoError(t, err)
	srv := httptest.NewServer(h)
	t.Cleanup(srv.Close)
	pc, err := newAPI(t, lite).NewPeerConnection(webrtc.Configuration{})
	require.NoError(t, err)
	t.Cleanup(func() { _ = pc.GracefulClose() })
	return p, &client{t: t, http: srv.Client(), base: srv.URL, pc: pc}
}

func (c *client) request(method, path, body string, header ...string) (*http.Response, string) {
	c.t.Helper()
	r, err := http.NewRequestWithContext(c.t.Context(), method, c.base+path, strings.NewReader(body))
	require.NoError(c.t, err)
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	res, err := c.http.Do(r)
	require.NoError(c.t, err)
	text, err := io.ReadAll(res.Body)
	require.NoError(c.t, err)
	require.NoError(c.t, res.Body.Close())
	return res, string(text)
}

// open posts the client's offer, with its candidates or without, and takes the
// answer.
func (c *client) open(path string, trickle bool) {
	c.t.Helper()
	gathered := webrtc.GatheringCompletePromise(c.pc)
	offer, err := c.pc.CreateOffer(nil)
	require.NoError(c.t, err)
	require.NoError(c.t, c.pc.SetLocalDescription(offer))
	<-gathered
	c.offer = c.pc.LocalDescription().SDP
	send := c.offer
	if trickle {
		send = withoutCandidates(send)
		require.NotContains(c.t, send, "a=candidate")
	}
	res, answer := c.request("POST", path, send, "Content-Type", "application/sdp")
	require.Equal(c.t, 201, res.StatusCode, answer)
	require.Contains(c.t, answer, "a=rtcp-mux-only")
	location, err := res.Location()
	require.NoError(c.t, err)
	c.location, c.tag = location.Path, res.Header.Get("ETag")
	require.NoError(c.t, c.pc.SetRemoteDescription(webrtc.SessionDescription{Type: webrtc.SDPTypeAnswer, SDP: answer}))
}

// session is the server's end of the client's session.
func (c *client) session(p *pionEndpoint) *peer {
	c.t.Helper()
	name := c.location[strings.LastIndexByte(c.location, '/')+1:]
	s := p.session(name)
	require.NotNil(c.t, s)
	return s
}

// connected waits for both ends. The client is connected when it has sent the
// last flight of DTLS; a server that closes before it has read that flight can
// not tell the client of the end.
func (c *client) connected(p *pionEndpoint) {
	c.t.Helper()
	server := c.session(p).pc
	require.Eventually(c.t, func() bool {
		return c.pc.ConnectionState() == webrtc.PeerConnectionStateConnected &&
			server.ConnectionState() == webrtc.PeerConnectionStateConnected
	}, timeout, 5*time.Millisecond)
}

// write sends numbered packets on a track until stop returns true.
func write(t *testing.T, track *webrtc.TrackLocalStaticRTP, stop func() bool) (sent [][]byte) {
	t.Helper()
	for n := range uint32(timeout / (5 * time.Millisecond)) {
		if stop() {
			return sent
		}
		payload := binary.BigEndian.AppendUint32([]byte{0xfc}, n)
		require.NoError(t, track.WriteRTP(&rtp.Packet{
			Header:  rtp.Header{Version: 2, SequenceNumber: uint16(n), Timestamp: 960 * n},
			Payload: payload,
		}))
		sent = append(sent, payload)
		time.Sleep(5 * time.Millisecond) // as a microphone would, if faster
	}
	require.Fail(t, "nothing arrived")
	return nil
}

func TestWHIPEndToEnd(t *testing.T) {
	p, c := connect(t, false)
	track, err := webrtc.NewTrackLocalStaticRTP(webrtc.RTPCodecCapability{MimeType: webrtc.MimeTypeOpus}, "voice", "mic")
	require.NoError(t, err)
	_, err = c.pc.AddTransceiverFromTrack(track, webrtc.RTPTransceiverInit{Direction: webrtc.RTPTransceiverDirectionSendonly})
	require.NoError(t, err)

	c.open("/rooms/lobby/whip", false)
	c.connected(p)
	var heard [][]byte
	sent := write(t, track, func() bool {
		for len(p.heard) > 0 {
			heard = append(heard, <-p.heard)
		}
		return len(heard) >= 20
	})
	at := slices.IndexFunc(sent, func(b []byte) bool { return slices.Equal(b, heard[0]) })
	require.GreaterOrEqual(t, at, 0)
	assert.Equal(t, sent[at:at+len(heard)], heard, "the bytes that were sent, in order")

	ended(t, p, c)
}

func TestWHEPEndToEnd(t *testing.T) {
	p, c := connect(t, false)
	heard := make(chan []byte, 1000)
	var readers sync.WaitGroup
	t.Cleanup(func() {
		_ = c.pc.GracefulClose()
		readers.Wait()
	})
	c.pc.OnTrack(func(track *webrtc.TrackRemote, _ *webrtc.RTPReceiver) {
		readers.Go(func() {
			for {
				packet, _, err := track.ReadRTP()
				if err != nil {
					return
				}
				heard <- packet.Payload
			}
		})
	})
	_, err := c.pc.AddTransceiverFromKind(webrtc.RTPCodecTypeAudio,
		webrtc.RTPTransceiverInit{Direction: webrtc.RTPTransceiverDirectionRecvonly})
	require.NoError(t, err)

	c.open("/rooms/lobby/whep", false)
	c.connected(p)
	var got [][]byte
	sent := write(t, c.session(p).track, func() bool {
		for len(heard) > 0 {
			got = append(got, <-heard)
		}
		return len(got) >= 20
	})
	at := slices.IndexFunc(sent, func(b []byte) bool { return slices.Equal(b, got[0]) })
	require.GreaterOrEqual(t, at, 0)
	assert.Equal(t, sent[at:at+len(got)], got, "the bytes that were sent, in order")

	ended(t, p, c)
}

// TestTrickleEndToEnd has a client whose candidates are known from PATCH alone,
// and which makes no checks of its own: without them it is not reached.
func TestTrickleEndToEnd(t *testing.T) {
	p, c := connect(t, true)
	_, err := c.pc.AddTransceiverFromKind(webrtc.RTPCodecTypeAudio,
		webrtc.RTPTransceiverInit{Direction: webrtc.RTPTransceiverDirectionRecvonly})
	require.NoError(t, err)
	c.open("/rooms/lobby/whep", true)
	require.Zero(t, c.session(p).trickled())

	res, text := c.request("PATCH", c.location, trickle(t, c.offer),
		"Content-Type", "application/trickle-ice-sdpfrag", "If-Match", c.tag)
	require.Equal(t, 204, res.StatusCode, text)
	require.Positive(t, c.session(p).trickled())
	c.connected(p)

	ended(t, p, c)
}

// ended deletes the session and checks that its media ends with it.
func ended(t *testing.T, p *pionEndpoint, c *client) {
	t.Helper()
	s := c.session(p)
	res, _ := c.request("DELETE", c.location, "")
	assert.Equal(t, 200, res.StatusCode)
	assert.Equal(t, webrtc.PeerConnectionStateClosed, s.pc.ConnectionState())
	require.Eventually(t, func() bool { return c.pc.ConnectionState() == webrtc.PeerConnectionStateClosed },
		timeout, 5*time.Millisecond, "the client learns of it from DTLS")
	res, _ = c.request("DELETE", c.location, "")
	assert.Equal(t, 404, res.StatusCode)
}

// trickle writes the fragment of an offer's candidates, as a client would.
func trickle(t *testing.T, offer string) string {
	t.Helper()
	var ice, mid, candidates string
	for line := range strings.Lines(offer) {
		switch {
		case strings.HasPrefix(line, "a=ice-ufrag:"), strings.HasPrefix(line, "a=ice-pwd:"):
			ice += line
		case strings.HasPrefix(line, "a=mid:"):
			mid = line
		case strings.HasPrefix(line, "a=candidate:"):
			candidates += line
		}
	}
	require.NotEmpty(t, candidates)
	return ice + "m=audio 9 UDP/TLS/RTP/SAVPF 0\r\n" + mid + candidates + "a=end-of-candidates\r\n"
}
