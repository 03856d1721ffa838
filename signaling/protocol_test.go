package signaling

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/gorilla/websocket"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/earshot-audio/earshot/signaling/wire"
	"github.com/earshot-audio/earshot/signaling/ws"
)

// document is docs/protocol.md as the tests read it.
type document struct {
	text     string
	examples map[string]string // of the messages, by heading
	blocks   []block
}

// block is one fenced code block.
type block struct{ kind, text string }

func readProtocol(t *testing.T) document {
	t.Helper()
	data, err := os.ReadFile("../docs/protocol.md")
	require.NoError(t, err)
	d := document{text: string(data), examples: map[string]string{}}
	var heading string
	var open *block
	for line := range strings.Lines(d.text) {
		line = strings.TrimRight(line, "\n")
		switch {
		case open != nil && line == "```":
			if open.kind == "json" {
				require.NotContains(t, d.examples, heading, "one example a message")
				d.examples[heading] = open.text
			}
			d.blocks = append(d.blocks, *open)
			open = nil
		case open != nil:
			open.text += line + "\n"
		case strings.HasPrefix(line, "```"):
			open = &block{kind: strings.TrimPrefix(line, "```")}
		case strings.HasPrefix(line, "#"):
			heading = strings.TrimLeft(line, "# ")
		}
	}
	require.Nil(t, open, "every block is closed")
	return d
}

func (d document) of(kind string) []string {
	var texts []string
	for _, b := range d.blocks {
		if b.kind == kind {
			texts = append(texts, b.text)
		}
	}
	return texts
}

// strictly decodes an example with the decoder of its direction, and then again
// into the same type with no unknown field allowed, to find fields that only the
// document has.
func strictly(t *testing.T, text string, fromClient bool) wire.Message {
	t.Helper()
	// The placeholder for the rest of an ID must be valid in one.
	text = strings.NewReplacer("…", "...", "$", "").Replace(text)
	var m wire.Message
	var err error
	if fromClient {
		m, err = wire.DecodeClient([]byte(text))
	} else {
		m, err = wire.DecodeServer([]byte(text))
	}
	require.NoError(t, err, text)
	var fields map[string]json.RawMessage
	require.NoError(t, json.Unmarshal([]byte(text), &fields))
	delete(fields, "type")
	rest, err := json.Marshal(fields)
	require.NoError(t, err)
	dec := json.NewDecoder(strings.NewReader(string(rest)))
	dec.DisallowUnknownFields()
	into := reflect.New(reflect.TypeOf(m)).Interface()
	if _, custom := into.(json.Unmarshaler); custom {
		// Mute decodes by itself, so its fields are compared by re-encoding.
		data, err := wire.Encode(m)
		require.NoError(t, err)
		require.JSONEq(t, text, string(data))
		return m
	}
	require.NoError(t, dec.Decode(into), text)
	return m
}

func TestProtocolDocumentHasEveryMessage(t *testing.T) {
	d := readProtocol(t)
	want := map[string]bool{}
	for _, name := range wire.ClientTypes() {
		want[string(name)] = true
	}
	for _, name := range wire.ServerTypes() {
		want[string(name)] = false
	}
	for name, fromClient := range want {
		text, ok := d.examples[name]
		if assert.True(t, ok, "an example under the heading %q", name) {
			m := strictly(t, text, fromClient)
			assert.EqualValues(t, name, wire.TypeOf(m))
		}
	}
	for name := range d.examples {
		assert.Contains(t, want, name, "no message has this name")
	}
}

func TestProtocolDocumentHasEveryField(t *testing.T) {
	d := readProtocol(t)
	for name, text := range d.examples {
		m := strictly(t, text, slices.Contains(wire.ClientTypes(), wire.Type(name)))
		var fields map[string]any
		require.NoError(t, json.Unmarshal([]byte(text), &fields))
		kind := reflect.TypeOf(m)
		for i := range kind.NumField() {
			if kind.Field(i).Anonymous {
				continue // the direction
			}
			tag, _, _ := strings.Cut(kind.Field(i).Tag.Get("json"), ",")
			assert.Contains(t, fields, tag, "the example of %s", name)
		}
	}
}

var tableRow = regexp.MustCompile("(?m)^\\| `?([^|`]+?)`? \\| ([^|]+?) \\|(?: ([^|]+?) \\|)?$")

