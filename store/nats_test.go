package store

import (
	"net"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/stretchr/testify/require"
)

// natsServer is a NATS server with a port that is stopped and started again.
type natsServer struct {
	t    *testing.T
	dir  string
	port int
	ns   *server.Server // nil: it is stopped
}

// startNATS starts a server that ends with the test.
func startNATS(t *testing.T) *natsServer {
	t.Helper()
	n := &natsServer{t: t, dir: t.TempDir(), port: server.RANDOM_PORT}
	n.start()
	t.Cleanup(n.stop)
	return n
}

func (n *natsServer) start() {
	n.t.Helper()
	require.Eventually(n.t, func() bool {
		ns, err := server.NewServer(&server.Options{Host: "127.0.0.1", Port: n.port, JetStream: true, StoreDir: n.dir, NoSigs: true, SyncAlways: true})
		require.NoError(n.t, err)
		ns.Start()
		if !ns.ReadyForConnections(startTimeout) { // somebody else has its port for a moment
			ns.Shutdown()
			return false
		}
		n.ns, n.port = ns, ns.Addr().(*net.TCPAddr).Port
		return true
	}, 2*startTimeout, 100*time.Millisecond)
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
