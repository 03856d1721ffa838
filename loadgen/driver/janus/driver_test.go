package janus

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/earshot-audio/earshot/loadgen/driver"
	"github.com/earshot-audio/earshot/loadgen/scenario"
)

func TestFlags(t *testing.T) {
	for name, c := range map[string]struct {
		flags map[string]string
		says  string // "" is no error
	}{
		"a URL":                 {map[string]string{urlFlag: "ws://127.0.0.1:8188"}, ""},
		"no URL":                {map[string]string{}, "needs --janus-url, like ws://127.0.0.1:8188"},
		"the HTTP transport's":  {map[string]string{urlFlag: "http://127.0.0.1:8088/janus"}, "is not a ws or wss URL"},
		"no URL at all":         {map[string]string{urlFlag: "ws://[::1"}, "--janus-url"},
		"a sampling rate":       {map[string]string{urlFlag: "ws://a", rateFlag: "16000"}, ""},
		"one that Opus has not": {map[string]string{urlFlag: "ws://a", rateFlag: "44100"}, `--janus-sampling-rate is "44100": Opus has 8000`},
		"a secret of no room":   {map[string]string{urlFlag: "ws://a", roomSecretFlag: "x"}, "name it with --janus-room"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Kind().New(driver.Options{Flags: c.flags})
			if c.says == "" {
				assert.NoError(t, err)
				return
			}
			assert.ErrorContains(t, err, c.says)
		})
	}
}

func TestOneRun(t *testing.T) {
	f := &fake{t: t}
	room := f.room()
	assert.Equal(t, "9007199254740991", room.Name())
	created := f.asked("bridge " + createRoom)
	require.Len(t, created, 1)
	assert.Equal(t, "the secret", created[0].APISecret)
	assert.Equal(t, "the token", created[0].Token)
	assert.EqualValues(t, defaultRate, created[0].Body["sampling_rate"])

	listener, speaker := joined(t, room), joined(t, room)
	answer, err := listener.Listen(within(t, time.Minute), "v=0\r\n")
	require.NoError(t, err)
	assert.Equal(t, "v=0\r\n", answer)
	_, err = speaker.Publish(within(t, time.Minute), "v=0\r\na=candidate:1 1 udp 1 192.0.2.1 1 typ host\r\n")
	require.NoError(t, err)
	joins := f.asked("bridge " + join)
	require.Len(t, joins, 2)
	assert.Equal(t, true, joins[0].Body["muted"], "who listens says nothing")
	assert.Equal(t, "v=0\r\na=candidate:1 1 udp 1 127.0.0.1 9 typ host\r\n", joins[0].JSEP["sdp"], "libnice wants a candidate")
	assert.Nil(t, joins[1].Body["muted"])
	assert.Equal(t, 1, strings.Count(joins[1].JSEP["sdp"], "a=candidate"), "and this one has its own")
	assert.NotEmpty(t, joins[0].Body["pin"], "nobody else comes in")

	for _, verb := range []scenario.Verb{scenario.Mute, scenario.Unmute, scenario.Kick} {
		require.NoError(t, room.Act(within(t, time.Minute), verb, speaker))
		asked := f.asked("bridge " + string(verb))
		require.Len(t, asked, 1, verb)
		assert.Equal(t, created[0].Body["secret"], asked[0].Body["secret"])
		assert.EqualValues(t, 7, asked[0].Body["id"])
	}
	require.NoError(t, room.Act(within(t, time.Minute), scenario.End, nil))
	assert.ErrorIs(t, room.Act(t.Context(), scenario.Promote, speaker), driver.ErrUnsupported)

	require.NoError(t, listener.Leave(within(t, time.Minute)))
	<-listener.Done()
	require.NoError(t, speaker.Leave(within(t, time.Minute)))
	require.NoError(t, room.Close(within(t, time.Minute)))
	f.mu.Lock()
	defer f.mu.Unlock()
	assert.Zero(t, f.sessions, "no session is left")
}