func TestProtocolDocumentTables(t *testing.T) {
	d := readProtocol(t)
	rows := map[string][]string{}
	for _, m := range tableRow.FindAllStringSubmatch(d.text, -1) {
		rows[m[1]] = m[2:]
	}
	for _, c := range wire.Codes() {
		assert.Equal(t, []string{fmt.Sprint(c.Status), c.Message}, rows[string(c.Code)], c.Code)
	}
	for name, limit := range map[string]string{
		"a message":            fmt.Sprintf("%d bytes", wire.MaxMessage),
		"nesting of a message": fmt.Sprintf("%d levels", wire.MaxDepth),
		"id":                   fmt.Sprintf("%d bytes", wire.MaxID),
		"name":                 fmt.Sprintf("%d characters", wire.MaxName),
		"room":                 fmt.Sprintf("%d bytes", wire.MaxRoom),
		"member":               fmt.Sprintf("%d bytes", wire.MaxMember),
		"key":                  fmt.Sprintf("%d bytes", wire.MaxKey),
		"token":                fmt.Sprintf("%d bytes", wire.MaxToken),
		"sdp":                  fmt.Sprintf("%d bytes", wire.MaxSDP),
		"hands":                fmt.Sprintf("%d entries", wire.MaxHands),
		"the text of an error": fmt.Sprintf("%d bytes", wire.MaxText),
	} {
		if assert.Contains(t, rows, name) {
			assert.Equal(t, limit, rows[name][0], name)
		}
	}
	for _, reason := range []wire.GoodbyeReason{wire.GoodbyeLeft, wire.GoodbyeRemoved, wire.GoodbyeBanned, wire.GoodbyeReplaced, wire.GoodbyeEnded,
		wire.GoodbyeShutdown, wire.GoodbyeSlow, wire.GoodbyeTimeout, wire.GoodbyeProtocol} {
		if assert.Contains(t, rows, string(reason)) {
			assert.Equal(t, fmt.Sprint(ws.CloseCode(reason)), rows[string(reason)][0], reason)
		}
	}
	for _, reason := range []wire.CloseReason{wire.CloseLost, wire.CloseDemoted} {
		assert.Contains(t, rows, string(reason))
	}
	cfg, err := Config{Open: true, Media: open(t, nil).server.cfg.Media}.withDefaults()
	require.NoError(t, err)
	for _, text := range []string{
		fmt.Sprintf("more than %d waited", cfg.SendQueue),
		fmt.Sprintf("no `hello` came within %.0f s", cfg.HelloWait.Seconds()),
		fmt.Sprintf("%d messages in a row could not be read", cfg.MaxMalformed),
		fmt.Sprintf("pings every %.0f s", cfg.PingEvery.Seconds()),
		fmt.Sprintf("for %.0f s", cfg.PongWait.Seconds()),
		fmt.Sprintf("every %d ms", cfg.PresenceEvery.Milliseconds()),
		fmt.Sprintf("%d ms", cfg.TalkersEvery.Milliseconds()),
		fmt.Sprintf("%.0f s is closed", cfg.EmptyAfter.Seconds()),
		fmt.Sprintf("stay as they are for %.0f s", cfg.ResumeWindow.Seconds()),
		fmt.Sprintf("away for %.0f s", cfg.Grace.Seconds()),
	} {
		assert.Contains(t, strings.Join(strings.Fields(d.text), " "), text)
	}
}

func TestProtocolDocumentHTTPExamples(t *testing.T) {
	d := readProtocol(t)
	requests, responses := d.of("http-request"), d.of("http-response")
	require.Len(t, requests, 1)
	require.Len(t, responses, 1)
	h := open(t, nil)
	response, got := h.call(http.MethodPost, "/api/rooms", "", requests[0])
	require.Equal(t, http.StatusCreated, response.StatusCode)
	var want map[string]any
	require.NoError(t, json.Unmarshal([]byte(responses[0]), &want))
	// Times and tokens differ; all else is as shown.
	for _, key := range []string{"created_at", "expires_at", "host_token", "refresh_token", "refresh_expires_at"} {
		assert.IsType(t, want[key], got[key], key)
		delete(want, key)
		delete(got, key)
	}
	assert.Equal(t, want, got)
}

func TestProtocolDocumentConversations(t *testing.T) {
	d := readProtocol(t)
	talks := 0
	for i, b := range d.blocks {
		kind, ok := strings.CutPrefix(b.kind, "conversation")
		if !ok {
			continue
		}
		talks++
		t.Run(fmt.Sprintf("block %d", i), func(t *testing.T) {
			r := replay{t: t, names: map[string]string{}, people: map[string]*client{}, peers: map[string]*peer{}}
			if strings.TrimSpace(kind) == "closed" {
				r.house = closed(t, nil)
				_, answer := r.house.call(http.MethodPost, "/api/rooms", operatorToken, `{"name":"The Lobby"}`)
				r.names["$room"], r.names["$token"] = answer["room"].(string), answer["host_token"].(string)
			} else {
				r.house = open(t, nil)
			}
			for line := range strings.Lines(b.text) {
				r.step(strings.TrimSpace(line))
			}
		})
	}
	assert.Equal(t, 5, talks)
}

