package endtoend_test

import (
	"cmp"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/pion/interceptor"
	"github.com/pion/rtp"
	"github.com/pion/webrtc/v4"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/earshot-audio/earshot/internal/testturn"
	"github.com/earshot-audio/earshot/loadgen"
	"github.com/earshot-audio/earshot/loadgen/driver"
	"github.com/earshot-audio/earshot/loadgen/driver/whep"
	"github.com/earshot-audio/earshot/loadgen/report"
)

// behavior is how one server differs from the next.
type behavior struct {
	// publishing and listening are the tokens that it asks for; {room} stands for
	// the room.
	publishing, listening string
	// change changes its peer connections.
	change func(*webrtc.SettingEngine)
	// answer changes its answers.
	answer func(sdp string) string
	// renumbered has it know Opus as 96, whatever the offer calls it.
	renumbered bool
	// late has it tell its candidates when it is asked for the second time.
	late bool
	// noPatch has it refuse every PATCH.
	noPatch bool
	// counter has it make listeners an offer of its own, with RED and transport-cc.
	counter bool
	// busy is how many listeners it sends away at first: with the status away and no word
	// of when to come again, or with 409 and Retry-After.
	busy, away int
	// links are the ICE servers that it names with OPTIONS.
	links []string
}

// A foreignServer is a WHIP and WHEP server of somebody else's, with a behavior of its own.
type foreignServer struct {
	t        *testing.T
	behavior behavior
	url      string

	mu       sync.Mutex
	rooms    map[string]*stand
	sessions map[string]*foreignSession
	offers   []string // of publishers
	answers  []string // to its own offers
	patches  int
	away     int // listeners who were sent away
	ended    int
}

type foreignSession struct {
	pc         *webrtc.PeerConnection
	candidates []string
	asked      int
}

func serveForeign(t *testing.T, m behavior) *foreignServer {
	t.Helper()
	s := &foreignServer{t: t, behavior: m, rooms: map[string]*stand{}, sessions: map[string]*foreignSession{}}
	mux := http.NewServeMux()
	mux.HandleFunc("OPTIONS /{kind}/{room}", func(w http.ResponseWriter, _ *http.Request) {
		w.Header()["Link"] = m.links
	})
	mux.HandleFunc("POST /whip/{room}", s.publish)
	mux.HandleFunc("POST /whep/{room}", s.listen)
	mux.HandleFunc("PATCH /sessions/{id}", s.patch)
	mux.HandleFunc("DELETE /sessions/{id}", s.end)
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	s.url = server.URL
	return s
}

// A stand is where a room's listeners stand around its mic.
type stand struct {
	mu  sync.Mutex
	out map[*sink]struct{}
}

// driver drives the server.
func (s *foreignServer) driver() driver.Driver {
	d, err := whep.New(s.url+"/whip/{room}", s.url+"/whep/{room}", "", nil)
	require.NoError(s.t, err)
	d.Tokens(s.behavior.publishing, s.behavior.listening)
	return d
}

// relayed is the URL of a TURN server on the loopback, for one user.
func relayed(t *testing.T, user, password string) string {
	t.Helper()
	return "turn:" + testturn.Start(t, user, password).Address + "?transport=udp"
}

func (s *foreignServer) room(name string) *stand {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.rooms[name] == nil {
		s.rooms[name] = &stand{out: map[*sink]struct{}{}}
	}
	return s.rooms[name]
}

func (s *stand) pass(p *rtp.Packet) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for out := range s.out {
		out.write(p)
	}
}

// A sink is a listener's track.
type sink struct {
	stand  *stand
	id     string // "" is audio
	to     webrtc.TrackLocalWriter
	ssrc   uint32
	format uint8
}

func (k *sink) write(p *rtp.Packet) {
	h := rtp.Header{
		Version: 2, SSRC: k.ssrc, PayloadType: k.format, Marker: p.Marker,
		SequenceNumber: p.SequenceNumber, Timestamp: p.Timestamp,
	}
	_, _ = k.to.WriteRTP(&h, p.Payload)
}

