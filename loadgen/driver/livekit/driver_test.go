package livekit

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/gorilla/websocket"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/encoding/protowire"

	"github.com/earshot-audio/earshot/loadgen/driver"
	"github.com/earshot-audio/earshot/loadgen/driver/livekit/signal"
	"github.com/earshot-audio/earshot/loadgen/scenario"
)

const apiKey, apiSecret = "key", "a secret of thirty-two characters"

// A peer is a client's signal connection as the server has it.
type peer struct {
	t       *testing.T
	conn    *websocket.Conn
	request string // by which the client came
	writing *sync.Mutex
}

// send sends a message with one field of bytes, of those that SignalResponse has.
func (p peer) send(field protowire.Number, b []byte) {
	p.writing.Lock()
	defer p.writing.Unlock()
	assert.NoError(p.t, p.conn.WriteMessage(websocket.BinaryMessage, bytesField(field, b)))
}

func bytesField(field protowire.Number, v []byte) []byte {
	return protowire.AppendBytes(protowire.AppendTag(nil, field, protowire.BytesType), v)
}

func number(b []byte, field protowire.Number, v uint64) []byte {
	return protowire.AppendVarint(protowire.AppendTag(b, field, protowire.VarintType), v)
}

func (p peer) answer(sdp string) { p.send(2, bytesField(2, []byte(sdp))) }
func (p peer) wants(audios uint64) {
	p.send(25, number(nil, 1, audios))
}
func (p peer) candidate(value string, final uint64) {
	init, err := json.Marshal(map[string]string{"candidate": value})
	assert.NoError(p.t, err)
	p.send(4, number(bytesField(1, init), 3, final))
}

// receives returns the number of the field of the client's next message; 0 at the end.
func (p peer) receives() protowire.Number {
	_, b, err := p.conn.ReadMessage()
	if err != nil {
		return 0
	}
	field, _, n := protowire.ConsumeTag(b)
	assert.Positive(p.t, n)
	return field
}

// The fields of a client's messages.
const offerField, leaveField, pingField = 1, 8, 16

// serve returns a driver of a server that plays a script with each client.
func serve(t *testing.T, script func(peer)) *Driver {
	t.Helper()
	mux := http.NewServeMux()
	mux.HandleFunc("/rtc/v1", plays(t, script, func(u *url.URL) string { return u.Query().Get("join_request") }))
	return client(t, mux)
}

// plays plays a script with each client, who came by a request in a URL.
func plays(t *testing.T, script func(peer), request func(*url.URL) string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		conn, err := (&websocket.Upgrader{}).Upgrade(w, r, nil)
		if assert.NoError(t, err) {
			defer conn.Close()
			script(peer{t, conn, request(r.URL), &sync.Mutex{}})
		}
	}
}

func client(t *testing.T, handler http.Handler) *Driver {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	d, err := New(strings.Replace(server.URL, "http", "ws", 1), apiKey, apiSecret, nil)
	require.NoError(t, err)
	t.Cleanup(d.client.CloseIdleConnections)
	return d
}

func joined(t *testing.T, d *Driver) *participant {
	t.Helper()
	room, err := d.Enter(t.Context(), 0, "room")
	require.NoError(t, err)
	p, err := room.Join(t.Context(), "listener 1.1", scenario.Listener)
	require.NoError(t, err)
	return p.(*participant)
}

// within is a context for what must not last.
func within(t *testing.T, d time.Duration) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), d)
	t.Cleanup(cancel)
	return ctx
}

// until is a context for what is to fail: soon over where it fails by its deadline.
func until(t *testing.T, says string) context.Context {
	if strings.Contains(says, "deadline") {
		return within(t, 300*time.Millisecond)
	}
	return within(t, time.Minute)
}

// A sendingAnswer is one of a server that sends a voice.
const sendingAnswer = "v=0\r\no=- 1 2 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\nm=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=rtpmap:111 opus/48000/2\r\na=sendonly\r\na=ssrc:7 cname:a\r\n"

func TestAnswerComesWithTheCandidates(t *testing.T) {
	for name, script := range map[string]func(peer){
		"before the answer": func(p peer) {
			p.candidate("candidate:1 1 udp 1 127.0.0.1 1 typ host", 0)
			p.candidate("candidate:2 1 udp 1 127.0.0.1 2 typ host", 1)
			p.answer("v=0\r\n")
			p.receives()
		},
		"after it": func(p peer) {
			p.answer("v=0\r\n")
			p.candidate("candidate:1 1 udp 1 127.0.0.1 1 typ host", 0)
			p.candidate("candidate:2 1 udp 1 127.0.0.1 2 typ host", 1)
			p.receives()
		},
	} {
		t.Run(name, func(t *testing.T) {
			p := joined(t, serve(t, script))
			answer, err := p.Listen(within(t, time.Minute), "v=0")
			require.NoError(t, err)
			trickled, err := p.Trickle(within(t, time.Minute), driver.Ear, "")
			require.NoError(t, err)
			assert.Contains(t, answer+trickled, "a=candidate:1 ")
			assert.Contains(t, trickled, "a=candidate:2 ")
			require.NoError(t, p.Leave(within(t, time.Minute)))
		})
	}
}

