package signaling

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gorilla/websocket"

	"github.com/earshot-audio/earshot/signaling/panel"
	"github.com/earshot-audio/earshot/signaling/wire"
	"github.com/earshot-audio/earshot/store"
)

// cutGrace is how long Shutdown waits for connections that it has cut.
const cutGrace = time.Second

// Server is the signaling of one process. Make it with [New], serve its
// [Server.Handler], and end it with [Server.Shutdown].
type Server struct {
	cfg      Config
	log      *slog.Logger
	gate     *gate
	limits   *limits
	store    *store.Store
	hub      *hub
	metrics  *metrics
	panel    panel.History
	handler  http.Handler
	upgrader websocket.Upgrader
	// crew runs the halves of the sessions while they have something to do, and
	// poller, where there is one, tells when that is.
	crew   crew
	poller *poller

	draining atomic.Bool
	mu       sync.Mutex
	sessions map[*session]struct{}
	running  sync.WaitGroup
}

// New makes a server. It opens no socket: the caller serves its Handler. The
// error joins everything that is wrong with the configuration.
func New(cfg Config) (*Server, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	s := &Server{
		cfg:      cfg,
		log:      cfg.Log,
		gate:     newGate(&cfg),
		limits:   newLimits(&cfg),
		store:    cfg.Store,
		sessions: make(map[*session]struct{}),
	}
	s.upgrader = websocket.Upgrader{
		HandshakeTimeout: cfg.WriteWait,
		WriteBufferSize:  4096,
		// Thousands of sessions write now and then: they need no buffer each.
		WriteBufferPool: &sync.Pool{},
		Error: func(w http.ResponseWriter, _ *http.Request, status int, reason error) {
			code := wire.CodeBadRequest
			if status == http.StatusForbidden {
				code = wire.CodeForbidden
			}
			writeError(w, wire.NewError(code, reason.Error()))
		},
	}
	s.metrics, err = newMetrics(s)
	if err != nil {
		return nil, fmt.Errorf("signaling: register metrics: %w", err)
	}
	if s.handler, err = s.routes(); err != nil {
		return nil, err
	}
	if s.poller, err = newPoller(); err != nil {
		s.log.Debug("sessions that wait have a goroutine each", "err", err)
	}
	s.hub = newHub(&s.cfg, s.metrics)
	err = s.hub.restore(cfg.Rooms)
	go s.hub.sweep()
	if err != nil {
		return nil, fmt.Errorf("signaling: %w", errors.Join(err, s.Shutdown(context.Background())))
	}
	return s, nil
}

// Handler returns what the server answers HTTP with: every path, unknown ones
// included.
func (s *Server) Handler() http.Handler { return s.handler }

// Shutdown ends the server: readiness turns to 503 and every resource refuses,
// everybody gets a goodbye, all media is closed, and all goroutines have ended
// when it returns nil. If ctx is over before, the connections that are left are
// cut, and the error says so; then some goroutines may take a moment longer. The media engine and the HTTP server are the
// caller's to close, in this order: Shutdown, HTTP server, engine.
func (s *Server) Shutdown(ctx context.Context) error {
	s.draining.Store(true)
	err := s.hub.shutdown(ctx)

	s.mu.Lock()
	for session := range s.sessions {
		session.out.finish(wire.GoodbyeShutdown)
	}
	s.mu.Unlock()

	done := make(chan struct{})
	go func() {
		defer close(done)
		s.running.Wait()
	}()
	defer s.disband()
	select {
	case <-done:
		s.disband()
		s.crew.hands.Wait() // they have nothing to do any more
		return err
	case <-ctx.Done():
	}
	s.mu.Lock()
	left := len(s.sessions)
	for session := range s.sessions {
		session.out.abort()
	}
	s.mu.Unlock()
	// Cut connections end at once; what a slow HTTP request still holds up is not
	// waited for.
	grace := time.NewTimer(cutGrace)
	defer grace.Stop()
	select {
	case <-done:
	case <-grace.C:
	}
	return errors.Join(err, fmt.Errorf("%d connections were cut: %w", left, ctx.Err()))
}

// disband lets the goroutines go that served the sessions.
func (s *Server) disband() {
	if s.poller != nil {
		s.poller.close()
	}
	s.crew.close()
}

// begin counts a request that Shutdown waits for. It fails while shutting down;
// otherwise the caller calls s.running.Done.
func (s *Server) begin() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.draining.Load() {
		return errShuttingDown
	}
	s.running.Add(1)
	return nil
}

// websocket serves GET /ws.
func (s *Server) websocket(w http.ResponseWriter, r *http.Request) {
	if !websocket.IsWebSocketUpgrade(r) {
		writeError(w, wire.NewError(wire.CodeBadRequest, "this is a WebSocket; see docs/protocol.md"))
		return
	}
	from := s.limits.origin(r)
	if err := s.limits.connect(from); err != nil {
		s.refuse(w, err)
		return
	}
	upgraded := &hijacker{ResponseWriter: w}
	conn, err := s.upgrader.Upgrade(upgraded, r, nil)
	if err != nil {
		// The upgrader has answered.
		s.log.Debug("websocket upgrade refused", "err", err)
		return
	}
	// The session outlives the handler, for as long as which net/http would keep
	// its goroutine's stack and 8 KB of buffers.
	session := newSession(s, conn, upgraded.buffer, from)
	s.running.Add(1) // while the request still counts, too: Shutdown waits for both
	s.mu.Lock()
	s.sessions[session] = struct{}{}
	if s.draining.Load() {
		session.out.finish(wire.GoodbyeShutdown)
	}
	s.mu.Unlock()
	s.metrics.sessions.Inc()
	session.begin()
}

// sessionOver forgets a session that has ended.
func (s *Server) sessionOver(session *session) {
	s.mu.Lock()
	delete(s.sessions, session)
	s.mu.Unlock()
	s.metrics.sessions.Dec()
	session.logger().Debug("session over", "after", time.Since(session.start))
	s.running.Done()
}
