package whip

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/earshot-audio/earshot/internal/sdp"
	"github.com/earshot-audio/earshot/signaling/wire"
)

// later is a refusal that says when to come back, in milliseconds.
type later struct {
	refusal wire.Error
	ms      int
}

func (l later) RetryAfter() time.Duration { return time.Duration(l.ms) * time.Millisecond }
func (l later) Error() string             { return l.refusal.Error() }
func (l later) Unwrap() error             { return l.refusal }

func TestNew(t *testing.T) {
	for _, row := range []struct {
		name   string
		change func(*Config)
		want   string // in the error; empty: none
	}{
		{"an endpoint is enough", func(*Config) {}, ""},
		{"no endpoint is refused", func(c *Config) { c.Endpoint = nil }, "Endpoint"},
		{"a negative offer size is refused", func(c *Config) { c.MaxOffer = -1 }, "MaxOffer"},
		{"a negative wait is refused", func(c *Config) { c.RetryAfter = -1 }, "RetryAfter"},
		{"a realm that would break the header is refused", func(c *Config) { c.Realm = "a\r\nb" }, "Realm"},
		{"an ICE server of another scheme is refused",
			func(c *Config) { c.ICEServers = []ICEServer{{URL: "https://example.net"}} }, "stun, stuns, turn or turns"},
		{"an ICE server whose URI breaks out of the header is refused",
			func(c *Config) { c.ICEServers = []ICEServer{{URL: "stun:a>;rel=x,<b"}} }, "ICE server"},
		{"STUN with credentials is refused",
			func(c *Config) { c.ICEServers = []ICEServer{{URL: "stun:a", Username: "u", Credential: "c"}} }, "no credentials"},
		{"TURN without credentials is refused",
			func(c *Config) { c.ICEServers = []ICEServer{{URL: "turns:a"}} }, "needs a username"},
		{"credentials that would break the header are refused",
			func(c *Config) {
				c.ICEServers = []ICEServer{{URL: "turn:a", Username: "u", Credential: "c\n"}}
			}, "printable"},
	} {
		t.Run(row.name, func(t *testing.T) {
			cfg := Config{Endpoint: &fakeEndpoint{}}
			row.change(&cfg)
			h, err := New(cfg)
			if row.want != "" {
				require.ErrorContains(t, err, row.want)
				assert.Nil(t, h)
				return
			}
			require.NoError(t, err)
			assert.NotNil(t, h)
		})
	}
}

func TestRouting(t *testing.T) {
	t.Run("methods that have no meaning are refused with those that do", func(t *testing.T) {
		g := newTestHandler(t)
		location, _ := g.open(t, Play)
		for path, allow := range map[string]string{"/rooms/a/whep": endpointMethods, "/rooms/a/whip": endpointMethods, location: sessionMethods} {
			for _, method := range []string{"PUT", "TRACE", "BREW"} {
				got := g.do(method, path, "")
				refused(t, got, wire.CodeMethodNotAllowed)
				assert.Equal(t, allow, got.header.Get("Allow"))
			}
		}
		refused(t, g.do("PATCH", "/rooms/a/whep", "", asFragment), wire.CodeMethodNotAllowed)
		refused(t, g.do("POST", location, "", asSDP), wire.CodeMethodNotAllowed)
	})
	t.Run("other paths are not found, in the form of all errors", func(t *testing.T) {
		g := newTestHandler(t)
		for _, path := range []string{"/", "/rooms", "/rooms/a", "/rooms/a/whap", "/rooms/a/whip/b/c"} {
			refused(t, g.do("POST", path, goodOffer(Publish), asSDP), wire.CodeNotFound)
		}
	})
	t.Run("a session is found under its own room and kind only", func(t *testing.T) {
		g := newTestHandler(t)
		location, tag := g.open(t, Play)
		for _, other := range []string{
			strings.Replace(location, "lobby", "hall", 1),
			strings.Replace(location, "whep", "whip", 1),
			strings.Replace(location, "id.1", "id.2", 1),
			location[:len(location)-1],
			location + "0",
			"/rooms/lobby/whep/nothing",
		} {
			for _, method := range []string{"GET", "HEAD", "DELETE"} {
				assert.Equal(t, 404, g.do(method, other, "").status, "%s %s", method, other)
			}
			refused(t, g.do("PATCH", other, goodFragment, asFragment, "If-Match: "+tag), wire.CodeNotFound)
		}
		assert.Equal(t, 1, g.count())
	})
	t.Run("a room's name is unescaped on the way in and escaped on the way out", func(t *testing.T) {
		g := newTestHandler(t)
		got := g.do("POST", "/rooms/a%2Fb%20c/whip", goodOffer(Publish), asSDP)
		require.Equal(t, 201, got.status)
		assert.Equal(t, "a/b c", g.room)
		assert.True(t, strings.HasPrefix(got.header.Get("Location"), "/rooms/a%2Fb%20c/whip/"), got.header.Get("Location"))
		assert.Equal(t, 200, g.do("DELETE", got.header.Get("Location"), "").status)
	})
	t.Run("the routes can be registered on another mux", func(t *testing.T) {
		g := newTestHandler(t)
		mux := http.NewServeMux()
		g.h.Register(mux)
		w := httptest.NewRecorder()
		mux.ServeHTTP(w, httptest.NewRequest("OPTIONS", "/rooms/a/whip", nil))
		assert.Equal(t, 200, w.Code)
	})
}