// Bind implements webrtc.TrackLocal.
func (k *sink) Bind(c webrtc.TrackLocalContext) (webrtc.RTPCodecParameters, error) {
	for _, codec := range c.CodecParameters() {
		if codec.MimeType != webrtc.MimeTypeOpus {
			continue
		}
		k.to, k.ssrc, k.format = c.WriteStream(), uint32(c.SSRC()), uint8(codec.PayloadType)
		k.stand.mu.Lock()
		defer k.stand.mu.Unlock()
		k.stand.out[k] = struct{}{}
		return codec, nil
	}
	return webrtc.RTPCodecParameters{}, webrtc.ErrUnsupportedCodec
}

// Unbind implements webrtc.TrackLocal.
func (k *sink) Unbind(webrtc.TrackLocalContext) error {
	k.stand.mu.Lock()
	defer k.stand.mu.Unlock()
	delete(k.stand.out, k)
	return nil
}

func (k *sink) ID() string                { return cmp.Or(k.id, "audio") }
func (k *sink) RID() string               { return "" }
func (k *sink) StreamID() string          { return "room" }
func (k *sink) Kind() webrtc.RTPCodecType { return webrtc.RTPCodecTypeAudio }

// renumber calls Opus 96 in a description.
func renumber(sdp string) string {
	return strings.NewReplacer("SAVPF 111", "SAVPF 96", ":111 ", ":96 ").Replace(sdp)
}

// connection is a peer connection of the server's: Opus as 111 and as 96, RED,
// and transport-cc.
func (s *foreignServer) connection() *webrtc.PeerConnection {
	media := &webrtc.MediaEngine{}
	feedback := []webrtc.RTCPFeedback{{Type: webrtc.TypeRTCPFBTransportCC}, {Type: webrtc.TypeRTCPFBNACK}}
	for _, c := range []struct {
		kind string
		line string
		is   webrtc.PayloadType
	}{{"audio/red", "111/111", 63}, {webrtc.MimeTypeOpus, "minptime=10;useinbandfec=1", 111}, {webrtc.MimeTypeOpus, "minptime=10;useinbandfec=1", 96}} {
		assert.NoError(s.t, media.RegisterCodec(webrtc.RTPCodecParameters{
			RTPCodecCapability: webrtc.RTPCodecCapability{MimeType: c.kind, ClockRate: 48000, Channels: 2, SDPFmtpLine: c.line, RTCPFeedback: feedback},
			PayloadType:        c.is,
		}, webrtc.RTPCodecTypeAudio))
	}
	registry := &interceptor.Registry{}
	assert.NoError(s.t, webrtc.RegisterDefaultInterceptors(media, registry))
	settings := webrtc.SettingEngine{}
	settings.SetIncludeLoopbackCandidate(true)
	settings.SetInterfaceFilter(func(name string) bool { return name == "lo" || name == "lo0" })
	if s.behavior.change != nil {
		s.behavior.change(&settings)
	}
	pc, err := webrtc.NewAPI(webrtc.WithMediaEngine(media), webrtc.WithInterceptorRegistry(registry), webrtc.WithSettingEngine(settings)).
		NewPeerConnection(webrtc.Configuration{})
	assert.NoError(s.t, err)
	s.t.Cleanup(func() { assert.NoError(s.t, pc.GracefulClose()) })
	return pc
}

func (s *foreignServer) allowed(w http.ResponseWriter, r *http.Request, token string) bool {
	if token == "" || r.Header.Get("Authorization") == "Bearer "+strings.ReplaceAll(token, "{room}", r.PathValue("room")) {
		return true
	}
	http.Error(w, "who are you?", http.StatusUnauthorized)
	return false
}

func (s *foreignServer) publish(w http.ResponseWriter, r *http.Request) {
	if !s.allowed(w, r, s.behavior.publishing) {
		return
	}
	room := s.room(r.PathValue("room"))
	pc := s.connection()
	pc.OnTrack(func(in *webrtc.TrackRemote, _ *webrtc.RTPReceiver) {
		for {
			p, _, err := in.ReadRTP()
			if err != nil {
				return
			}
			room.pass(p)
		}
	})
	offer, err := io.ReadAll(r.Body)
	assert.NoError(s.t, err)
	s.mu.Lock()
	s.offers = append(s.offers, string(offer))
	s.mu.Unlock()
	s.reply(w, pc, string(offer))
}

