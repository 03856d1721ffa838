package nodes_test

import (
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/earshot-audio/earshot/cluster"
	"github.com/earshot-audio/earshot/room/rtc"
	"github.com/earshot-audio/earshot/signaling"
	"github.com/earshot-audio/earshot/signaling/nodes"
	"github.com/earshot-audio/earshot/store"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const operatorToken = "the operator's token of this test"

// link passes connections on to a NATS server, until it is cut.
type link struct {
	listener net.Listener
	to       string

	mu   sync.Mutex
	cut  bool
	open []net.Conn
	all  sync.WaitGroup
}

func newLink(t *testing.T, to string) *link {
	t.Helper()
	listener, err := net.Listen("tcp4", "127.0.0.1:0")
	require.NoError(t, err)
	l := &link{listener: listener, to: to}
	l.all.Go(func() {
		for {
			from, err := listener.Accept()
			if err != nil {
				return
			}
			l.pass(from)
		}
	})
	t.Cleanup(func() { _ = listener.Close(); l.set(true); l.all.Wait() })
	return l
}

func (l *link) pass(from net.Conn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	to, err := net.Dial("tcp4", l.to)
	if l.cut || err != nil {
		_ = from.Close()
		if err == nil {
			_ = to.Close()
		}
		return
	}
	l.open = append(l.open, from, to)
	for _, pair := range [][2]net.Conn{{from, to}, {to, from}} {
		l.all.Go(func() {
			_, _ = io.Copy(pair[0], pair[1])
			_, _ = pair[0].Close(), pair[1].Close()
		})
	}
}

// set cuts the link, or mends it.
func (l *link) set(cut bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.cut = cut
	if cut {
		for _, c := range l.open {
			_ = c.Close()
		}
		l.open = nil
	}
}

// serve starts a node over a link. It ends with the test.
func serve(t *testing.T, l *link) (url string) {
	t.Helper()
	url, _, _ = serveNode(t, l)
	return url
}

func serveNode(t *testing.T, l *link) (url string, node *nodes.Nodes, kept *store.Store) {
	t.Helper()
	log := slog.New(slog.DiscardHandler)
	nats := "nats://" + l.listener.Addr().String()
	id := cluster.NewID()
	var err error
	kept, err = store.Open(t.Context(), store.Config{URL: nats, Node: id, Log: log})
	require.NoError(t, err)
	t.Cleanup(func() { _ = kept.Close() })
	media, err := rtc.New(rtc.Config{Media: "127.0.0.1:0", Log: log})
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, media.Close()) })
	registry := prometheus.NewRegistry()
	node, err = nodes.New(nodes.Config{
		NATS: nats, Self: cluster.Node{ID: id, Seats: 10, Started: time.Now()}, Store: kept, Clock: time.Now, Log: log, Metrics: registry, TTL: 3 * time.Second,
	})
	require.NoError(t, err)
	s, err := signaling.New(signaling.Config{
		OperatorToken: operatorToken, Key: []byte(strings.Repeat("k", 32)), Media: media, Log: log, Registry: registry,
		Store: kept, Persister: kept, Cluster: node,
	})
	require.NoError(t, err)
	front := httptest.NewServer(s.Handler())
	t.Cleanup(front.Close)
	require.NoError(t, s.Join(t.Context(), front.URL))
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		_ = s.Shutdown(ctx) // a node that is cut off can't say so
	})
	return front.URL, node, kept
}

func ask(t *testing.T, method, url, body string) (status int, answer string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	require.NoError(t, err)
	r.Header.Set("Authorization", "Bearer "+operatorToken)
	r.Header.Set("Content-Type", "application/json")
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Do(r)
	require.NoError(t, err)
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	return resp.StatusCode, string(data)
}

// natsServer starts a NATS server that ends with the test.
func natsServer(t *testing.T) (addr string) {
	t.Helper()
	ns, err := server.NewServer(&server.Options{Host: "127.0.0.1", Port: server.RANDOM_PORT, JetStream: true, StoreDir: t.TempDir(), NoSigs: true})
	require.NoError(t, err)
	ns.Start()
	t.Cleanup(func() { ns.Shutdown(); ns.WaitForShutdown() })
	require.True(t, ns.ReadyForConnections(time.Minute))
	return ns.Addr().String()
}

