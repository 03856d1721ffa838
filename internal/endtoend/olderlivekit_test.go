package endtoend_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/gorilla/websocket"
	"github.com/pion/webrtc/v4"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/encoding/protowire"

	"github.com/earshot-audio/earshot/loadgen"
	"github.com/earshot-audio/earshot/loadgen/driver"
	"github.com/earshot-audio/earshot/loadgen/driver/livekit"
)

// An olderLiveKit is a server that speaks as LiveKit did before /rtc/v1: the server offers what a
// listener receives, with data channels, and then a voice more with each offer.
type olderLiveKit struct {
	*foreignServer

	last    time.Duration // how long it takes to offer the last voice
	mute    bool          // it offers the last voice, and sends nothing of it
	waiting sync.WaitGroup

	mu       sync.Mutex
	voices   []*stand // of the mics, in the order of their coming
	channels int      // of listeners, that have opened
}

func serveOlderLiveKit(t *testing.T, change func(*olderLiveKit)) (*olderLiveKit, driver.Driver) {
	t.Helper()
	s := &olderLiveKit{foreignServer: &foreignServer{t: t}}
	change(s)
	mux := http.NewServeMux()
	mux.HandleFunc("POST /twirp/livekit.RoomService/", func(http.ResponseWriter, *http.Request) {})
	mux.HandleFunc("GET /rtc/validate", func(http.ResponseWriter, *http.Request) {})
	mux.HandleFunc("GET /rtc", func(w http.ResponseWriter, r *http.Request) {
		conn, err := (&websocket.Upgrader{}).Upgrade(w, r, nil)
		if assert.NoError(t, err) {
			s.waiting.Add(1)
			defer s.waiting.Done()
			claims := jwt.MapClaims{}
			_, _, err := jwt.NewParser().ParseUnverified(strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer "), claims)
			assert.NoError(t, err)
			video, _ := claims["video"].(map[string]any)
			s.serve(&olderSignal{t: t, conn: conn}, video["canSubscribe"] == true)
		}
	})
	server := httptest.NewServer(mux)
	t.Cleanup(func() { server.Close(); s.waiting.Wait() })
	d, err := livekit.New(server.URL, "key", "a secret of thirty-two characters", nil)
	require.NoError(t, err)
	return s, d
}

// An olderSignal is a client's signal connection.
type olderSignal struct {
	t       *testing.T
	conn    *websocket.Conn
	writing sync.Mutex
}

// send sends a message with one field of bytes.
func (c *olderSignal) send(field protowire.Number, b []byte) {
	c.writing.Lock()
	defer c.writing.Unlock()
	_ = c.conn.WriteMessage(websocket.BinaryMessage, fieldOf(field, b)) // which may have gone
}

func fieldOf(field protowire.Number, b []byte) []byte {
	return protowire.AppendBytes(protowire.AppendTag(nil, field, protowire.BytesType), b)
}

func countOf(b []byte, field protowire.Number, v uint64) []byte {
	return protowire.AppendVarint(protowire.AppendTag(b, field, protowire.VarintType), v)
}

// describe sends a connection's description, and has its candidates follow: target is which it is.
func (c *olderSignal) describe(pc *webrtc.PeerConnection, d webrtc.SessionDescription, field protowire.Number, target uint64) {
	var candidates []webrtc.ICECandidateInit
	var mu sync.Mutex
	sent := false
	trickle := func(i webrtc.ICECandidateInit) {
		text, err := json.Marshal(i)
		assert.NoError(c.t, err)
		c.send(4, countOf(fieldOf(1, text), 2, target))
	}
	pc.OnICECandidate(func(i *webrtc.ICECandidate) {
		mu.Lock()
		defer mu.Unlock()
		switch {
		case i == nil:
		case sent:
			trickle(i.ToJSON())
		default:
			candidates = append(candidates, i.ToJSON())
		}
	})
	assert.NoError(c.t, pc.SetLocalDescription(d))
	c.send(field, fieldOf(2, []byte(d.SDP)))
	mu.Lock()
	defer mu.Unlock()
	sent = true
	for _, i := range candidates {
		trickle(i)
	}
}

// receive returns the field of the client's next message, and what is in field 2 of it.
func (c *olderSignal) receive() (field protowire.Number, text string, ok bool) {
	_, b, err := c.conn.ReadMessage()
	if err != nil {
		return 0, "", false
	}
	field, _, n := protowire.ConsumeTag(b)
	body, _ := protowire.ConsumeBytes(b[n:])
	for len(body) > 0 {
		number, kind, n := protowire.ConsumeTag(body)
		if number == 2 && kind == protowire.BytesType {
			v, _ := protowire.ConsumeBytes(body[n:])
			text = string(v)
		}
		body = body[n+protowire.ConsumeFieldValue(number, kind, body[n:]):]
	}
	return field, text, true
}

// serve serves a client: one who offers a mic, or who is offered what there is.
func (s *olderLiveKit) serve(c *olderSignal, receives bool) {
	defer c.conn.Close()
	c.send(1, fieldOf(2, fieldOf(1, []byte("PA_1"))))
	answers, announced := make(chan string, 10), false
	ctx, end := context.WithCancel(context.Background())
	var offering sync.WaitGroup
	defer offering.Wait()
	defer end()
	if receives {
		offering.Go(func() { s.offer(ctx, c, answers) })
	}
	for {
		field, text, ok := c.receive()
		switch {
		case !ok || field == 8:
			return
		case field == 4:
			assert.Equal(s.t, "microphone", text)
			announced = true
		case field == 1:
			assert.True(s.t, announced)
			s.take(c, text)
		case field == 2:
			answers <- text
		}
	}
}

// take takes a mic.
func (s *olderLiveKit) take(c *olderSignal, offer string) {
	pc, voice := s.connection(), &stand{out: map[*sink]struct{}{}}
	s.mu.Lock()
	s.voices = append(s.voices, voice)
	s.mu.Unlock()
	pc.OnTrack(func(in *webrtc.TrackRemote, _ *webrtc.RTPReceiver) {
		for {
			p, _, err := in.ReadRTP()
			if err != nil {
				return
			}
			voice.pass(p)
		}
	})
	assert.NoError(s.t, pc.SetRemoteDescription(webrtc.SessionDescription{Type: webrtc.SDPTypeOffer, SDP: offer}))
	answer, err := pc.CreateAnswer(nil)
	assert.NoError(s.t, err)
	c.describe(pc, answer, 2, 0)
}

// offer offers a listener the data channel, and then one voice after the other.
func (s *olderLiveKit) offer(ctx context.Context, c *olderSignal, answers <-chan string) {
	pc := s.connection()
	channel, err := pc.CreateDataChannel("_reliable", nil)
	assert.NoError(s.t, err)
	channel.OnOpen(func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.channels++
	})
	s.mu.Lock()
	voices := s.voices
	s.mu.Unlock()
	for i := range len(voices) + 1 {
		wait := time.Duration(0)
		if i > 0 {
			voice := voices[i-1]
			if i == len(voices) {
				wait = s.last
				if s.mute {
					voice = &stand{out: map[*sink]struct{}{}}
				}
			}
			_, err := pc.AddTrack(&sink{stand: voice, id: "voice" + string(rune('0'+i))})
			assert.NoError(s.t, err)
		}
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return
		}
		offer, err := pc.CreateOffer(nil)
		assert.NoError(s.t, err)
		c.describe(pc, offer, 3, 1)
		select {
		case answer := <-answers:
			assert.NoError(s.t, pc.SetRemoteDescription(webrtc.SessionDescription{Type: webrtc.SDPTypeAnswer, SDP: answer}))
		case <-ctx.Done():
			return
		}
	}
}

