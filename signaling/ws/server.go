package ws

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/gorilla/websocket"

	"github.com/earshot-audio/earshot/signaling/wire"
)

// abortGrace is how long Shutdown waits for connections that it has aborted.
const abortGrace = time.Second

// ErrClosed is returned by [Server.Upgrade] after Shutdown has begun.
var ErrClosed = errors.New("ws: the server is closed")

// ErrNoUpgrade refuses a request that does not ask for a WebSocket.
var ErrNoUpgrade = wire.NewError(wire.CodeBadRequest, "this is a WebSocket; see docs/protocol.md")

// IsUpgrade reports whether a request asks for a WebSocket.
func IsUpgrade(r *http.Request) bool { return websocket.IsWebSocketUpgrade(r) }

// Config is what a [Server] is made with. All fields are required.
type Config struct {
	// SendQueue is how many messages may wait for one client before it is
	// disconnected as too slow.
	SendQueue int
	// HelloWait is how long a client has until [Conn.Established] is called.
	HelloWait time.Duration
	// PingEvery is how often the server pings; less than PongWait.
	PingEvery time.Duration
	// PongWait is how long a client may be silent, pongs included.
	PongWait time.Duration
	// CheckOrigin reports whether a page of the request's origin may open a WebSocket; nil:
	// those of the server's own host.
	CheckOrigin func(*http.Request) bool
	// WriteWait is how long the writing of one message, and the handshake of the
	// upgrade, may take.
	WriteWait time.Duration
	// CloseWait is how long the server waits for the client's side of the closing
	// handshake, and for a slow client to take its goodbye.
	CloseWait time.Duration
	Log       *slog.Logger
	Metrics   *Metrics
}

// Server holds the WebSocket connections of a process. It is safe for concurrent
// use. Make it with [NewServer] and end it with [Server.Shutdown].
type Server struct {
	cfg      Config
	begun    time.Time
	upgrader websocket.Upgrader
	workers  workerPool
	poller   *poller // nil where there is none

	mu      sync.Mutex
	closed  bool
	conns   map[*Conn]struct{}
	running sync.WaitGroup // connections and their timers
}

// NewServer makes a server.
func NewServer(cfg Config) *Server {
	s := &Server{cfg: cfg, begun: time.Now(), conns: make(map[*Conn]struct{})}
	s.upgrader = websocket.Upgrader{
		HandshakeTimeout: cfg.WriteWait,
		WriteBufferSize:  4096,
		// Thousands of connections write rarely: they share their write buffers.
		WriteBufferPool: &sync.Pool{},
		CheckOrigin:     cfg.CheckOrigin,
		Error: func(w http.ResponseWriter, _ *http.Request, status int, reason error) {
			code := wire.CodeBadRequest
			if status == http.StatusForbidden {
				code = wire.CodeForbidden
			}
			if u, ok := w.(*upgrade); ok {
				u.refusal = wire.NewError(code, reason.Error())
			}
		},
	}
	var err error
	if s.poller, err = newPoller(); err != nil {
		cfg.Log.Debug("waiting connections have a goroutine each", "error", err)
	}
	return s
}

// upgrade is the response of a request to be upgraded. It gives the upgrader a
// small read buffer that the connection knows, too.
type upgrade struct {
	http.ResponseWriter
	buffer  *bufio.Reader
	refusal error
}

// Hijack implements http.Hijacker.
func (u *upgrade) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	conn, rw, err := http.NewResponseController(u.ResponseWriter).Hijack()
	if err != nil || rw.Reader.Buffered() > 0 {
		return conn, rw, err // the upgrader refuses a client that has sent something already
	}
	u.buffer = bufio.NewReaderSize(conn, readBuffer)
	return conn, bufio.NewReadWriter(u.buffer, rw.Writer), nil
}

// Upgrade makes a request a connection with the given ID, which names it in logs.
// newHandler returns its handler, and is called before the client is listened to.
// On an error the caller answers the request. The connection outlives the request:
// net/http would keep its goroutine's stack and 8 KB of buffers for it otherwise.
func (s *Server) Upgrade(w http.ResponseWriter, r *http.Request, id string, newHandler func(*Conn) Handler) error {
	if err := s.reserve(); err != nil {
		return err
	}
	upgraded := &upgrade{ResponseWriter: w}
	socket, err := s.upgrader.Upgrade(upgraded, r, nil)
	if err != nil {
		s.running.Done()
		s.cfg.Log.Debug("websocket upgrade refused", "error", err)
		return upgraded.refusal // nil if the request has been answered, or its connection is gone
	}
	c := newConn(s, socket, upgraded.buffer, id)
	c.handler = newHandler(c)
	s.mu.Lock()
	s.conns[c] = struct{}{}
	if s.closed {
		c.Finish(wire.GoodbyeShutdown)
	}
	s.mu.Unlock()
	s.cfg.Metrics.connections.Inc()
	c.start()
	return nil
}

// reserve counts a connection that Shutdown waits for.
func (s *Server) reserve() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return ErrClosed
	}
	s.running.Add(1)
	return nil
}

// release forgets a connection whose halves have both ended.
func (s *Server) release(c *Conn) {
	s.mu.Lock()
	delete(s.conns, c)
	s.mu.Unlock()
	s.cfg.Metrics.connections.Dec()
	c.logger().Debug("connection over", "after", time.Since(c.opened))
	s.running.Done()
}

// Shutdown ends all connections with [wire.GoodbyeShutdown] and refuses new ones.
// When it returns nil, all goroutines of the server have ended. If ctx is over
// before, the connections that are left are aborted, and the error says how many;
// their goroutines may take a moment longer.
func (s *Server) Shutdown(ctx context.Context) error {
	s.mu.Lock()
	s.closed = true
	for c := range s.conns {
		c.Finish(wire.GoodbyeShutdown)
	}
	s.mu.Unlock()

	done := make(chan struct{})
	go func() {
		defer close(done)
		s.running.Wait()
	}()
	defer s.stop()
	select {
	case <-done:
		s.stop()
		s.workers.wait() // they have nothing to do any more
		return nil
	case <-ctx.Done():
	}
	s.mu.Lock()
	left := len(s.conns)
	for c := range s.conns {
		c.Abort()
	}
	s.mu.Unlock()
	grace := time.NewTimer(abortGrace)
	defer grace.Stop()
	select {
	case <-done: // at once, as a rule
	case <-grace.C:
	}
	return fmt.Errorf("%d connections were cut: %w", left, ctx.Err())
}

// stop ends the goroutines that serve all connections.
func (s *Server) stop() {
	if s.poller != nil {
		s.poller.close()
	}
	s.workers.close()
}