func (s *foreignServer) listen(w http.ResponseWriter, r *http.Request) {
	if !s.allowed(w, r, s.behavior.listening) {
		return
	}
	s.mu.Lock()
	busy := s.behavior.busy > s.away
	if busy {
		s.away++
	}
	s.mu.Unlock()
	if busy {
		if s.behavior.away != 0 {
			http.Error(w, "no stream is available", s.behavior.away)
			return
		}
		w.Header().Set("Retry-After", "1")
		http.Error(w, "nobody publishes yet", http.StatusConflict)
		return
	}
	pc := s.connection()
	sender, err := pc.AddTrack(&sink{stand: s.room(r.PathValue("room"))})
	assert.NoError(s.t, err)
	go func() { // ends with the connection
		b := make([]byte, 1500)
		for {
			if _, _, err := sender.Read(b); err != nil {
				return
			}
		}
	}()
	offer, err := io.ReadAll(r.Body)
	assert.NoError(s.t, err)
	if !s.behavior.counter {
		s.reply(w, pc, string(offer))
		return
	}
	_, err = pc.AddTransceiverFromKind(webrtc.RTPCodecTypeAudio, webrtc.RTPTransceiverInit{Direction: webrtc.RTPTransceiverDirectionRecvonly})
	assert.NoError(s.t, err)
	own, err := pc.CreateOffer(nil)
	assert.NoError(s.t, err)
	s.describe(w, pc, own, http.StatusNotAcceptable)
}

// reply answers an offer.
func (s *foreignServer) reply(w http.ResponseWriter, pc *webrtc.PeerConnection, offer string) {
	if s.behavior.renumbered {
		offer = renumber(offer)
	}
	assert.NoError(s.t, pc.SetRemoteDescription(webrtc.SessionDescription{Type: webrtc.SDPTypeOffer, SDP: offer}))
	answer, err := pc.CreateAnswer(nil)
	assert.NoError(s.t, err)
	s.describe(w, pc, answer, http.StatusCreated)
}

// describe sends the server's description as of a session.
func (s *foreignServer) describe(w http.ResponseWriter, pc *webrtc.PeerConnection, d webrtc.SessionDescription, status int) {
	gathered := webrtc.GatheringCompletePromise(pc)
	assert.NoError(s.t, pc.SetLocalDescription(d))
	<-gathered
	text := pc.LocalDescription().SDP
	session := &foreignSession{pc: pc}
	if s.behavior.late {
		var rest []string
		for line := range strings.Lines(text) {
			if strings.HasPrefix(line, "a=candidate") || strings.HasPrefix(line, "a=end-of-candidates") {
				session.candidates = append(session.candidates, line)
			} else {
				rest = append(rest, line)
			}
		}
		text = strings.Join(rest, "")
	}
	if s.behavior.answer != nil {
		text = s.behavior.answer(text)
	}
	s.mu.Lock()
	id := fmt.Sprint(len(s.sessions))
	s.sessions[id] = session
	s.mu.Unlock()
	w.Header().Set("Location", "../sessions/"+id)
	w.Header().Set("ETag", `"`+id+`"`)
	w.Header().Set("Content-Type", "application/sdp; charset=utf-8")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, text)
}

