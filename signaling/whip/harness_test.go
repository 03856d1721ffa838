package whip

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/earshot-audio/earshot/internal/sdp"
	"github.com/earshot-audio/earshot/signaling/wire"
)

const (
	testUfrag = "EsAw"
	testPwd   = "P2uYro0UCOQ4zxjKXaWCBui1"
)

// section is an offered section in the given direction.
func section(media, mid, direction string, more ...string) string {
	lines := []string{"m=" + media + " 9 UDP/TLS/RTP/SAVPF 111", "c=IN IP4 0.0.0.0", "a=mid:" + mid,
		"a=ice-ufrag:" + testUfrag, "a=ice-pwd:" + testPwd, "a=rtcp-mux"}
	if direction != "" {
		lines = append(lines, "a="+direction)
	}
	return strings.Join(append(lines, more...), "\r\n") + "\r\n"
}

// offerOf is an offer of the sections.
func offerOf(sections ...string) string {
	return "v=0\r\no=- 1 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\n" + strings.Join(sections, "")
}

// goodOffer is an offer that its kind has nothing to say against.
func goodOffer(kind Kind) string {
	if kind == Publish {
		return offerOf(section("audio", "0", "sendonly", "a=msid:stream track"))
	}
	return offerOf(section("audio", "0", "recvonly"))
}

const testAnswer = "v=0\r\no=- 3 4 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\n" +
	"m=audio 9 UDP/TLS/RTP/SAVPF 111\r\nc=IN IP4 0.0.0.0\r\na=mid:0\r\na=rtcp-mux\r\na=recvonly\r\n"

const goodFragment = "a=ice-ufrag:" + testUfrag + "\r\na=ice-pwd:" + testPwd + "\r\n" +
	"m=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=mid:0\r\n" +
	"a=candidate:1387637174 1 udp 2122260223 192.0.2.1 61764 typ host generation 0 ufrag EsAw network-id 1\r\n"

// fakeEndpoint is an Endpoint that keeps sessions in a map. Where token is set it must
// be shown.
type fakeEndpoint struct {
	token   string
	fail    error  // what Open answers, if set
	opening func() // called by Open before it returns

	mu       sync.Mutex
	sessions map[string]*fakeSession
	opened   int
	room     string
	bearer   string
}

type fakeSession struct {
	endpoint  *fakeEndpoint
	kind      Kind
	room, id  string
	offer     string
	fragments []string
	ice       sdp.Credentials
	fail      error // what AddCandidate, Restart and Close answer, if set
}

func (d *fakeEndpoint) allow(bearer string) error {
	if d.token != "" && bearer != d.token {
		return wire.NewError(wire.CodeUnauthorized, "")
	}
	return nil
}

func (d *fakeEndpoint) Open(_ context.Context, kind Kind, room, bearer string, _ *http.Request, offer string) (Resource, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.allow(bearer); err != nil {
		return nil, err
	}
	if d.fail != nil {
		return nil, d.fail
	}
	if d.opening != nil {
		d.opening()
	}
	d.opened++
	d.room, d.bearer = room, bearer
	s := &fakeSession{endpoint: d, kind: kind, room: room, id: fmt.Sprintf("id.%d", d.opened), offer: offer,
		ice: sdp.Credentials{Ufrag: testUfrag, Pwd: testPwd}}
	if d.sessions == nil {
		d.sessions = map[string]*fakeSession{}
	}
	d.sessions[s.id] = s
	return s, nil
}

func (d *fakeEndpoint) Find(kind Kind, room, id, bearer string) (Resource, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.allow(bearer); err != nil {
		return nil, err
	}
	s, ok := d.sessions[id]
	if !ok || s.kind != kind || s.room != room {
		return nil, wire.NewError(wire.CodeNotFound, "")
	}
	return s, nil
}

func (d *fakeEndpoint) count() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return len(d.sessions)
}

