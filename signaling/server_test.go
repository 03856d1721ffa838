package signaling

import (
	"context"
	"net"
	"net/http/httptest"
	"net/netip"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/earshot-audio/earshot/room/rtc"
	"github.com/earshot-audio/earshot/signaling/liveroom"
)

const (
	operatorToken = "operator-token-of-the-tests"
	// eventually is how long tests wait for what must happen, and often how often they
	// look.
	eventually, often = 30 * time.Second, 2 * time.Millisecond
)

var testKey = []byte("0123456789abcdef0123456789abcdef")

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// testServer is a server with real media and a real HTTP server around it.
type testServer struct {
	t      *testing.T
	server *Server
	http   *httptest.Server
	// unwatch ends the check that runs throughout the test.
	unwatch func()
}

// open makes an open server. change may alter its configuration.
func open(t *testing.T, change func(*Config)) *testServer {
	return build(t, Config{Open: true}, change)
}

// closed makes a server that asks for tokens.
func closed(t *testing.T, change func(*Config)) *testServer {
	return build(t, Config{OperatorToken: operatorToken, Key: testKey}, change)
}

func build(t *testing.T, cfg Config, change func(*Config)) *testServer {
	t.Helper()
	engine, err := rtc.New(rtc.Config{Media: "127.0.0.1:0"})
	require.NoError(t, err)
	cfg.Media = engine
	// Hundreds of clients come from one address here. Tests of limits set their own.
	cfg.Limits.Exempt = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
	if change != nil {
		change(&cfg)
	}
	server, err := New(cfg)
	require.NoError(t, err)
	h := &testServer{t: t, server: server, http: httptest.NewUnstartedServer(nil)}
	h.http.Config, h.http.Listener = server.HTTP(), server.Listen(h.http.Listener.(*net.TCPListener))
	h.http.Start()
	stop, stopped := make(chan struct{}), make(chan struct{})
	h.unwatch = sync.OnceFunc(func() { close(stop); <-stopped })
	go h.watch(stop, stopped)
	t.Cleanup(func() {
		h.unwatch()
		ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
		defer cancel()
		assert.NoError(t, server.Shutdown(ctx))
		h.http.Close()
		assert.NoError(t, engine.Close())
	})
	return h
}

// watch checks throughout a test that media, roster and rules agree.
func (h *testServer) watch(stop, stopped chan struct{}) {
	defer close(stopped)
	tick := time.NewTicker(3 * time.Millisecond)
	defer tick.Stop()
	for {
		for _, l := range h.server.rooms.List() {
			if n := l.Mismatches(); n > 0 {
				assert.Zero(h.t, n, "media, roster and rules of room %q do not agree", l.ID())
				return
			}
		}
		select {
		case <-tick.C:
		case <-stop:
			return
		}
	}
}

// liveRoom returns a room that must exist.
func (h *testServer) liveRoom(id string) *liveroom.LiveRoom {
	h.t.Helper()
	l, err := h.server.rooms.Find(id)
	require.NoError(h.t, err)
	return l
}

// audience returns a room's audience; 0 if there is no room.
func (h *testServer) audience(id string) int {
	l, err := h.server.rooms.Find(id)
	if err != nil {
		return 0
	}
	return l.Info().Audience
}

// metric returns the value of a metric: of the one with these values of its labels,
// in the order of the labels' names.
func (h *testServer) metric(name string, labels ...string) float64 {
	h.t.Helper()
	families, err := h.server.cfg.Registry.Gather()
	require.NoError(h.t, err)
	for _, f := range families {
		if f.GetName() != name {
			continue
		}
		for _, m := range f.GetMetric() {
			var values []string
			for _, l := range m.GetLabel() {
				values = append(values, l.GetValue())
			}
			if slices.Equal(values, labels) {
				return m.GetCounter().GetValue() + m.GetGauge().GetValue()
			}
		}
	}
	return 0
}