func TestListenFails(t *testing.T) {
	for name, c := range map[string]struct {
		script  func(peer)
		says    string
		refused bool
	}{
		"a server that never answers":         {func(p peer) { p.receives() }, "context deadline exceeded", false},
		"one that says no":                    {func(p peer) { p.send(8, number(nil, 2, 4)); p.receives() }, "the participant was removed", true},
		"one that ends the connection":        {func(peer) {}, "the signal connection ended", false},
		"one that speaks something else":      {func(p peer) { assert.NoError(p.t, p.conn.WriteMessage(websocket.TextMessage, []byte("{}"))) }, "cannot be read", false},
		"one that sends what nobody asks for": {func(p peer) { p.send(99, nil); p.send(3, nil); p.receives() }, "context deadline exceeded", false},
	} {
		t.Run(name, func(t *testing.T) {
			p := joined(t, serve(t, c.script))
			_, err := p.Listen(until(t, c.says), "v=0")
			require.ErrorContains(t, err, c.says)
			assert.Equal(t, c.refused, driver.Refused(err))
			require.NoError(t, p.Leave(within(t, time.Minute)))
			<-p.Done()
		})
	}
}

func TestRefusedJoins(t *testing.T) {
	for name, c := range map[string]struct {
		status int
		says   string
	}{
		"a wrong key":              {http.StatusUnauthorized, "401 Unauthorized"},
		"a room that is not there": {http.StatusNotFound, "the room has ended, or this is no LiveKit server"},
	} {
		t.Run(name, func(t *testing.T) {
			p := joined(t, client(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(c.status) })))
			_, err := p.Listen(within(t, time.Minute), "v=0")
			require.ErrorContains(t, err, c.says)
			assert.True(t, driver.Refused(err))
			require.NoError(t, p.Leave(t.Context()))
			<-p.Done()
		})
	}
}

func TestServerGetsTheOffersThatItWants(t *testing.T) {
	made := make(chan int, 1000) // how many sections more
	accepted := make(chan string, 1000)
	d := serve(t, func(p peer) {
		p.candidate("", 1)
		p.wants(2) // at once: the client has not taken the answer yet
		p.answer("v=0\r\n")
		assert.EqualValues(t, offerField, p.receives())
		p.wants(0) // while an offer has no answer, its wish is kept
		p.answer(sendingAnswer)
		assert.EqualValues(t, offerField, p.receives())
		p.answer(sendingAnswer)
		p.wants(maxSections)             // more than there may be
		p.send(25, number(nil, 2, 3))    // video
		for p.receives() == offerField { // again and again, to no effect
			p.answer(sendingAnswer)
			p.wants(0)
		}
	})
	p := joined(t, d)
	_, err := p.Listen(within(t, time.Minute), "v=0")
	require.NoError(t, err)
	p.Negotiate(driver.Negotiation{
		Offer:  func(_ context.Context, more int) (string, error) { made <- more; return "v=0", nil },
		Accept: func(answer string) { accepted <- answer },
	})
	assert.Equal(t, 2, <-made)
	assert.Equal(t, sendingAnswer, <-accepted)
	assert.Equal(t, 0, <-made)
	assert.Equal(t, sendingAnswer, <-accepted)
	require.NoError(t, p.Leave(within(t, time.Minute)))
	assert.LessOrEqual(t, len(made), idleOffers)
}

func TestServerIsToldWhenSomebodyLeaves(t *testing.T) {
	told := make(chan protowire.Number, 1)
	p := joined(t, serve(t, func(p peer) {
		p.candidate("", 1)
		p.answer("v=0\r\n")
		told <- p.receives()
	}))
	_, err := p.Listen(within(t, time.Minute), "v=0")
	require.NoError(t, err)
	require.NoError(t, p.Leave(within(t, time.Minute)))
	assert.EqualValues(t, leaveField, <-told)
	<-p.Done()
	require.NoError(t, p.Leave(within(t, time.Minute)), "twice")
}