func TestLimits(t *testing.T) {
	t.Run("an offer may be as long as the limit, and not one byte longer", func(t *testing.T) {
		g := newTestHandler(t, func(c *Config) { c.MaxOffer = len(goodOffer(Play)) })
		assert.Equal(t, 201, g.do("POST", "/rooms/a/whep", goodOffer(Play), asSDP).status)
		refused(t, g.do("POST", "/rooms/a/whep", goodOffer(Play)+"\n", asSDP), wire.CodeTooLarge)
	})
	t.Run("the default limit is that of the protocol", func(t *testing.T) {
		g := newTestHandler(t)
		long := goodOffer(Play) + strings.Repeat("a=x\r\n", wire.MaxSDP/5)
		refused(t, g.do("POST", "/rooms/a/whep", long, asSDP), wire.CodeTooLarge)
	})
	t.Run("a fragment is limited", func(t *testing.T) {
		g := newTestHandler(t)
		location, tag := g.open(t, Play)
		long := goodFragment + strings.Repeat("a=x\r\n", sdp.MaxFragment/5)
		refused(t, g.do("PATCH", location, long, asFragment, "If-Match: "+tag), wire.CodeTooLarge)
	})
	t.Run("a body that breaks off is a bad request", func(t *testing.T) {
		g := newTestHandler(t)
		r := httptest.NewRequest("POST", "/rooms/a/whep", brokenBody{})
		r.Header.Set("Content-Type", "application/sdp")
		refused(t, g.serve(r), wire.CodeBadRequest)
	})
}

type brokenBody struct{}

func (brokenBody) Read([]byte) (int, error) { return 0, errors.New("connection reset") }

func TestBearer(t *testing.T) {
	for _, row := range []struct {
		name    string
		headers []string
		want    string
		code    wire.Code
	}{
		{"no header is no token", nil, "", ""},
		{"a token is taken as it is", []string{"Authorization: Bearer aZ0-._~+/=="}, "aZ0-._~+/==", ""},
		{"the scheme's case does not matter", []string{"Authorization: bEARER t"}, "t", ""},
		{"space around the token is not part of it", []string{"Authorization: Bearer   t  "}, "t", ""},
		{"an empty token is none", []string{"Authorization: Bearer "}, "", ""},
		{"another scheme is no token", []string{"Authorization: Basic dTpw"}, "", ""},
		{"a token with a space in it is malformed", []string{"Authorization: Bearer a b"}, "", wire.CodeUnauthorized},
		{"a token with other characters is malformed", []string{"Authorization: Bearer a,b"}, "", wire.CodeUnauthorized},
		{"a token that is too long is refused", []string{"Authorization: Bearer " + strings.Repeat("a", wire.MaxToken+1)}, "", wire.CodeUnauthorized},
		{"two headers are a bad request", []string{"Authorization: Bearer a", "Authorization: Bearer b"}, "", wire.CodeBadRequest},
	} {
		t.Run(row.name, func(t *testing.T) {
			g := newTestHandler(t)
			got := g.do("POST", "/rooms/a/whep", goodOffer(Play), append(row.headers, asSDP)...)
			if row.code != "" {
				refused(t, got, row.code)
				assert.Zero(t, g.count())
				return
			}
			require.Equal(t, 201, got.status, got.body)
			assert.Equal(t, row.want, g.bearer)
		})
	}
}

