package livekit

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pion/webrtc/v4"
	"github.com/pion/webrtc/v4/pkg/media"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/encoding/protowire"

	"github.com/earshot-audio/earshot/loadgen/driver"
	"github.com/earshot-audio/earshot/loadgen/scenario"
)

// rooms answers all calls of the RoomService.
func rooms(mux *http.ServeMux) *http.ServeMux {
	mux.HandleFunc("POST /twirp/livekit.RoomService/", func(http.ResponseWriter, *http.Request) {})
	return mux
}

func TestServersPathIsAskedForBeforeAnybodyJoins(t *testing.T) {
	says := func(status int) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			assert.Contains(t, r.Header.Get("Authorization"), "Bearer ")
			w.WriteHeader(status)
		}
	}
	for name, c := range map[string]struct {
		newer, older http.HandlerFunc
		byOlder      bool // it is played by /rtc
		asked        int32
	}{
		"a server with /rtc/v1":                 {newer: says(http.StatusBadRequest), older: says(http.StatusOK), asked: 1},
		"one with /rtc alone":                   {older: says(http.StatusOK), byOlder: true, asked: 2},
		"one with /rtc alone that knows nobody": {older: says(http.StatusUnauthorized), byOlder: true, asked: 2},
		"one that has neither":                  {asked: 2},
		"one that is out of order":              {newer: says(http.StatusServiceUnavailable), older: says(http.StatusOK), asked: 1},
		// Go's client asks twice itself.
		"one that ends the connection is asked again for the next room": {newer: func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, asked: 6},
	} {
		t.Run(name, func(t *testing.T) {
			mux := rooms(http.NewServeMux())
			var asked atomic.Int32
			for path, h := range map[string]http.HandlerFunc{"/rtc/v1/validate": c.newer, "/rtc/validate": c.older} {
				if h == nil {
					h = http.NotFound
				}
				mux.HandleFunc("GET "+path, func(w http.ResponseWriter, r *http.Request) { asked.Add(1); h(w, r) })
			}
			d := client(t, mux)
			for i := range 3 {
				_, err := d.Open(t.Context(), i, scenario.RoomSpec{})
				require.NoError(t, err)
			}
			assert.Equal(t, c.asked, asked.Load())
			assert.Equal(t, c.byOlder, d.Capabilities().WholeClients())
			assert.Equal(t, c.byOlder, strings.Contains(d.Target(), "by /rtc, since it has no /rtc/v1"), d.Target())
		})
	}
}

func TestServerThatKnowsNothingRefusesEverybody(t *testing.T) {
	d := client(t, http.NotFoundHandler())
	_, err := d.Open(t.Context(), 0, scenario.RoomSpec{})
	require.ErrorContains(t, err, "404")
	p := joined(t, d)
	_, err = p.Listen(within(t, time.Minute), "v=0")
	require.ErrorContains(t, err, "this is no LiveKit server, which has /rtc/v1 or /rtc")
	assert.True(t, driver.Refused(err))
	require.NoError(t, p.Leave(t.Context()))
}

// serveOlder returns a driver of a server that has /rtc alone and plays a script with each client.
func serveOlder(t *testing.T, script func(peer)) *Driver {
	t.Helper()
	mux := rooms(http.NewServeMux())
	mux.HandleFunc("/rtc/validate", func(http.ResponseWriter, *http.Request) {})
	mux.HandleFunc("/rtc", plays(t, script, func(u *url.URL) string { return u.RawQuery }))
	return client(t, mux)
}

// offer sends an offer of the server's.
func (p peer) offer(sdp string, id uint64) {
	p.send(3, number(bytesField(2, []byte(sdp)), 3, id))
}

// trickle sends a candidate of one of the two connections.
func (p peer) trickle(value string, target, final uint64) {
	init, err := json.Marshal(map[string]string{"candidate": value})
	assert.NoError(p.t, err)
	p.send(4, number(number(bytesField(1, init), 2, target), 3, final))
}

// text returns the number of the field of the client's next message, and its second field: the SDP
// of a description. Pings are left out.
func (p peer) text() (field protowire.Number, sdp string) {
	for {
		_, b, err := p.conn.ReadMessage()
		if err != nil {
			return 0, ""
		}
		number, _, n := protowire.ConsumeTag(b)
		body, _ := protowire.ConsumeBytes(b[n:])
		for len(body) > 0 {
			inner, kind, n := protowire.ConsumeTag(body)
			m := protowire.ConsumeFieldValue(inner, kind, body[n:])
			if inner == 2 && kind == protowire.BytesType {
				v, _ := protowire.ConsumeBytes(body[n:])
				sdp = string(v)
			}
			body = body[n+m:]
		}
		if number != pingField {
			return number, sdp
		}
	}
}