func TestPingsAreSentAsTheServerWants(t *testing.T) {
	pinged := make(chan protowire.Number, 2)
	p := joined(t, serve(t, func(p peer) {
		p.send(1, number(nil, 11, 1))
		p.candidate("", 1)
		p.answer("v=0\r\n")
		pinged <- p.receives()
		p.send(20, number(nil, 1, uint64(time.Now().UnixMilli())))
		pinged <- p.receives()
	}))
	_, err := p.Listen(within(t, time.Minute), "v=0")
	require.NoError(t, err)
	assert.EqualValues(t, pingField, <-pinged)
	assert.EqualValues(t, pingField, <-pinged)
	require.NoError(t, p.Leave(within(t, time.Minute)))
}

func TestResumeTakesTheSessionUp(t *testing.T) {
	came := make(chan string, 10)
	ended := make(chan protowire.Number, 10)
	offered := make(chan protowire.Number, 10)
	d := serve(t, func(p peer) {
		came <- p.request
		if p.request != (signal.Resumption{Session: "PA_1"}).Query() {
			p.send(1, number(bytesField(2, bytesField(1, []byte("PA_1"))), 11, 60))
			p.candidate("candidate:1 1 udp 1 127.0.0.1 1 typ host", 1)
			p.answer("v=0\r\n")
			ended <- p.receives()
			return
		}
		p.send(19, nil)
		offered <- p.receives()
		p.answer(sendingAnswer)
		ended <- p.receives()
	})
	accepted := make(chan string, 10)
	p := joined(t, d)
	_, err := p.Resume(t.Context())
	require.ErrorIs(t, err, errNotConnected, "nobody is there yet")
	_, err = p.Listen(within(t, time.Minute), "v=0")
	require.NoError(t, err)
	p.Negotiate(driver.Negotiation{
		Offer:  func(context.Context, int) (string, error) { return "v=0", nil },
		Accept: func(answer string) { accepted <- answer },
	})
	assert.Equal(t, signal.Join{Offer: "v=0"}.Query(), <-came)
	for range 2 { // the second is of a session that has been taken up before
		next, err := p.Resume(within(t, time.Minute))
		require.NoError(t, err)
		assert.Same(t, p, next)
		assert.Zero(t, <-ended, "without a goodbye")
		<-came
		assert.EqualValues(t, offerField, <-offered, "the server may have wanted one in between")
		assert.Equal(t, sendingAnswer, <-accepted)
	}
	candidates, err := p.Trickle(t.Context(), driver.Ear, "")
	require.NoError(t, err)
	assert.Contains(t, candidates, "candidate:1 ", "they are known from the first connection")
	select {
	case <-p.Done():
		assert.Fail(t, "the presence goes on")
	default:
	}
	require.NoError(t, p.Leave(within(t, time.Minute)))
	assert.EqualValues(t, leaveField, <-ended)
	<-p.Done()
	_, err = p.Resume(t.Context())
	require.ErrorIs(t, err, errNotConnected, "they have left")
}

func TestResumeFails(t *testing.T) {
	for name, c := range map[string]struct {
		script  func(peer)
		says    string
		refused bool
	}{
		"a server that does not know the session": {func(p peer) { p.send(8, number(nil, 2, 6)); p.receives() }, "the server does not know the session", true},
		"one that never answers":                  {func(p peer) { p.receives() }, "context deadline exceeded", false},
		"one that ends the connection":            {func(peer) {}, "the signal connection ended", false},
		"one that lets them in anew": {func(p peer) { // so the media connection of before is nobody's
			p.send(1, bytesField(2, bytesField(1, []byte("PA_2"))))
			p.receives()
		}, "began another session", true},
	} {
		t.Run(name, func(t *testing.T) {
			p := joined(t, serve(t, func(p peer) {
				if p.request != (signal.Join{Offer: "v=0"}).Query() {
					c.script(p)
					return
				}
				p.send(1, bytesField(2, bytesField(1, []byte("PA_1"))))
				p.candidate("", 1)
				p.answer("v=0\r\n")
				p.receives()
			}))
			_, err := p.Listen(within(t, time.Minute), "v=0")
			require.NoError(t, err)
			_, err = p.Resume(until(t, c.says))
			require.ErrorContains(t, err, c.says)
			assert.Equal(t, c.refused, driver.Refused(err))
			<-p.Done()
			require.NoError(t, p.Leave(within(t, time.Minute)))
		})
	}
}

func TestPublishNeedsATrack(t *testing.T) {
	p := joined(t, client(t, http.NotFoundHandler()))
	_, err := p.Publish(t.Context(), "v=0")
	require.ErrorContains(t, err, "names no track")
	require.NoError(t, p.Leave(t.Context()))
}