// only returns the one session there is.
func (d *fakeEndpoint) only(t *testing.T) *fakeSession {
	t.Helper()
	d.mu.Lock()
	defer d.mu.Unlock()
	require.Len(t, d.sessions, 1)
	for _, s := range d.sessions {
		return s
	}
	return nil
}

func (s *fakeSession) ID() string     { return s.id }
func (s *fakeSession) Answer() string { return testAnswer }

func (s *fakeSession) AddCandidate(f string) error {
	s.endpoint.mu.Lock()
	defer s.endpoint.mu.Unlock()
	if s.fail != nil {
		return s.fail
	}
	s.fragments = append(s.fragments, f)
	return nil
}

func (s *fakeSession) ICE() sdp.Credentials {
	s.endpoint.mu.Lock()
	defer s.endpoint.mu.Unlock()
	return s.ice
}

func (s *fakeSession) Restart(fragment string) (string, error) {
	s.endpoint.mu.Lock()
	defer s.endpoint.mu.Unlock()
	f, err := sdp.ParseFragment(fragment)
	if s.fail != nil || err != nil {
		return "", errors.Join(s.fail, err)
	}
	s.ice = f.ICE
	return testRestarted, nil
}

// testRestarted is what a fakeSession answers to a restart.
const testRestarted = "a=ice-lite\r\na=ice-ufrag:srv2\r\na=ice-pwd:anotherserverspassword22\r\n"

func (s *fakeSession) Close(ctx context.Context) error {
	s.endpoint.mu.Lock()
	defer s.endpoint.mu.Unlock()
	if s.fail != nil {
		return s.fail
	}
	delete(s.endpoint.sessions, s.id)
	return ctx.Err()
}

// testHandler is a handler on a fakeEndpoint.
type testHandler struct {
	*fakeEndpoint
	h *Handler
}

func newTestHandler(t *testing.T, change ...func(*Config)) testHandler {
	t.Helper()
	d := &fakeEndpoint{}
	cfg := Config{Endpoint: d}
	for _, c := range change {
		c(&cfg)
	}
	h, err := New(cfg)
	require.NoError(t, err)
	return testHandler{d, h}
}

// reply is an answer, read to its end.
type reply struct {
	status int
	header http.Header
	body   string
}

// do sends a request; headers are "Name: value".
func (g testHandler) do(method, path, body string, headers ...string) reply {
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		r.Header.Add(name, value)
	}
	return g.serve(r)
}

func (g testHandler) serve(r *http.Request) reply {
	w := httptest.NewRecorder()
	g.h.ServeHTTP(w, r)
	res := w.Result()
	defer func() { _ = res.Body.Close() }()
	text, _ := io.ReadAll(res.Body)
	return reply{res.StatusCode, res.Header, string(text)}
}

const (
	asSDP      = "Content-Type: application/sdp"
	asFragment = "Content-Type: application/trickle-ice-sdpfrag"
)

// opened posts a good offer and returns the session's URL and entity-tag.
func (g testHandler) open(t *testing.T, kind Kind, headers ...string) (location, tag string) {
	t.Helper()
	got := g.do("POST", "/rooms/lobby/"+kind.String(), goodOffer(kind), append(headers, asSDP)...)
	require.Equal(t, 201, got.status, got.body)
	return got.header.Get("Location"), got.header.Get("ETag")
}

// refused holds an answer to be an error of the code, in the one form that all
// errors have.
func refused(t *testing.T, got reply, code wire.Code) {
	t.Helper()
	require.Equal(t, code.Status(), got.status, got.body)
	require.Equal(t, "application/json", got.header.Get("Content-Type"))
	require.Equal(t, "*", got.header.Get("Access-Control-Allow-Origin"), "a page must be able to read the error")
	var body wire.ErrorBody
	require.NoError(t, json.Unmarshal([]byte(got.body), &body))
	require.Equal(t, code, body.Error.Code)
	require.NotEmpty(t, body.Error.Message)
}