// pion returns a Pion peer connection over the loopback interface, which the test closes.
func pion(t *testing.T) *webrtc.PeerConnection {
	settings := webrtc.SettingEngine{}
	settings.SetIncludeLoopbackCandidate(true)
	settings.SetInterfaceFilter(func(name string) bool { return strings.HasPrefix(name, "lo") })
	pc, err := webrtc.NewAPI(webrtc.WithSettingEngine(settings)).NewPeerConnection(webrtc.Configuration{})
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, pc.GracefulClose()) })
	return pc
}

// voice adds a track that has something to say, until the test ends.
func voice(t *testing.T, pc *webrtc.PeerConnection, id string) {
	track, err := webrtc.NewTrackLocalStaticSample(webrtc.RTPCodecCapability{MimeType: webrtc.MimeTypeOpus}, id, id)
	if !assert.NoError(t, err) {
		return
	}
	_, err = pc.AddTrack(track)
	assert.NoError(t, err)
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		for ctx.Err() == nil {
			_ = track.WriteSample(media.Sample{Data: []byte{0xf8, 0xff, 0xfe}, Duration: 20 * time.Millisecond}) // until it is connected
			time.Sleep(20 * time.Millisecond)
		}
	}()
	t.Cleanup(func() { stop(); <-done })
}

// describe returns a connection's own description.
func describe(t *testing.T, pc *webrtc.PeerConnection, described func() (webrtc.SessionDescription, error)) string {
	d, err := described()
	assert.NoError(t, err)
	assert.NoError(t, pc.SetLocalDescription(d))
	return d.SDP
}

func answerOf(pc *webrtc.PeerConnection) func() (webrtc.SessionDescription, error) {
	return func() (webrtc.SessionDescription, error) { return pc.CreateAnswer(nil) }
}

func offerOf(pc *webrtc.PeerConnection) func() (webrtc.SessionDescription, error) {
	return func() (webrtc.SessionDescription, error) { return pc.CreateOffer(nil) }
}

// TestListenerAnswersTheServersOffers has the server offer a data channel and no voice, one voice,
// and then, as after a reconnection, new ICE credentials. The media is real.
func TestListenerAnswersTheServersOffers(t *testing.T) {
	open := make(chan struct{})
	came := make(chan string, 10)
	d := serveOlder(t, func(p peer) {
		came <- p.request
		p.send(1, bytesField(2, bytesField(1, []byte("PA_1"))))
		if strings.Contains(p.request, "reconnect=1") {
			p.send(19, nil)
			p.text()
			return
		}
		pc := pion(t)
		pc.OnICECandidate(func(c *webrtc.ICECandidate) {
			if c == nil {
				p.trickle("candidate:9 1 udp 1 192.0.2.1 9 typ host", 0, 1) // of the connection that nobody uses
				return
			}
			p.trickle(c.ToJSON().Candidate, 1, 0)
		})
		channel, err := pc.CreateDataChannel("_reliable", nil)
		assert.NoError(t, err)
		channel.OnOpen(func() { close(open) })
		answered := func(id uint64, offer func() (webrtc.SessionDescription, error)) {
			p.offer(describe(t, pc, offer), id)
			field, answer := p.text()
			assert.EqualValues(t, 2, field)
			assert.NoError(t, pc.SetRemoteDescription(webrtc.SessionDescription{Type: webrtc.SDPTypeAnswer, SDP: answer}))
		}
		answered(1, offerOf(pc))
		voice(t, pc, "ada")
		answered(2, offerOf(pc))
		<-open
		answered(3, func() (webrtc.SessionDescription, error) {
			return pc.CreateOffer(&webrtc.OfferOptions{ICERestart: true})
		})
		p.trickle("candidate:7 1 udp 1 127.0.0.1 7 typ host", 1, 1)
		p.text()
	})
	room, err := d.Open(t.Context(), 0, scenario.RoomSpec{})
	require.NoError(t, err)
	joined, err := room.Join(t.Context(), "listener 1.1", scenario.Listener)
	require.NoError(t, err)
	p := joined.(*participant)
	_, err = p.Listen(within(t, time.Minute), "v=0")
	var counter *driver.CounterOffer
	require.ErrorAs(t, err, &counter)
	assert.Contains(t, counter.SDP, "m=application")
	assert.Contains(t, <-came, "auto_subscribe=1")

	ear := pion(t)
	heard := make(chan struct{}, 10000)
	ear.OnTrack(func(track *webrtc.TrackRemote, _ *webrtc.RTPReceiver) {
		for b := make([]byte, 1500); ; heard <- struct{}{} {
			if _, _, err := track.Read(b); err != nil {
				return
			}
		}
	})
	restarted := make(chan struct{})
	answer := func(offer string) string {
		assert.NoError(t, ear.SetRemoteDescription(webrtc.SessionDescription{Type: webrtc.SDPTypeOffer, SDP: offer}))
		gathered := webrtc.GatheringCompletePromise(ear)
		describe(t, ear, answerOf(ear))
		<-gathered
		return ear.LocalDescription().SDP
	}
	require.NoError(t, counter.Answer(t.Context(), answer(counter.SDP)))
	c := p.connection()
	require.Eventually(t, func() bool {
		c.negotiating.Lock()
		defer c.negotiating.Unlock()
		return c.pending != nil
	}, time.Minute, time.Millisecond, "the second offer waits for the client to go on")
	offers, given := 0, make(chan string, 1000)
	p.Negotiate(driver.Negotiation{
		Answer: func(_ context.Context, offer string, send func(string) error) error {
			if offers++; offers == 2 {
				defer close(restarted)
			}
			return send(answer(offer))
		},
		Candidate: func(attribute string) {
			assert.NotContains(t, attribute, "192.0.2.1")
			given <- attribute
			assert.NoError(t, ear.AddICECandidate(webrtc.ICECandidateInit{Candidate: attribute}))
		},
	})
	<-heard
	<-restarted
	for candidate := range given {
		if strings.HasPrefix(candidate, "candidate:7 ") { // what follows an offer comes through
			break
		}
	}
	for range len(heard) {
		<-heard
	}
	for range 50 { // more than were on their way
		<-heard
	}
	_, err = p.Resume(within(t, time.Minute))
	require.NoError(t, err)
	assert.Regexp(t, `reconnect=1&reconnect_reason=1&.*sid=PA_1`, <-came)
	require.NoError(t, p.Leave(within(t, time.Minute)))
	<-p.Done()
}

