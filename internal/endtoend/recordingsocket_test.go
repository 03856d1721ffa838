package endtoend_test

import (
	"bytes"
	"crypto/rand"
	"encoding/binary"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pion/ice/v4"
	"github.com/pion/rtp"
	"github.com/pion/sdp/v3"
	"github.com/pion/webrtc/v4"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// The content type of a DTLS alert (RFC 5246, section 6.2.1), which stands in the clear.
const dtlsAlert = 21

// A recordingSocket is a client's UDP socket that keeps what passes, and does not let the
// server's farewells (close_notify) through: its client goes on as if nothing had
// been said.
type recordingSocket struct {
	*net.UDPConn
	mu   sync.Mutex
	seen [][]byte // copies of all datagrams, both ways
	keep bool
	// media counts the SRTP datagrams that went out.
	media atomic.Int64
}

func (s *recordingSocket) note(b []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.keep {
		s.seen = append(s.seen, bytes.Clone(b))
	}
}

// WriteTo implements net.PacketConn.
func (s *recordingSocket) WriteTo(b []byte, to net.Addr) (int, error) {
	addr, err := netip.ParseAddrPort(to.String())
	if err != nil {
		return 0, err
	}
	return s.WriteToAddrPort(b, addr)
}

// WriteToAddrPort implements ice.AddrPortReaderWriter.
func (s *recordingSocket) WriteToAddrPort(b []byte, to netip.AddrPort) (int, error) {
	s.note(b)
	if len(b) > 0 && b[0] >= 128 {
		s.media.Add(1)
	}
	return s.WriteToUDPAddrPort(b, to)
}

// ReadFromAddrPort implements ice.AddrPortReaderWriter.
func (s *recordingSocket) ReadFromAddrPort(b []byte) (int, netip.AddrPort, error) {
	for {
		n, from, err := s.ReadFromUDPAddrPort(b)
		if err != nil {
			return n, from, err
		}
		s.note(b[:n])
		if n > 0 && b[0] == dtlsAlert {
			continue
		}
		return n, from, nil
	}
}

// ReadFrom implements net.PacketConn.
func (s *recordingSocket) ReadFrom(b []byte) (int, net.Addr, error) {
	n, from, err := s.ReadFromAddrPort(b)
	if err != nil {
		return n, nil, err
	}
	return n, net.UDPAddrFromAddrPort(from), nil
}

// recordSocket makes a peer connection use such a socket.
func recordSocket(t *testing.T) (func(*webrtc.SettingEngine), *recordingSocket) {
	t.Helper()
	conn, err := net.ListenUDP("udp4", &net.UDPAddr{IP: clientAddress.AsSlice()})
	require.NoError(t, err)
	s := &recordingSocket{UDPConn: conn, keep: true}
	mux := ice.NewUDPMuxDefault(ice.UDPMuxParams{UDPConn: s})
	t.Cleanup(func() { assert.NoError(t, mux.Close()); _ = conn.Close() })
	return func(e *webrtc.SettingEngine) { e.SetICEUDPMux(mux) }, s
}

// A numberedMic is a mic that sends a numbered packet every 20 ms until its test ends,
// whatever anybody tells it.
type numberedMic struct {
	mu   sync.Mutex
	sent []time.Time // the intended send time of each number
	out  *recordingSocket
	tag  [3]byte // tells this mic's packets from another's
}

// openNumberedMic opens a mic that never stops.
func openNumberedMic(t *testing.T, by exchange) *numberedMic {
	t.Helper()
	change, out := recordSocket(t)
	pc := plain(t, change)
	track, err := webrtc.NewTrackLocalStaticRTP(webrtc.RTPCodecCapability{MimeType: webrtc.MimeTypeOpus, ClockRate: 48000, Channels: 2}, "a", "b")
	require.NoError(t, err)
	sender, err := pc.AddTrack(track)
	require.NoError(t, err)
	connect(t, pc, by)
	var level uint8
	for _, e := range sender.GetParameters().HeaderExtensions {
		if e.URI == sdp.AudioLevelURI {
			level = uint8(e.ID)
		}
	}
	c := &numberedMic{out: out}
	_, _ = rand.Read(c.tag[:])
	stop, done := make(chan struct{}), make(chan struct{})
	t.Cleanup(func() { close(stop); <-done })
	go func() {
		defer close(done)
		tick := time.NewTicker(20 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-stop:
				return
			case <-tick.C:
			}
			c.mu.Lock()
			n := len(c.sent)
			c.sent = append(c.sent, time.Now())
			c.mu.Unlock()
			// An Opus frame of no known content: the server passes it on unread.
			payload := binary.BigEndian.AppendUint32([]byte{0x78, c.tag[0], c.tag[1], c.tag[2]}, uint32(n))
			p := &rtp.Packet{Header: rtp.Header{Version: 2, SequenceNumber: uint16(n), Timestamp: uint32(n) * 960}, Payload: payload}
			if l, err := (&rtp.AudioLevelExtension{Level: 20, Voice: true}).Marshal(); err == nil {
				_ = p.SetExtension(level, l)
			}
			_ = track.WriteRTP(p)
		}
	}()
	return c
}