// TestRoomClaimedFromANodeThatStoodStill lets a node wait before it makes a room that it has claimed. Another
// claims the room from it meanwhile, as from a node that stands still: the first may not make it any more.
func TestRoomClaimedFromANodeThatStoodStill(t *testing.T) {
	addr := natsServer(t)
	url, node, kept := serveNode(t, newLink(t, addr))
	status, body := ask(t, http.MethodPost, url+"/api/rooms", `{"name":"Lobby","visibility":"closed"}`)
	require.Equal(t, http.StatusCreated, status, body)
	_, room, _ := strings.Cut(body, `"room":"`)
	room, _, _ = strings.Cut(room, `"`)
	owner, there := kept.Owner(room)
	require.True(t, there)

	another, err := store.Open(t.Context(), store.Config{URL: "nats://" + addr, Node: cluster.NewID(), Log: slog.New(slog.DiscardHandler)})
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, another.Close()) })
	_, err = another.Claim(t.Context(), room, owner)
	require.NoError(t, err)
	require.Eventually(t, func() bool { return !node.Has(room) }, time.Minute, 5*time.Millisecond, "it lets go of a room that another has claimed")

	node.AdoptLater(room, "a node that may be back")
	for node.IsAdopting(room) {
		assert.False(t, node.Has(room))
		time.Sleep(time.Millisecond)
	}
	assert.False(t, node.Has(room), "the room is another's: it is not made here, not even for a moment")
}

// TestNodeThatIsCutOffLosesItsRooms cuts a node off from NATS, with rooms. It lets go of
// them and is not ready, another node takes them over, and when the first is back it sends
// people there.
func TestNodeThatIsCutOffLosesItsRooms(t *testing.T) {
	addr := natsServer(t)
	way := newLink(t, addr)
	first := serve(t, way)
	status, body := ask(t, http.MethodPost, first+"/api/rooms", `{"name":"Lobby","visibility":"closed"}`)
	require.Equal(t, http.StatusCreated, status, body)
	_, room, _ := strings.Cut(body, `"room":"`)
	room, _, _ = strings.Cut(room, `"`)
	second := serve(t, newLink(t, addr))

	way.set(true)
	require.Eventually(t, func() bool {
		status, _ := ask(t, http.MethodGet, second+"/api/rooms/"+room, "")
		return status == http.StatusOK
	}, time.Minute, 20*time.Millisecond, "the other node has the room")
	status, body = ask(t, http.MethodGet, first+"/api/rooms/"+room, "")
	assert.Equal(t, http.StatusServiceUnavailable, status, "the one that is cut off has let go of it before: %s", body)
	status, _ = ask(t, http.MethodGet, first+"/readyz", "")
	assert.Equal(t, http.StatusServiceUnavailable, status)
	status, body = ask(t, http.MethodDelete, first+"/api/rooms/"+room, "")
	assert.Equal(t, http.StatusServiceUnavailable, status, "it acknowledges nothing: %s", body)

	way.set(false)
	require.Eventually(t, func() bool {
		status, _ := ask(t, http.MethodGet, first+"/readyz", "")
		return status == http.StatusOK
	}, time.Minute, 20*time.Millisecond, "it is back")
	require.Eventually(t, func() bool {
		status, _ := ask(t, http.MethodGet, first+"/api/rooms/"+room, "")
		return status == http.StatusOK
	}, time.Minute, 20*time.Millisecond, "and passes requests on to the room's node")
	status, body = ask(t, http.MethodDelete, first+"/api/rooms/"+room, "")
	require.Equal(t, http.StatusNoContent, status, body)
	require.Eventually(t, func() bool {
		status, _ := ask(t, http.MethodGet, second+"/api/rooms/"+room, "")
		return status == http.StatusNotFound
	}, time.Minute, 20*time.Millisecond, "it has ended for all")
}
