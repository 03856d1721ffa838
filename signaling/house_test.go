package signaling

import (
	"context"
	"net/http/httptest"
	"net/netip"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/earshot-audio/earshot/room/rtc"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// house is a server with real media and a real HTTP server around it.
type house struct {
	t      *testing.T
	server *Server
	http   *httptest.Server
	// unwatch ends the check that runs all through the test.
	unwatch func()
}

// open makes an open server. change may alter its configuration.
func open(t *testing.T, change func(*Config)) *house {
	return build(t, Config{Open: true}, change)
}

// closed makes a server that asks for tokens.
func closed(t *testing.T, change func(*Config)) *house {
	return build(t, Config{OperatorToken: operatorToken, Key: testKey}, change)
}

func build(t *testing.T, cfg Config, change func(*Config)) *house {
	t.Helper()
	engine, err := rtc.New(rtc.Config{Media: "127.0.0.1:0"})
	require.NoError(t, err)
	cfg.Media = engine
	// Hundreds of clients come from one address here; what is about limits sets its
	// own.
	cfg.Limits.Exempt = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
	if change != nil {
		change(&cfg)
	}
	server, err := New(cfg)
	require.NoError(t, err)
	h := &house{t: t, server: server, http: httptest.NewServer(server.Handler())}
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

// watch checks all through a test that media, roster and rules agree.
func (h *house) watch(stop, stopped chan struct{}) {
	defer close(stopped)
	tick := time.NewTicker(3 * time.Millisecond)
	defer tick.Stop()
	for {
		for _, l := range h.server.hub.list() {
			if n := l.mismatches(); n > 0 {
				assert.Zero(h.t, n, "media, roster and rules of room %q do not agree", l.id)
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

// live returns a room that must be there.
func (h *house) live(id string) *live {
	h.t.Helper()
	l, err := h.server.hub.find(id)
	require.NoError(h.t, err)
	return l
}

// audience returns how many sit in a room's audience; 0 if there is no room.
func (h *house) audience(id string) int {
	l, err := h.server.hub.find(id)
	if err != nil {
		return 0
	}
	return l.info().Audience
}