// panel is a scenario of two who speak at once, and six who listen, two of them probes.
const panel = `
name: an older LiveKit
room: {capacity: 6, slots: 2}
cast:
  - {role: speaker, count: 2, audio: [audio/host.ogg, audio/guest.ogg]}
  - {role: listener, count: 6, arrive: {within: 300ms, shape: linear}}
join_deadline: 3s
hold: 1500ms
`

func TestLiveKitDriverPlaysServersWithTwoConnections(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		change func(*olderLiveKit)
		holds  func(t *testing.T, r *loadgen.Result)
	}{
		"one that offers voice after voice":                               {func(*olderLiveKit) {}, requireServed},
		"one whose last voice takes a while, until which nothing is owed": {func(s *olderLiveKit) { s.last = 700 * time.Millisecond }, requireServed},
		"one that never offers the last voice": {func(s *olderLiveKit) { s.last = time.Hour }, func(t *testing.T, r *loadgen.Result) {
			assert.InDelta(t, 0.5, rateOf(t, r, "delivered").Share(), 0.1)
			require.Len(t, r.Problems, 1)
			assert.Contains(t, r.Problems[0].Error, "the server has subscribed the listener to 1 of 2 voices")
		}},
		"one that sends nothing of a voice that it offers": {func(s *olderLiveKit) { s.mute = true }, func(t *testing.T, r *loadgen.Result) {
			assert.InDelta(t, 0.5, rateOf(t, r, "delivered").Share(), 0.1)
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, d := serveOlderLiveKit(t, c.change)
			r := played(t, d, panel)
			c.holds(t, r)
			assert.Contains(t, r.Target, "by /rtc")
			s.mu.Lock()
			defer s.mu.Unlock()
			assert.Equal(t, 6, s.channels, "everybody opens the data channel")
		})
	}
}

func TestListenersByTCPAreRefusedWhereAllNeedWholeClients(t *testing.T) {
	t.Parallel()
	_, d := serveOlderLiveKit(t, func(*olderLiveKit) {})
	s := written(t, strings.Replace(panel, "role: listener,", "role: listener, transport: {tcp: 100},", 1))
	_, err := loadgen.Run(t.Context(), loadgen.Config{Driver: d, Scenario: s})
	require.ErrorIs(t, err, driver.ErrUnsupported)
	assert.ErrorContains(t, err, "leave out their transport")
}