func TestMicOffersItsConnection(t *testing.T) {
	heard := make(chan string, 1)
	d := serveOlder(t, func(p peer) {
		pc := pion(t)
		pc.OnICECandidate(func(c *webrtc.ICECandidate) {
			if c == nil {
				p.trickle("", 0, 1)
				return
			}
			p.trickle(c.ToJSON().Candidate, 0, 0)
		})
		pc.OnTrack(func(track *webrtc.TrackRemote, _ *webrtc.RTPReceiver) { heard <- track.ID() })
		field, name := p.text()
		assert.EqualValues(t, 4, field, "the track is announced before it is offered")
		assert.Equal(t, "microphone", name)
		_, offer := p.text()
		assert.NoError(t, pc.SetRemoteDescription(webrtc.SessionDescription{Type: webrtc.SDPTypeOffer, SDP: offer}))
		p.send(6, bytesField(2, bytesField(1, []byte("TR_1"))))
		p.answer(describe(t, pc, answerOf(pc)))
		p.text()
	})
	room, err := d.Open(t.Context(), 0, scenario.RoomSpec{})
	require.NoError(t, err)
	joined, err := room.Join(t.Context(), "speaker 1.1", scenario.Speaker)
	require.NoError(t, err)
	p := joined.(*participant)
	mic := pion(t)
	voice(t, mic, "ada")
	gathered := webrtc.GatheringCompletePromise(mic)
	describe(t, mic, offerOf(mic))
	<-gathered
	answer, err := p.Publish(within(t, time.Minute), mic.LocalDescription().SDP)
	require.NoError(t, err)
	assert.Contains(t, answer, "a=candidate:")
	require.NoError(t, mic.SetRemoteDescription(webrtc.SessionDescription{Type: webrtc.SDPTypeAnswer, SDP: answer}))
	assert.Equal(t, "ada", <-heard)
	track, err := p.publishedTrack(t.Context())
	require.NoError(t, err)
	assert.Equal(t, "TR_1", track)
	require.NoError(t, p.Leave(within(t, time.Minute)))
}

func TestListenerWithoutAnOfferIsNotLetIn(t *testing.T) {
	for name, c := range map[string]struct {
		script  func(peer)
		says    string
		refused bool
	}{
		"a server that offers nothing": {func(p peer) { p.send(1, nil); p.text() }, "wait for the server's offer: context deadline exceeded", false},
		"one that says no":             {func(p peer) { p.send(8, number(nil, 2, 4)); p.text() }, "the participant was removed", true},
		"one that ends the connection": {func(peer) {}, "wait for the server's offer: the signal connection ended", false},
	} {
		t.Run(name, func(t *testing.T) {
			d := serveOlder(t, c.script)
			room, err := d.Open(t.Context(), 0, scenario.RoomSpec{})
			require.NoError(t, err)
			p, err := room.Join(t.Context(), "listener 1.1", scenario.Listener)
			require.NoError(t, err)
			_, err = p.Listen(until(t, c.says), "v=0")
			require.ErrorContains(t, err, c.says)
			assert.Equal(t, c.refused, driver.Refused(err))
			require.NoError(t, p.Leave(within(t, time.Minute)))
			<-p.Done()
		})
	}
}