func TestAnotherProcessEntersTheRoom(t *testing.T) {
	f := &fake{t: t}
	d := f.driver()
	room, err := d.Open(t.Context(), 0, scenario.RoomSpec{})
	require.NoError(t, err)
	ticket, err := d.Ticket(room)
	require.NoError(t, err)
	entered, err := d.Enter(t.Context(), 0, ticket)
	require.NoError(t, err)
	p := joined(t, entered)
	_, err = p.Publish(within(t, time.Minute), "v=0\r\n")
	require.NoError(t, err)
	require.NoError(t, entered.Act(within(t, time.Minute), scenario.Mute, p))
	require.NoError(t, entered.Close(within(t, time.Minute)))
	assert.Empty(t, f.asked("bridge "+destroyRoom), "it is for whoever created it")
	require.NoError(t, room.Close(within(t, time.Minute)))
	assert.Len(t, f.asked("bridge "+destroyRoom), 1)
	_, err = d.Enter(t.Context(), 0, "{")
	assert.ErrorContains(t, err, "can't be read")
}

func TestRoomThatIsThere(t *testing.T) {
	for name, c := range map[string]struct {
		room    string
		answers func(received) []map[string]any
		sent    any // how the room is named; nil: it is refused
		says    string
	}{
		"a number": {"1234", nil, 1234.0, ""},
		"a name":   {"lounge", nil, "lounge", ""},
		"a number where ids are strings": {"1234", func(r received) []map[string]any {
			if _, is := r.Body["room"].(string); is {
				return nil
			}
			return declines(roomExists, elementInvalid, "Invalid element type (room should be a string)")(r)
		}, "1234", ""},
		"one that is not there": {"9", func(r received) []map[string]any {
			if r.asks() != "bridge "+roomExists {
				return nil
			}
			return []map[string]any{bridged("success", map[string]any{"audiobridge": "success", "exists": false})}
		}, nil, "it has no AudioBridge room 9: give another --janus-room"},
	} {
		t.Run(name, func(t *testing.T) {
			f := &fake{t: t, answers: c.answers}
			d := f.driver()
			d.room = &existing{name: c.room, secret: "s", pin: "p"}
			room, err := d.Open(t.Context(), 0, scenario.RoomSpec{})
			if c.sent == nil {
				require.ErrorContains(t, err, c.says)
				return
			}
			require.NoError(t, err)
			assert.Equal(t, c.room, room.Name())
			_, err = joined(t, room).Listen(within(t, time.Minute), "v=0\r\n")
			require.NoError(t, err)
			assert.Equal(t, c.sent, f.asked("bridge " + join)[0].Body["room"])
			assert.Equal(t, "p", f.asked("bridge " + join)[0].Body["pin"])
			require.NoError(t, room.Close(within(t, time.Minute)))
			assert.Empty(t, f.asked("bridge "+destroyRoom), "it was there before")
			_, err = d.Open(t.Context(), 1, scenario.RoomSpec{})
			assert.ErrorIs(t, err, driver.ErrUnsupported, "it is one room")
		})
	}
}

func TestOpenFails(t *testing.T) {
	for name, c := range map[string]struct {
		answers func(received) []map[string]any
		says    string
	}{
		"without its secret":     {refuses(create, 403, "Unauthorized request"), "403: Unauthorized request: give its api_secret with --janus-api-secret"},
		"without an AudioBridge": {refuses(attach, 460, "No such plugin"), "is libjanus_audiobridge.so in its plugins folder"},
		"by a wrong token":       {refuses(attach, 405, "Not allowed"), "the token of --token does not allow the AudioBridge"},
		"when it is to end":      {refuses(create, 472, "Not accepting"), "takes no more sessions"},
		"without its admin_key":  {declines(createRoom, 489, "Unauthorized (wrong admin_key)"), "give it with --janus-admin-key"},
	} {
		t.Run(name, func(t *testing.T) {
			f := &fake{t: t, answers: c.answers}
			_, err := f.driver().Open(within(t, time.Minute), 0, scenario.RoomSpec{})
			require.ErrorContains(t, err, c.says)
			assert.True(t, driver.Refused(err))
		})
	}
}