func TestErrorsOfTheEndpoint(t *testing.T) {
	for _, row := range wire.Codes() {
		t.Run("a refusal with "+string(row.Code)+" is answered as such", func(t *testing.T) {
			g := newTestHandler(t)
			g.fail = errors.Join(errors.New("context"), wire.NewError(row.Code, "why"))
			got := g.do("POST", "/rooms/a/whip", goodOffer(Publish), asSDP)
			refused(t, got, row.Code)
			assert.Contains(t, got.body, `"message":"why"`)
			busy := row.Status == 429 || row.Status == 503
			assert.Equal(t, busy, got.header.Get("Retry-After") != "")
			assert.Equal(t, row.Status == 401, got.header.Get("WWW-Authenticate") != "")
		})
	}
	t.Run("any other error is logged, and the client is not told of it", func(t *testing.T) {
		var logged bytes.Buffer
		g := newTestHandler(t, func(c *Config) { c.Log = slog.New(slog.NewTextHandler(&logged, nil)) })
		g.fail = errors.New("disk on fire")
		got := g.do("POST", "/rooms/a/whip", goodOffer(Publish), asSDP)
		refused(t, got, wire.CodeInternal)
		assert.NotContains(t, got.body, "disk")
		assert.Contains(t, logged.String(), "disk on fire")
	})
	t.Run("a candidate that the session refuses is refused", func(t *testing.T) {
		g := newTestHandler(t)
		location, tag := g.open(t, Play)
		g.only(t).fail = wire.NewError(wire.CodeConflict, "")
		refused(t, g.do("PATCH", location, goodFragment, asFragment, "If-Match: "+tag), wire.CodeConflict)
	})
	t.Run("a session that does not close says so", func(t *testing.T) {
		g := newTestHandler(t)
		location, _ := g.open(t, Play)
		g.only(t).fail = errors.New("stuck")
		refused(t, g.do("DELETE", location, ""), wire.CodeInternal)
	})
}

func TestClientThatIsGone(t *testing.T) {
	t.Run("a session whose client left meanwhile is closed", func(t *testing.T) {
		g := newTestHandler(t)
		ctx, leave := context.WithCancel(t.Context())
		g.opening = leave
		r := httptest.NewRequestWithContext(ctx, "POST", "/rooms/a/whep", strings.NewReader(goodOffer(Play)))
		r.Header.Set("Content-Type", "application/sdp")
		got := g.serve(r)
		assert.Empty(t, got.header.Get("Location"))
		assert.Equal(t, 1, g.opened)
		assert.Zero(t, g.count())
	})
	t.Run("a session that the client could not be told of is closed", func(t *testing.T) {
		g := newTestHandler(t)
		r := httptest.NewRequest("POST", "/rooms/a/whep", strings.NewReader(goodOffer(Play)))
		r.Header.Set("Content-Type", "application/sdp")
		g.h.ServeHTTP(failingWriter{httptest.NewRecorder()}, r)
		assert.Equal(t, 1, g.opened)
		assert.Zero(t, g.count())
	})
	t.Run("a DELETE whose client left is carried out", func(t *testing.T) {
		g := newTestHandler(t)
		location, _ := g.open(t, Play)
		ctx, leave := context.WithCancel(t.Context())
		leave()
		g.serve(httptest.NewRequestWithContext(ctx, "DELETE", location, nil))
		assert.Zero(t, g.count())
	})
}

// failingWriter takes headers but no body, as a connection that has gone does.
type failingWriter struct{ *httptest.ResponseRecorder }

func (failingWriter) Write([]byte) (int, error) { return 0, errors.New("broken pipe") }

func TestAnswersAreNotCached(t *testing.T) {
	g := newTestHandler(t)
	location, _ := g.open(t, Play)
	for _, path := range []string{"/rooms/lobby/whep", "/rooms/lobby/whip", location, "/nowhere"} {
		assert.Equal(t, "no-store", g.do("GET", path, "").header.Get("Cache-Control"))
	}
}

func TestKind(t *testing.T) {
	assert.Equal(t, "whip whep unknown", Publish.String()+" "+Play.String()+" "+Kind(0).String())
}