func TestModeratorsAskTheRoomService(t *testing.T) {
	type call struct {
		method string
		body   map[string]any
	}
	calls := make(chan call, 10)
	mux := http.NewServeMux()
	mux.HandleFunc("POST /twirp/livekit.RoomService/{method}", func(w http.ResponseWriter, r *http.Request) {
		token, err := jwt.ParseWithClaims(strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer "), jwt.MapClaims{},
			func(*jwt.Token) (any, error) { return []byte(apiSecret), nil }, jwt.WithIssuer(apiKey), jwt.WithValidMethods([]string{"HS256"}))
		if assert.NoError(t, err) {
			video, _ := token.Claims.(jwt.MapClaims)["video"].(map[string]any)
			assert.Equal(t, true, video["roomAdmin"])
		}
		body, err := io.ReadAll(r.Body)
		assert.NoError(t, err)
		c := call{method: r.PathValue("method")}
		assert.NoError(t, json.Unmarshal(body, &c.body))
		calls <- c
		if c.method == "DeleteRoom" {
			w.WriteHeader(http.StatusNotFound) // it has ended by itself
		}
	})
	mux.HandleFunc("/rtc/v1", plays(t, func(p peer) {
		p.send(6, bytesField(2, bytesField(1, []byte("TR_1"))))
		p.candidate("", 1)
		p.answer("v=0\r\n")
		p.receives()
	}, func(*url.URL) string { return "" }))
	d := client(t, mux)
	room, err := d.Open(t.Context(), 0, scenario.RoomSpec{})
	require.NoError(t, err)
	speaker, err := room.Join(t.Context(), "speaker 1.1", scenario.Speaker)
	require.NoError(t, err)
	_, err = speaker.Publish(within(t, time.Minute), "a=msid:stream mic\r\n")
	require.NoError(t, err)
	for _, verb := range d.Capabilities().Acts {
		if verb == scenario.Reconnect { // which people do themselves
			continue
		}
		require.NoError(t, room.Act(within(t, time.Minute), verb, speaker), verb)
	}
	require.ErrorIs(t, room.Act(t.Context(), scenario.Promote, speaker), driver.ErrUnsupported)
	require.NoError(t, speaker.Leave(within(t, time.Minute)))
	require.NoError(t, room.Close(t.Context()))
	who := map[string]any{"room": room.Name(), "identity": "speaker-1.1"}
	mute := func(muted bool) map[string]any {
		return map[string]any{"room": room.Name(), "identity": "speaker-1.1", "track_sid": "TR_1", "muted": muted}
	}
	for _, want := range []call{
		{"CreateRoom", map[string]any{"name": room.Name(), "empty_timeout": 3600.0}}, {"MutePublishedTrack", mute(true)}, {"MutePublishedTrack", mute(false)},
		{"RemoveParticipant", who}, {"DeleteRoom", map[string]any{"room": room.Name()}}, {"DeleteRoom", map[string]any{"room": room.Name()}},
	} {
		assert.Equal(t, want, <-calls)
	}
}

func TestTokensAllowOneThingAlone(t *testing.T) {
	for name, sends := range map[string]bool{"a listener": false, "a speaker": true} {
		t.Run(name, func(t *testing.T) {
			text, err := keys{apiKey, apiSecret}.token("ada", joining("lobby", sends))
			require.NoError(t, err)
			claims := jwt.MapClaims{}
			_, err = jwt.ParseWithClaims(text, claims, func(*jwt.Token) (any, error) { return []byte(apiSecret), nil },
				jwt.WithIssuer(apiKey), jwt.WithSubject("ada"), jwt.WithExpirationRequired())
			require.NoError(t, err)
			assert.Equal(t, map[string]any{"roomJoin": true, "room": "lobby", "canPublish": sends, "canSubscribe": !sends, "canPublishData": false}, claims["video"])
		})
	}
}

func TestNewSaysWhatIsMissing(t *testing.T) {
	for name, c := range map[string]struct{ url, key, secret, says string }{
		"no server":     {"", "k", "s", "--livekit-url, or LIVEKIT_URL"},
		"no key":        {"ws://a", "", "s", "--api-key, or LIVEKIT_API_KEY"},
		"no secret":     {"ws://a", "k", "", "--api-secret, or LIVEKIT_API_SECRET"},
		"no URL":        {"127.0.0.1:7880", "k", "s", "--livekit-url"},
		"another thing": {"ftp://a", "k", "s", "is not a ws or wss URL"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := New(c.url, c.key, c.secret, nil)
			assert.ErrorContains(t, err, c.says)
		})
	}
	for target, want := range map[string]string{"ws://a:7880": "ws://a:7880", "https://a": "wss://a"} {
		d, err := New(target, "k", "s", nil)
		require.NoError(t, err)
		assert.Equal(t, want, d.Target())
	}
}