func (s *foreignServer) patch(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.behavior.noPatch {
		http.Error(w, "no", http.StatusMethodNotAllowed)
		return
	}
	session := s.sessions[r.PathValue("id")]
	if match := r.Header.Get("If-Match"); match != "*" { // as that of a restart is
		assert.Equal(s.t, `"`+r.PathValue("id")+`"`, match)
	}
	body, err := io.ReadAll(r.Body)
	assert.NoError(s.t, err)
	s.patches++
	switch r.Header.Get("Content-Type") {
	case "application/sdp":
		s.answers = append(s.answers, string(body))
		assert.NoError(s.t, session.pc.SetRemoteDescription(webrtc.SessionDescription{Type: webrtc.SDPTypeAnswer, SDP: string(body)}))
	case "application/trickle-ice-sdpfrag":
		assert.Contains(s.t, string(body), "a=end-of-candidates")
		assert.Contains(s.t, string(body), "a=ice-ufrag:")
		if session.asked++; session.asked > 1 {
			w.Header().Set("Content-Type", "application/trickle-ice-sdpfrag")
			_, _ = io.WriteString(w, "a=ice-ufrag:x\r\nm=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=mid:0\r\n"+strings.Join(session.candidates, ""))
			return
		}
	default:
		http.Error(w, "what is this?", http.StatusUnsupportedMediaType)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

func (s *foreignServer) end(http.ResponseWriter, *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ended++
}

// audience is a scenario of so many rooms and listeners, two of them probes.
func audience(rooms int) string {
	return fmt.Sprintf(`
name: somebody else's
rooms: %d
room: {capacity: 6, slots: 1}
cast:
  - {role: speaker, count: 1, audio: audio/guest.ogg}
  - {role: listener, count: 6, arrive: {within: 300ms, shape: linear}}
hold: 1500ms
`, rooms)
}

// requireServed requires that all joined, and that nothing was lost but what such
// a server misses between the end of a listener's handshake and its own.
func requireServed(t *testing.T, r *loadgen.Result) {
	t.Helper()
	assert.Empty(t, r.Problems)
	joined := rateOf(t, r, "joined")
	assert.Equal(t, joined.Total, joined.Passes, "joined")
	assert.Greater(t, rateOf(t, r, "delivered").Share(), 0.95)
	assert.Zero(t, rateOf(t, r, "unrecognised").Passes)
}

// sessionLevel moves a description's role, fingerprint and ICE options up to the session.
func sessionLevel(sdp string) string {
	var session, rest []string
	for line := range strings.Lines(sdp) {
		if strings.HasPrefix(line, "a=setup:") || strings.HasPrefix(line, "a=fingerprint:") {
			if !slices.Contains(session, line) {
				session = append(session, line)
			}
			continue
		}
		rest = append(rest, line)
	}
	return strings.Replace(strings.Join(rest, ""), "m=audio", strings.Join(session, "")+"m=audio", 1)
}

func TestWHEPDriverWorksWithAllServerVariants(t *testing.T) {
	t.Parallel()
	without := func(attribute string) func(string) string {
		return func(sdp string) string {
			var kept []string
			for line := range strings.Lines(sdp) {
				if !strings.HasPrefix(line, "a="+attribute) {
					kept = append(kept, line)
				}
			}
			return strings.Join(kept, "")
		}
	}
	for _, c := range []struct {
		name  string
		m     behavior
		rooms int
		holds func(t *testing.T, s *foreignServer)
	}{
		{"a full ICE agent", behavior{}, 1, nil},
		{"ICE-lite", behavior{change: func(e *webrtc.SettingEngine) { e.SetLite(true) }}, 1, nil},
		{"many rooms, each with its own token", behavior{publishing: "mic-of-{room}", listening: "secret"}, 3, func(t *testing.T, s *foreignServer) {
			assert.Len(t, s.rooms, 3)
		}},
		{"candidates that come late, by PATCH", behavior{late: true}, 1, func(t *testing.T, s *foreignServer) {
			assert.GreaterOrEqual(t, s.patches, 2*7, "everybody asked twice")
		}},
		{"another number for Opus", behavior{renumbered: true}, 1, nil},
		{"406 and an offer of its own, with RED and transport-cc", behavior{counter: true}, 1, func(t *testing.T, s *foreignServer) {
			assert.Len(t, s.answers, 6)
			for _, a := range s.answers {
				assert.NotContains(t, a, "red/48000")
				assert.NotContains(t, a, "transport-cc")
			}
		}},
		{"406, and candidates that come late", behavior{counter: true, late: true}, 1, nil},
		{"409 until it is ready", behavior{busy: 3}, 1, func(t *testing.T, s *foreignServer) {
			assert.Equal(t, 3, s.away)
		}},
		{"RED and transport-cc in its answers, unasked", behavior{answer: func(sdp string) string {
			sdp = strings.ReplaceAll(sdp, "SAVPF 111", "SAVPF 63 111")
			return strings.ReplaceAll(sdp, "a=rtpmap:111", "a=rtpmap:63 red/48000/2\r\na=fmtp:63 111/111\r\na=rtcp-fb:111 transport-cc\r\n"+
				"a=extmap:7 http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01\r\na=rtpmap:111")
		}}, 1, nil},
		{"no header extensions at all", behavior{answer: without("extmap")}, 1, nil},
		{"no word of its sources", behavior{answer: without("ssrc")}, 1, nil},
		{"attributes of the transport for the whole session", behavior{answer: sessionLevel}, 1, nil},
		{"OPUS in capitals", behavior{answer: func(sdp string) string { return strings.ReplaceAll(sdp, "opus/48000/2", "OPUS/48000/2") }}, 1, nil},
		{"fingerprints by several hashes", behavior{answer: func(sdp string) string {
			return strings.ReplaceAll(sdp, "a=fingerprint:", "a=fingerprint:sha-1 "+strings.Repeat("AB:", 19)+"AB\r\na=fingerprint:")
		}}, 1, nil},
		{"no end of the last line", behavior{answer: strings.TrimSpace}, 1, nil},
		{"candidates with host names", behavior{answer: func(sdp string) string {
			return strings.ReplaceAll(sdp, " 127.0.0.1 ", " localhost ")
		}}, 1, nil},
		{"404 until its stream is ready", behavior{busy: 3, away: http.StatusNotFound}, 1, func(t *testing.T, s *foreignServer) {
			assert.Equal(t, 3, s.away)
		}},
		{"a first candidate that leads nowhere", behavior{answer: func(sdp string) string {
			return strings.Replace(sdp, "a=candidate:", "a=candidate:99 1 udp 4294967295 127.9.9.9 9 typ host\r\na=candidate:", 1)
		}}, 1, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel() // they mostly wait
			s := serveForeign(t, c.m)
			requireServed(t, played(t, s.driver(), audience(c.rooms)))
			s.mu.Lock()
			defer s.mu.Unlock()
			assert.Equal(t, 7*c.rooms, s.ended, "every session is ended")
			if c.holds != nil {
				c.holds(t, s)
			}
		})
	}
}

func TestWHEPDriverUsesTURNServersFromLink(t *testing.T) {
	t.Parallel()
	server := relayed(t, "user", "pass,word")
	s := serveForeign(t, behavior{links: []string{
		`<` + server + `>; rel="ice-server"; username="user"; credential="pass,word"; credential-type="password"`,
	}})
	requireServed(t, played(t, s.driver(), audience(1)))
	require.Len(t, s.offers, 1)
	assert.Contains(t, s.offers[0], "typ relay", "the mic has a candidate of the TURN server")
}

func TestServerWithoutCandidatesIsReported(t *testing.T) {
	t.Parallel()
	s := serveForeign(t, behavior{late: true, noPatch: true})
	r := played(t, s.driver(), audience(1))
	require.NotEmpty(t, r.Problems)
	assert.Contains(t, r.Problems[0].Error, "no UDP candidate")
	assert.Contains(t, r.Problems[0].Error, "405", "and it takes no PATCH")
	judged := report.Judge(r, nil)
	assert.Equal(t, report.Fail, judged.Verdict)
	assert.Contains(t, strings.Join(judged.Reasons, "\n"), "the server did not take the mics of 1 of 1 speaker")
}

// Somebody's real server is played against where there is one.
func TestForeignServerLosesNothing(t *testing.T) {
	publish, listen := os.Getenv("EARSHOT_TARGET_WHIP"), os.Getenv("EARSHOT_TARGET_WHEP")
	if publish == "" || listen == "" {
		t.Skip("no server is named in EARSHOT_TARGET_WHIP and EARSHOT_TARGET_WHEP")
	}
	d, err := whep.New(publish, listen, os.Getenv("EARSHOT_TARGET_TOKEN"), nil)
	require.NoError(t, err)
	requireServed(t, played(t, d, audience(1)))
}
