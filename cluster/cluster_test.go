package cluster

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// testTTL is how long entries last here: long enough for a machine that is busy.
const testTTL = 3 * time.Second

func startNATS(t *testing.T, dir string, port int) *server.Server {
	t.Helper()
	ns, err := server.NewServer(&server.Options{Host: "127.0.0.1", Port: port, JetStream: true, StoreDir: dir, NoSigs: true})
	require.NoError(t, err)
	ns.Start()
	t.Cleanup(func() { stop(ns) })
	require.True(t, ns.ReadyForConnections(time.Minute))
	return ns
}

func stop(ns *server.Server) {
	ns.Shutdown()
	ns.WaitForShutdown()
}

// join makes a node with an ID and a handler. It leaves with the test.
func join(t *testing.T, url, id string, handler http.HandlerFunc, told func(kind string, data []byte) (slow func())) *Cluster {
	t.Helper()
	if told == nil {
		told = func(string, []byte) func() { return nil }
	}
	c, err := Join(t.Context(), Config{
		URL: url, Self: Node{ID: id, Seats: 10, Started: time.Now()}, Load: func() Load { return Load{Taken: 1, Rooms: 1} },
		Handler: handler, Told: told, Changed: func() {}, Returned: func(context.Context) error { return nil }, TTL: testTTL, Log: slog.New(slog.DiscardHandler),
	})
	require.NoError(t, err)
	t.Cleanup(func() { _ = c.Leave(context.Background()) }) // some have left, or NATS has
	return c
}

func ids(c *Cluster) string {
	var all []string
	for _, n := range c.Nodes() {
		all = append(all, n.ID)
	}
	return strings.Join(all, " ")
}

func TestNodesComeAndGo(t *testing.T) {
	ns := startNATS(t, t.TempDir(), server.RANDOM_PORT)
	a := join(t, ns.ClientURL(), "a", nil, nil)
	b := join(t, ns.ClientURL(), "b", nil, nil)
	assert.Equal(t, "a b", ids(b), "who joins knows the others")
	require.Eventually(t, func() bool { return ids(a) == "a b" }, time.Minute, time.Millisecond)
	require.NoError(t, b.SetDraining(t.Context(), true))
	require.Eventually(t, func() bool { n, ok := a.Find("b"); return ok && n.Draining }, time.Minute, time.Millisecond)
	assert.False(t, a.Gone(t.Context(), "b"))
	require.NoError(t, b.Leave(t.Context()))
	require.Eventually(t, func() bool { return ids(a) == "a" && a.Gone(t.Context(), "b") }, time.Minute, time.Millisecond, "who leaves is gone at once")
}

// TestNodeThatSaysNothingIsGone ends a node's connection without a word.
func TestNodeThatSaysNothingIsGone(t *testing.T) {
	ns := startNATS(t, t.TempDir(), server.RANDOM_PORT)
	a := join(t, ns.ClientURL(), "a", nil, nil)
	b := join(t, ns.ClientURL(), "b", nil, nil)
	require.Eventually(t, func() bool { return ids(a) == "a b" }, time.Minute, time.Millisecond)
	b.close()
	require.Eventually(t, func() bool { return b.CutOff() }, time.Minute, time.Millisecond, "it counts itself cut off")
	require.Eventually(t, func() bool { return a.Gone(t.Context(), "b") }, time.Minute, 10*time.Millisecond, "before or after the others do")
	assert.Equal(t, "a", ids(a))
	assert.False(t, a.CutOff())
}

// TestNodesOutliveTheirNATSServer stops the NATS server until all are cut off, and starts
// it again.
func TestNodesOutliveTheirNATSServer(t *testing.T) {
	dir := t.TempDir()
	ns := startNATS(t, dir, server.RANDOM_PORT)
	url := ns.ClientURL()
	a := join(t, url, "a", nil, nil)
	b := join(t, url, "b", nil, nil)
	require.Eventually(t, func() bool { return ids(a) == "a b" }, time.Minute, time.Millisecond)
	port := ns.Addr().String()
	port = port[strings.LastIndexByte(port, ':')+1:]
	stop(ns)
	require.Eventually(t, func() bool { return a.CutOff() && b.CutOff() }, time.Minute, time.Millisecond)
	assert.False(t, a.Gone(t.Context(), "b"), "who is cut off knows nothing of the others")
	var number int
	_, err := fmt.Sscan(port, &number)
	require.NoError(t, err)
	startNATS(t, dir, number)
	require.Eventually(t, func() bool { return !a.CutOff() && !b.CutOff() && ids(a) == "a b" && ids(b) == "a b" }, time.Minute, 10*time.Millisecond)
}

