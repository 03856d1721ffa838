package janus

import (
	"encoding/json"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	pionsdp "github.com/pion/sdp/v3"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/earshot-audio/earshot/internal/sdp"
	"github.com/earshot-audio/earshot/loadgen/driver"
)

// Whatever a server sends, a message is an answer to the one who waits for it, or says something of the
// presence, or is refused as a whole. The presence ends by what ends it alone, and is told so once. What goes
// into a client's SDP has no lines but those of candidates, and what goes back to the server is JSON.
func FuzzMessage(f *testing.F) {
	for _, seed := range []string{
		`{"janus":"success","transaction":"1","data":{"id":4503599627370497}}`,
		`{"janus":"ack","session_id":1,"transaction":"1"}`,
		`{"janus":"server_info","transaction":"1","session-timeout":60}`,
		`{"janus":"event","session_id":1,"transaction":"1","sender":2,"plugindata":{"plugin":"janus.plugin.audiobridge","data":{"audiobridge":"joined","room":1234,"id":7,"participants":[]}},"jsep":{"type":"answer","sdp":"v=0\r\n"}}`,
		`{"janus":"success","transaction":"1","sender":2,"plugindata":{"plugin":"janus.plugin.audiobridge","data":{"audiobridge":"event","error_code":489,"error":"Unauthorized (wrong pin)"}}}`,
		`{"janus":"error","transaction":"1","error":{"code":403,"reason":"Unauthorized request (wrong or missing secret/token)"}}`,
		`{"janus":"event","sender":2,"plugindata":{"plugin":"janus.plugin.audiobridge","data":{"audiobridge":"destroyed","room":"lounge"}}}`,
		`{"janus":"event","sender":2,"plugindata":{"plugin":"janus.plugin.audiobridge","data":{"audiobridge":"joined","room":1,"participants":[{"id":9,"display":"hangup"}]}}}`,
		`{"janus":"trickle","sender":2,"candidate":{"candidate":"candidate:1 1 udp 2015363327 192.0.2.1 41000 typ host","sdpMid":"audio","sdpMLineIndex":0}}`,
		`{"janus":"trickle","sender":2,"candidate":{"completed":true}}`,
		`{"janus":"hangup","sender":2,"reason":"ICE failed"}`,
		`{"janus":"timeout","session_id":1}`,
		`{"janus":"error","error":{"code":458,"reason":"No such session 1"}}`,
		`{"janus":"slowlink","sender":2,"uplink":true,"lost":9}`,
		// Of no server that means well:
		`{"janus":"server_info","transaction":"1","session-timeout":18446744074}`, `{"janus":"server_info","transaction":"1","session-timeout":-1}`,
		`{"janus":"trickle","candidate":{"candidate":"candidate:1\r\na=ice-pwd:theirs"}}`, `{"janus":"trickle","candidate":{"candidate":"a=\n"}}`,
		`{"janus":"error","transaction":"1","error":{"reason":"` + strings.Repeat("no ", 1000) + `"}}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		answers := make(chan message, 2)
		c := &connection{driver: &Driver{}, pending: map[string]chan message{"1": answers}}
		lost := 0
		err := c.takeText(text, func() { lost++ })
		ended, lines := c.state.Ended(), c.state.CandidateLines()
		changes := len(answers) + lost
		if lines != "" {
			changes++
		}
		assert.LessOrEqual(t, changes, 1, "it is one thing")
		assert.Equal(t, lost == 1, ended != nil, "who is out is told so")
		if err != nil {
			assert.Zero(t, changes, "what can't be read changes nothing")
			return
		}
		assert.Len(t, c.state.Candidates(), strings.Count(lines, "\n"))
		for line := range strings.Lines(lines) {
			assert.Regexp(t, `^a=[^\r\n]+\r\n$`, line)
		}
		if ended != nil {
			assert.True(t, driver.Refused(ended), "the server said so")
			assert.LessOrEqual(t, len(ended.Error()), 1000, "it is for people to read")
			assert.Regexp(t, `destroyed|hangup|timeout|458`, string(text))
		}
		if len(answers) > 0 {
			checkAnswer(t, <-answers)
		}
	})
}

// checkAnswer checks what comes of an answer, whatever it says.
func checkAnswer(t *testing.T, m message) {
	assert.Equal(t, "1", m.Transaction)
	e := m.PluginData.Data
	sent, err := json.Marshal(request{Janus: bridge, Body: &body{Request: configure, Room: e.Room, ID: e.ID}})
	if assert.NoError(t, err, "an id goes back as it came") && len(e.Room) > 0 {
		var again struct {
			Body struct {
				Room json.RawMessage `json:"room"`
			} `json:"body"`
		}
		require.NoError(t, json.Unmarshal(sent, &again))
		var was, is any
		require.NoError(t, json.Unmarshal(e.Room, &was))
		require.NoError(t, json.Unmarshal(again.Body.Room, &is))
		assert.Equal(t, was, is)
	}
	d := &Driver{}
	d.remember(m)
	assert.GreaterOrEqual(t, d.keepalive(), time.Second/2, "keepalives are no flood")
	assert.LessOrEqual(t, d.keepalive(), keepaliveInterval)
	if m.Error != nil {
		no := failure{code: m.Error.Code, reason: m.Error.Reason, asked: create}
		assert.True(t, driver.Refused(no))
		assert.LessOrEqual(t, len(no.Error()), 1000)
	}
}

// An offer with other credentials is otherwise the same one, in its next version: line by line, and as
// Pion reads it.
func FuzzRestarted(f *testing.F) {
	const chromium = "v=0\r\no=- 4611731400430051336 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\na=group:BUNDLE 0\r\na=msid-semantic: WMS\r\n" +
		"m=audio 9 UDP/TLS/RTP/SAVPF 111 63\r\nc=IN IP4 0.0.0.0\r\na=rtcp:9 IN IP4 0.0.0.0\r\na=ice-ufrag:4ZcD\r\na=ice-pwd:2/1muCWoOi3uLifh0NuRHlgq\r\n" +
		"a=ice-options:trickle\r\na=fingerprint:sha-256 AB:CD\r\na=setup:actpass\r\na=mid:0\r\na=recvonly\r\na=rtcp-mux\r\na=rtpmap:111 opus/48000/2\r\n"
	for _, seed := range []string{
		chromium, strings.ReplaceAll(chromium, "\r\n", "\n"), strings.TrimSuffix(chromium, "\r\n"),
		strings.Replace(chromium, " 2 IN", " 18446744073709551615 IN", 1), strings.Replace(chromium, " 2 IN", " x IN", 1), "a=ice-pwd:", "o=", "",
	} {
		f.Add(seed)
	}
	origin := regexp.MustCompile(`(?m)^o=\S+ \d+ \d+ IN IP[46] \S+\r?$`)
	ice := sdp.Credentials{Ufrag: "ours", Pwd: "ourPasswordOf22OrMore22"}
	f.Fuzz(func(t *testing.T, offer string) {
		got := restarted(offer, ice)
		was, is := strings.SplitAfter(offer, "\n"), strings.SplitAfter(got, "\n")
		if last := was[len(was)-1]; last != "" && !strings.HasSuffix(got, last) {
			is = is[:len(is)-1] // the last line was changed, and has an end now
		}
		require.Len(t, is, len(was), "no line is added or lost")
		for i, line := range was {
			switch {
			case strings.HasPrefix(line, "a=ice-ufrag:"):
				assert.Equal(t, "a=ice-ufrag:ours\r\n", is[i])
			case strings.HasPrefix(line, "a=ice-pwd:"):
				assert.Equal(t, "a=ice-pwd:ourPasswordOf22OrMore22\r\n", is[i])
			case !strings.HasPrefix(line, "o="):
				assert.Equal(t, line, is[i], "what has nothing to do with it stays")
			}
		}
		var before, after pionsdp.SessionDescription
		ends := strings.Count(offer, "\r") // which Pion takes for the end of a line by themselves, too
		if ends != strings.Count(offer, "\r\n") || before.UnmarshalString(offer) != nil || !origin.MatchString(offer) {
			return // Pion takes more than RFC 8866 allows, too
		}
		require.NoError(t, after.UnmarshalString(got), "what could be read can be")
		assert.Equal(t, strconv.FormatUint(before.Origin.SessionVersion+1, 10), strconv.FormatUint(after.Origin.SessionVersion, 10))
		after.Origin.SessionVersion = before.Origin.SessionVersion
		assert.Equal(t, before.Origin, after.Origin, "it is the same session")
		assert.Len(t, after.MediaDescriptions, len(before.MediaDescriptions))
		for _, m := range after.MediaDescriptions {
			if ufrag, has := m.Attribute("ice-ufrag"); has {
				assert.Equal(t, ice.Ufrag, ufrag)
			}
			if pwd, has := m.Attribute("ice-pwd"); has {
				assert.Equal(t, ice.Pwd, pwd)
			}
		}
	})
}