func TestServersThatAreNoJanus(t *testing.T) {
	for name, c := range map[string]struct {
		handle http.HandlerFunc
		says   string
	}{
		"one without WebSockets": {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNotFound) }, "404 Not Found"},
		"one of something else": {func(w http.ResponseWriter, r *http.Request) {
			if conn, err := (&websocket.Upgrader{}).Upgrade(w, r, nil); err == nil {
				_ = conn.Close()
			}
		}, "does not speak janus-protocol"},
	} {
		t.Run(name, func(t *testing.T) {
			server := httptest.NewServer(c.handle)
			t.Cleanup(server.Close)
			d, err := New(strings.Replace(server.URL, "http", "ws", 1), "", "", nil)
			require.NoError(t, err)
			_, err = d.Open(within(t, time.Minute), 0, scenario.RoomSpec{})
			assert.ErrorContains(t, err, c.says)
		})
	}
	d, err := New("ws://127.0.0.1:1", "", "", nil)
	require.NoError(t, err)
	_, err = d.Open(within(t, time.Minute), 0, scenario.RoomSpec{})
	assert.ErrorIs(t, err, driver.ErrUnreachable)
}

func TestListenFails(t *testing.T) {
	for name, c := range map[string]struct {
		answers func(received) []map[string]any
		ends    bool
		says    string
		refused bool
	}{
		"a server that never answers": {func(r received) []map[string]any {
			if r.asks() == "bridge "+join {
				return []map[string]any{{"janus": "ack"}}
			}
			return nil
		}, false, "wait for Janus' answer to join: context deadline exceeded", false},
		"one that says no":     {declines(join, 489, "Unauthorized (wrong pin)"), false, "the room has a PIN: give it with --janus-room-pin", true},
		"one without the room": {declines(join, 485, "No such room (1)"), false, "the room has ended, or was never there", true},
		"one that does not answer the SDP": {func(r received) []map[string]any {
			if r.asks() == "bridge "+join {
				return []map[string]any{bridged("event", map[string]any{"audiobridge": "joined", "id": 7})}
			}
			return nil
		}, false, "gave no answer", false},
		"one that ends the connection": {nil, true, "the connection to Janus ended", false},
	} {
		t.Run(name, func(t *testing.T) {
			f := &fake{t: t, answers: c.answers}
			if c.ends {
				f.ends = func(r received) bool { return r.asks() == "bridge "+join }
			}
			p := joined(t, f.room())
			wait := time.Minute
			if strings.Contains(c.says, "deadline") {
				wait = 300 * time.Millisecond
			}
			_, err := p.Listen(within(t, wait), "v=0\r\n")
			require.ErrorContains(t, err, c.says)
			assert.Equal(t, c.refused, driver.Refused(err))
			require.NoError(t, p.Leave(within(t, time.Minute)))
			<-p.Done()
		})
	}
}

func TestPresenceEndsWhenTheServerSaysSo(t *testing.T) {
	for name, said := range map[string]map[string]any{
		"the media connection":   {"janus": "hangup", "sender": 2, "reason": "ICE failed"},
		"the session":            {"janus": "timeout", "session_id": 1},
		"the room was destroyed": bridged("event", map[string]any{"audiobridge": "destroyed", "room": 1}),
	} {
		t.Run(name, func(t *testing.T) {
			p := joined(t, (&fake{t: t, answers: tells("bridge "+join, said)}).room())
			_, err := p.Listen(within(t, time.Minute), "v=0\r\n")
			require.NoError(t, err)
			select {
			case <-p.Done():
			case <-within(t, time.Minute).Done():
				t.Fatal("the presence goes on")
			}
		})
	}
}

func TestPresenceGoesOnWhateverElseIsSaid(t *testing.T) {
	f := &fake{t: t, answers: tells("bridge "+join,
		map[string]any{"janus": "webrtcup", "sender": 2}, map[string]any{"janus": "media", "type": "audio", "receiving": true},
		map[string]any{"janus": "slowlink", "uplink": true, "lost": 9}, map[string]any{"janus": "something new"},
		bridged("event", map[string]any{"audiobridge": "joined", "room": 1, "participants": []any{map[string]any{"id": 9, "display": "hangup"}}}),
		map[string]any{"janus": "trickle", "candidate": map[string]any{"candidate": "candidate:1 1 udp 1 192.0.2.1 1 typ host"}},
		map[string]any{"janus": "trickle", "candidate": map[string]any{"completed": true}},
	)}
	p := joined(t, f.room())
	_, err := p.Listen(within(t, time.Minute), "v=0\r\n")
	require.NoError(t, err)
	lines, err := p.Trickle(within(t, time.Minute), driver.Ear, "")
	require.NoError(t, err)
	assert.Equal(t, "a=candidate:1 1 udp 1 192.0.2.1 1 typ host\r\n", lines)
	select {
	case <-p.Done():
		t.Fatal("the presence has ended")
	default:
	}
	_, err = p.Publish(t.Context(), "v=0\r\n")
	assert.ErrorIs(t, err, driver.ErrUnsupported, "one session either sends or receives")
}

