package store

import (
	"bytes"
	"fmt"
	"log/slog"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/earshot-audio/earshot/internal/lab"
)

// natsStarts is how long one may take to start.
const natsStarts = 30 * time.Second

// natsServer is a NATS server with a port that is stopped and started again.
type natsServer struct {
	t    *testing.T
	dir  string
	host string
	port int
	ns   *server.Server // nil: it is stopped
}

// startNATS starts a server that ends with the test.
func startNATS(t *testing.T) *natsServer {
	t.Helper()
	return startNATSOn(t, "127.0.0.1")
}

// startNATSOn is startNATS for another address of this machine.
func startNATSOn(t *testing.T, host string) *natsServer {
	t.Helper()
	n := &natsServer{t: t, dir: t.TempDir(), host: host, port: server.RANDOM_PORT}
	n.start()
	t.Cleanup(n.stop)
	return n
}

func (n *natsServer) start() {
	n.t.Helper()
	require.Eventually(n.t, func() bool {
		ns, err := server.NewServer(&server.Options{Host: n.host, Port: n.port, JetStream: true, StoreDir: n.dir, NoSigs: true, SyncAlways: true})
		require.NoError(n.t, err)
		ns.Start()
		if !ns.ReadyForConnections(natsStarts) { // somebody else has its port for a moment
			ns.Shutdown()
			return false
		}
		n.ns, n.port = ns, ns.Addr().(*net.TCPAddr).Port
		return true
	}, 2*natsStarts, 100*time.Millisecond)
}

func (n *natsServer) stop() {
	if n.ns != nil {
		n.ns.Shutdown()
		n.ns.WaitForShutdown()
		n.ns = nil
	}
}

func (n *natsServer) url() string { return n.ns.ClientURL() }

// relay stands between a store and its NATS server. While it is held nothing passes, in
// either direction: what has been sent arrives later.
type relay struct {
	listener net.Listener
	to       *natsServer

	mu    sync.Mutex
	moved *sync.Cond
	held  bool
	ended bool
	open  []net.Conn
	all   sync.WaitGroup
}

func newRelay(t *testing.T, to *natsServer) *relay {
	t.Helper()
	listener, err := net.Listen("tcp4", "127.0.0.1:0")
	require.NoError(t, err)
	r := &relay{listener: listener, to: to}
	r.moved = sync.NewCond(&r.mu)
	r.all.Go(r.accept)
	t.Cleanup(r.close)
	return r
}

func (r *relay) url() string { return "nats://" + r.listener.Addr().String() }

func (r *relay) accept() {
	address := net.JoinHostPort("127.0.0.1", portText(r.to.port))
	for {
		from, err := r.listener.Accept()
		if err != nil {
			return
		}
		to, err := net.Dial("tcp4", address)
		if err != nil {
			_ = from.Close()
			continue
		}
		r.mu.Lock()
		r.open = append(r.open, from, to)
		r.mu.Unlock()
		r.all.Go(func() { r.pass(from, to) })
		r.all.Go(func() { r.pass(to, from) })
	}
}

func (r *relay) pass(from, to net.Conn) {
	defer func() { _, _ = from.Close(), to.Close() }()
	buffer := make([]byte, 64<<10)
	for {
		n, err := from.Read(buffer)
		r.mu.Lock()
		for r.held && !r.ended {
			r.moved.Wait()
		}
		r.mu.Unlock()
		if _, failed := to.Write(buffer[:n]); failed != nil || err != nil {
			return
		}
	}
}

// hold holds what passes, or lets it go on.
func (r *relay) hold(held bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.held = held
	r.moved.Broadcast()
}

func (r *relay) close() {
	_ = r.listener.Close()
	r.mu.Lock()
	r.ended = true
	r.moved.Broadcast()
	for _, c := range r.open {
		_ = c.Close()
	}
	r.mu.Unlock()
	r.all.Wait()
}

// What goes to a NATS server on another machine goes over its network.
func TestPlainNATSElsewhereIsSaid(t *testing.T) {
	elsewhere := lab.OwnAddress(t)
	if elsewhere == "" {
		t.Skip("this machine has no address but the loopback")
	}
	for _, c := range []struct {
		name, host string
		says       bool
	}{
		{"a server on this machine's loopback is reached over no network", "127.0.0.1", false},
		{"one on another address is", elsewhere, true},
	} {
		var log bytes.Buffer
		n := startNATSOn(t, c.host)
		s, err := Open(t.Context(), Config{URL: fmt.Sprintf("nats://%s:%d", c.host, n.port), Log: slog.New(slog.NewTextHandler(&log, nil))})
		require.NoError(t, err, c.name)
		require.NoError(t, s.Close())
		assert.Equal(t, c.says, strings.Contains(log.String(), "is not encrypted"), "%s: %s", c.name, log.String())
	}
}