// replay plays one conversation against a real server.
type replay struct {
	t      *testing.T
	house  *testServer
	names  map[string]string // what $names stand for
	people map[string]*client
	peers  map[string]*peer // the sessions being negotiated, by person and media
}

func (r *replay) step(line string) {
	r.t.Helper()
	who, rest, ok := strings.Cut(line, " ")
	require.True(r.t, ok, line)
	c := r.people[who]
	if c == nil {
		c = r.house.dial()
		r.people[who] = c
	}
	if text, ok := strings.CutPrefix(rest, "→ "); ok {
		r.say(who, c, text)
		return
	}
	text, ok := strings.CutPrefix(rest, "← ")
	require.True(r.t, ok, line)
	r.hear(who, c, text)
}

// say sends a line, with the names and the placeholders filled in.
func (r *replay) say(who string, c *client, text string) {
	r.t.Helper()
	for name, value := range r.names {
		text = strings.ReplaceAll(text, `"`+name+`"`, `"`+value+`"`)
	}
	if m, err := wire.DecodeClient([]byte(text)); err == nil {
		strictly(r.t, text, true)
		if offer, ok := m.(wire.Offer); ok {
			p := newPeer(r.t, offer.Media, 3)
			offer.SDP = p.offer()
			r.peers[who+string(offer.Media)] = p
			c.send(offer)
			return
		}
	}
	require.NoError(r.t, c.conn.WriteMessage(websocket.TextMessage, []byte(text)))
}

// hear waits for the message of a line. Presence and talkers messages may come
// before it; nothing else.
func (r *replay) hear(who string, c *client, text string) {
	r.t.Helper()
	wanted := strictly(r.t, text, false)
	var want any
	require.NoError(r.t, json.Unmarshal([]byte(text), &want))
	for {
		m := c.nextOr("%s did not hear %s", who, text)
		require.NotNil(r.t, m, "the connection ended instead of %s", text)
		data, err := wire.Encode(m)
		require.NoError(r.t, err)
		var got any
		require.NoError(r.t, json.Unmarshal(data, &got))
		names := map[string]string{}
		if fields, ok := got.(map[string]any); ok {
			leaveOut(wire.TypeOf(m), fields, want.(map[string]any))
		}
		fits := wire.TypeOf(m) == wire.TypeOf(wanted) && r.fits(want, got, names)
		switch m := m.(type) {
		case wire.Presence, wire.Talkers:
			if !fits {
				continue
			}
		case wire.Answer:
			r.peers[who+string(m.Media)].accept(m.SDP)
		}
		require.True(r.t, fits, "%s heard\n%s\ninstead of\n%s", who, data, text)
		for name, value := range names {
			r.names[name] = value
		}
		return
	}
}

// leaveOut removes from a message what a conversation may leave out.
func leaveOut(name wire.Type, got, want map[string]any) {
	switch name {
	case wire.TypePresence:
		// Which changes come in one presence message depends on the time, so it may have
		// more fields than are shown.
		maps.DeleteFunc(got, func(key string, _ any) bool { return want[key] == nil })
	case wire.TypeJoined, wire.TypeResumed:
		for _, key := range []string{"rev", "rules", "resume"} {
			if want[key] == nil {
				delete(got, key)
			}
		}
	}
}

// fits compares a decoded message with that of the document. New names are added to
// names.
func (r *replay) fits(want, got any, names map[string]string) bool {
	switch want := want.(type) {
	case map[string]any:
		got, ok := got.(map[string]any)
		if !ok || len(got) != len(want) {
			return false
		}
		for key, value := range want {
			if !r.fits(value, got[key], names) {
				return false
			}
		}
		return true
	case []any:
		got, ok := got.([]any)
		if !ok || len(got) != len(want) {
			return false
		}
		for i, value := range want {
			if !r.fits(value, got[i], names) {
				return false
			}
		}
		return true
	case string:
		got, ok := got.(string)
		if !ok {
			return false
		}
		if start, open := strings.CutSuffix(want, "…"); open {
			return strings.HasPrefix(got, start)
		}
		if !strings.HasPrefix(want, "$") {
			return want == got
		}
		if known, ok := r.names[want]; ok {
			return known == got
		}
		if known, ok := names[want]; ok {
			return known == got
		}
		names[want] = got
		return got != ""
	default:
		return want == got
	}
}