// TestRequestsArePassedOn passes requests to another node: what it is asked, and what it
// answers, arrive whole.
func TestRequestsArePassedOn(t *testing.T) {
	ns := startNATS(t, t.TempDir(), server.RANDOM_PORT)
	long := strings.Repeat("x", 3*partSize+1)
	begun, given := make(chan struct{}), make(chan struct{})
	a := join(t, ns.ClientURL(), "a", nil, nil)
	join(t, ns.ClientURL(), "b", func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/slow" {
			close(begun)
			<-r.Context().Done()
			close(given)
			return
		}
		body, _ := io.ReadAll(r.Body)
		w.Header().Set("X-Was", fmt.Sprint(r.Method, " ", r.RequestURI, " ", r.Host, " ", r.RemoteAddr, " ", r.Header.Get("Authorization"), " ", string(body)))
		w.WriteHeader(http.StatusTeapot)
		_, _ = io.WriteString(w, long)
	}, nil)
	request := func(ctx context.Context, path, body string) *http.Request {
		r, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://rooms.example"+path, strings.NewReader(body))
		require.NoError(t, err)
		r.RemoteAddr = "192.0.2.1:9"
		r.Header.Set("Authorization", "Bearer T")
		return r
	}
	answer, err := a.Pass(t.Context(), "b", request(t.Context(), "/a%2Fb?c=d", "offer"))
	require.NoError(t, err)
	assert.Equal(t, http.StatusTeapot, answer.Status)
	assert.Equal(t, "POST /a%2Fb?c=d rooms.example 192.0.2.1:9 Bearer T offer", answer.Header.Get("X-Was"))
	assert.Equal(t, long, string(answer.Body))

	_, err = a.Pass(t.Context(), "nobody", request(t.Context(), "/", ""))
	require.ErrorIs(t, err, ErrGone)
	_, err = a.Pass(t.Context(), "b", request(t.Context(), "/", strings.Repeat("x", MaxBody+1)))
	require.ErrorIs(t, err, ErrBody)

	ctx, cancel := context.WithCancel(t.Context())
	go func() { <-begun; cancel() }()
	_, err = a.Pass(ctx, "b", request(ctx, "/slow", ""))
	require.ErrorIs(t, err, context.Canceled)
	<-given // the other node gives up what nobody waits for
}

func TestAllAreTold(t *testing.T) {
	ns := startNATS(t, t.TempDir(), server.RANDOM_PORT)
	var mu sync.Mutex
	var heard []string
	hear := func(id string) func(string, []byte) func() {
		return func(kind string, data []byte) func() {
			mu.Lock()
			defer mu.Unlock()
			heard = append(heard, id+" "+kind+" "+string(data))
			return nil
		}
	}
	a := join(t, ns.ClientURL(), "a", nil, hear("a"))
	b := join(t, ns.ClientURL(), "b", nil, hear("b"))
	require.Eventually(t, func() bool { return ids(a) == "a b" }, time.Minute, time.Millisecond)
	assert.Empty(t, a.TellAndWait(t.Context(), "login", []byte("ada"), time.Minute))
	mu.Lock()
	assert.Equal(t, []string{"b login ada"}, heard, "all but who tells")
	mu.Unlock()
	b.conn.Close()
	assert.Equal(t, []string{"b"}, a.TellAndWait(t.Context(), "login", nil, 50*time.Millisecond), "who does not answer is known")
}

func TestPlace(t *testing.T) {
	for _, c := range []struct {
		name  string
		nodes []Node
		zone  string
		want  string // the only nodes that may be chosen
	}{
		{"a node that drains gets no room", []Node{{ID: "a", Seats: 9}, {ID: "b", Seats: 9, Draining: true}}, "", "a"},
		{"if all drain one of them gets it", []Node{{ID: "a", Seats: 9, Draining: true}}, "", "a"},
		{"those of the zone come first", []Node{{ID: "a", Seats: 9, Load: Load{Taken: 5}, Zone: "x"}, {ID: "b", Seats: 9}}, "x", "a"},
		{"unless they are full", []Node{{ID: "a", Seats: 9, Load: Load{Taken: 9}, Zone: "x"}, {ID: "b", Seats: 9}}, "x", "b"},
		{"all without a zone are in one", []Node{{ID: "a", Seats: 9}, {ID: "b", Seats: 9}}, "", "a b"},
	} {
		got := map[string]int{}
		for range 200 {
			n, ok := Place(c.nodes, c.zone)
			require.True(t, ok, c.name)
			got[n.ID]++
		}
		for _, id := range strings.Fields(c.want) {
			assert.Positive(t, got[id], c.name)
			delete(got, id)
		}
		assert.Empty(t, got, c.name)
	}
	fuller := 0
	for range 400 {
		if n, _ := Place([]Node{{ID: "a", Seats: 9, Load: Load{Taken: 8}}, {ID: "b", Seats: 9}}, ""); n.ID == "a" {
			fuller++
		}
	}
	assert.Less(t, fuller, 200, "the emptier of two is chosen unless the fuller is drawn twice")
	_, ok := Place(nil, "")
	assert.False(t, ok)
}

// TestCandidate holds rendezvous hashing against its two promises: a fair share for each,
// and that only what was the gone node's moves.
func TestCandidate(t *testing.T) {
	nodes := []Node{{ID: "a"}, {ID: "b"}, {ID: "c"}}
	share := map[string]int{}
	for i := range 3000 {
		room := fmt.Sprint("room", i)
		was := Candidate(nodes, room)
		share[was]++
		if now := Candidate(nodes[1:], room); was != "a" {
			assert.Equal(t, was, now)
		}
	}
	for id, n := range share {
		assert.InDelta(t, 1000, n, 200, id)
	}
	assert.Empty(t, Candidate(nil, "room"))
}