func TestRestartOfICE(t *testing.T) {
	f := &fake{t: t}
	f.answers = func(r received) []map[string]any {
		if r.asks() != "bridge "+configure {
			return nil
		}
		ok := bridged("event", map[string]any{"audiobridge": "event", "result": "ok"})
		ok["jsep"] = map[string]string{"type": "answer", "sdp": "v=0\r\nm=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=mid:0\r\na=ice-ufrag:theirs2\r\na=ice-pwd:theirPasswordOf22OrMore\r\n"}
		return []map[string]any{{"janus": "ack"}, ok}
	}
	p := joined(t, f.room())
	const fragment = "a=ice-ufrag:ours2\r\na=ice-pwd:ourPasswordOf22OrMore22\r\nm=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=mid:0\r\na=end-of-candidates\r\n"
	_, err := p.RestartICE(t.Context(), driver.Ear, fragment)
	require.ErrorIs(t, err, errNotConnected)
	_, err = p.Listen(within(t, time.Minute), "v=0\r\no=- 7 1 IN IP4 0.0.0.0\r\nm=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=mid:0\r\na=ice-ufrag:ours1\r\na=ice-pwd:x\r\n")
	require.NoError(t, err)
	for version := 2; version < 4; version++ {
		answer, err := p.RestartICE(within(t, time.Minute), driver.Ear, fragment)
		require.NoError(t, err)
		assert.Contains(t, answer, "a=ice-ufrag:theirs2\r\n")
		offers := f.asked("bridge " + configure)
		sent := offers[len(offers)-1].JSEP["sdp"]
		assert.Contains(t, sent, fmt.Sprintf("o=- 7 %d IN IP4 0.0.0.0\r\n", version))
		assert.Contains(t, sent, "a=ice-ufrag:ours2\r\na=ice-pwd:ourPasswordOf22OrMore22\r\n")
		assert.NotContains(t, sent, "ours1")
	}
	_, err = p.RestartICE(t.Context(), driver.Ear, "a=nothing\r\n")
	assert.ErrorContains(t, err, "the client's fragment")
}

// A moderator whose connection was lost comes again.
func TestModeratorConnectsAgain(t *testing.T) {
	var lost atomic.Bool
	f := &fake{t: t, ends: func(r received) bool { return r.asks() == "bridge "+mute && lost.CompareAndSwap(false, true) }}
	room := f.room()
	p := joined(t, room)
	assert.ErrorIs(t, room.Act(t.Context(), scenario.Mute, p), errNotConnected, "they are not in yet")
	_, err := p.Publish(within(t, time.Minute), "v=0\r\n")
	require.NoError(t, err)
	require.Error(t, room.Act(within(t, time.Minute), scenario.Mute, p))
	require.NoError(t, room.Act(within(t, time.Minute), scenario.Mute, p))
}

func TestKeepalives(t *testing.T) {
	f := &fake{t: t}
	d := f.driver()
	assert.Equal(t, keepaliveInterval, d.keepalive())
	d.timeout.Store(int64(20 * time.Millisecond))
	assert.Equal(t, 10*time.Millisecond, d.keepalive())
	c, err := open(within(t, time.Minute), d, func() {})
	require.NoError(t, err)
	assert.Eventually(t, func() bool { return len(f.asked(keepalive)) > 1 }, time.Minute, time.Millisecond)
	assert.Zero(t, f.asked(keepalive)[0].Handle, "it is for the session")
	require.NoError(t, c.leave(context.Background()))
}

func TestMessageOfOthersIsNotRead(t *testing.T) {
	for text, others := range map[string]bool{
		`{"janus":"event","plugindata":{"data":{"audiobridge":"joined","participants":[{"id":1}]}}}`:                   true,
		`{"janus":"event","transaction":"1","plugindata":{"data":{"audiobridge":"joined","participants":[{"id":1}]}}}`: false,
		`{"janus":"hangup","reason":"ICE failed"}`:                                                                     false,
	} {
		require.True(t, json.Valid([]byte(text)))
		assert.Equal(t, others, ofOthers([]byte(text)), text)
	}
}