// after counts the packets of this mic among those heard that were to be sent
// after a moment.
func (c *numberedMic) after(heard []*rtp.Packet, talker uint32, moment time.Time) (n int) {
	c.each(heard, talker, func(sent time.Time) {
		if sent.After(moment) {
			n++
		}
	})
	return n
}

// each calls see with when each packet was sent that was heard of this mic.
func (c *numberedMic) each(heard []*rtp.Packet, talker uint32, see func(sent time.Time)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, p := range heard {
		if len(p.CSRC) != 1 || p.CSRC[0] != talker || len(p.Payload) != 8 || [3]byte(p.Payload[1:4]) != c.tag {
			continue
		}
		if i := binary.BigEndian.Uint32(p.Payload[4:]); int(i) < len(c.sent) {
			see(c.sent[i])
		}
	}
}

// firstIn and lastIn are when the first and the last packet was sent that was heard of this mic.
func (c *numberedMic) firstIn(heard []*rtp.Packet, talker uint32) (first time.Time) {
	c.each(heard, talker, func(sent time.Time) {
		if first.IsZero() || sent.Before(first) {
			first = sent
		}
	})
	return first
}

func (c *numberedMic) lastIn(heard []*rtp.Packet, talker uint32) (last time.Time) {
	c.each(heard, talker, func(sent time.Time) {
		if sent.After(last) {
			last = sent
		}
	})
	return last
}

// listenRecorded opens an ear that nobody's farewell closes.
func listenRecorded(t *testing.T, by exchange) (*listener, *recordingSocket) {
	t.Helper()
	change, in := recordSocket(t)
	return listen(t, 3, by, change), in
}

// byHTTPAs exchanges by WHIP or WHEP with a token.
func byHTTPAs(t *testing.T, url, token string) exchange {
	return func(offer string) string {
		resp, answer := postSDP(t, url, token, offer)
		require.Equal(t, http.StatusCreated, resp.StatusCode, answer)
		return answer
	}
}

// postOffer offers a session with a token, and does nothing with the answer.
func postOffer(t *testing.T, url, token string) (*http.Response, string) {
	t.Helper()
	pc := plain(t)
	direction := webrtc.RTPTransceiverDirectionRecvonly
	if strings.HasSuffix(url, "/whip") {
		direction = webrtc.RTPTransceiverDirectionSendonly
	}
	_, err := pc.AddTransceiverFromKind(webrtc.RTPCodecTypeAudio, webrtc.RTPTransceiverInit{Direction: direction})
	require.NoError(t, err)
	offer, err := pc.CreateOffer(nil)
	require.NoError(t, err)
	return postSDP(t, url, token, offer.SDP)
}

func postSDP(t *testing.T, url, token, offer string) (*http.Response, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, strings.NewReader(offer))
	require.NoError(t, err)
	req.Header.Set("Content-Type", "application/sdp")
	req.Header.Set("Authorization", "Bearer "+token)
	resp, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Do(req)
	require.NoError(t, err)
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	return resp, string(body)
}
