package signaling

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"github.com/earshot-audio/earshot/room"
	"github.com/earshot-audio/earshot/signaling/access"
	"github.com/earshot-audio/earshot/signaling/api"
	"github.com/earshot-audio/earshot/signaling/apierr"
	"github.com/earshot-audio/earshot/signaling/auth"
	"github.com/earshot-audio/earshot/signaling/club"
	"github.com/earshot-audio/earshot/signaling/front"
	"github.com/earshot-audio/earshot/signaling/liveroom"
	"github.com/earshot-audio/earshot/signaling/nodes"
	"github.com/earshot-audio/earshot/signaling/panel"
	"github.com/earshot-audio/earshot/signaling/protocol"
	"github.com/earshot-audio/earshot/signaling/ws"
	"github.com/earshot-audio/earshot/store"
)

// Server is the signaling of one process. Make it with [New], serve its
// [Server.Handler], and end it with [Server.Shutdown]. It is safe for concurrent
// use. It has many methods because each path that is served is one.
type Server struct {
	cfg Config
	log *slog.Logger

	rooms       *liveroom.Registry
	connections *ws.Server
	protocol    *protocol.Service
	media       mediaEndpoint
	api         *api.API
	panel       panel.History
	front       *front.Front
	handler     http.Handler
	routed      http.Handler // of what other nodes pass on; nil without a cluster
	requests    requests
}

// New makes a server. It opens no socket: the caller serves its Handler. The error
// joins everything that is wrong with the configuration.
func New(cfg Config) (*Server, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	s := &Server{cfg: cfg, log: cfg.Log}
	if err := s.registerProcess(); err != nil {
		return nil, fmt.Errorf("signaling: register metrics: %w", err)
	}
	if s.front, err = front.New(front.Config{
		Max: cfg.MaxConnections, Proxies: cfg.TrustedProxies, ProxyProtocol: cfg.ProxyProtocol, HeaderWait: cfg.RequestWait,
		Log: cfg.Log, Registry: cfg.Registry,
	}); err != nil {
		return nil, fmt.Errorf("signaling: %w", err)
	}
	metrics, err := ws.NewMetrics(cfg.Registry)
	if err != nil {
		return nil, fmt.Errorf("signaling: register metrics: %w", err)
	}
	if s.rooms, err = liveroom.NewRegistry(cfg.rooms(), cfg.Rooms); err != nil {
		return nil, fmt.Errorf("signaling: %w", err)
	}
	s.connections = ws.NewServer(cfg.connections(metrics))

	authenticator := auth.New(auth.Config{
		Open: cfg.Open, OperatorToken: cfg.OperatorToken, OperatorDigest: cfg.OperatorDigest, Key: cfg.Key,
		TokenTTL: cfg.TokenTTL, RefreshTTL: cfg.RefreshTTL, Store: cfg.Store, Clock: cfg.Clock,
	})
	limiter := auth.NewLimiter(cfg.Limits, cfg.Clock)
	policy := &access.Policy{Open: cfg.Open, Rooms: s.rooms, Sponsors: sponsors(cfg.Store)}
	s.protocol = &protocol.Service{
		Connections: s.connections, Metrics: metrics, Auth: authenticator, Limiter: limiter, Access: policy, Rooms: s.rooms,
		Version: cfg.Version, MaxMalformed: cfg.MaxMalformed, Log: cfg.Log,
	}
	if cfg.Cluster != nil {
		s.protocol.Elsewhere = cfg.Cluster.Elsewhere
	}
	s.media = mediaEndpoint{auth: authenticator, limiter: limiter, access: policy, rooms: s.rooms, log: cfg.Log}
	s.api = &api.API{
		Open: cfg.Open, Auth: authenticator, Limiter: limiter, Access: policy, Rooms: s.rooms, PublicURL: cfg.PublicURL, Log: cfg.Log,
		Languages: cfg.Languages,
		Club: &club.Club{
			Store: cfg.Store, Rooms: s.rooms, Auth: authenticator, Access: policy, Limiter: limiter,
			Invites: cfg.Invites, MaxMembers: cfg.MaxMembers, Clock: cfg.Clock,
		},
	}
	s.api.NotFound = s.notFound
	if cfg.Cluster != nil {
		s.api.Club.LoggedIn, s.api.Club.Deleted, s.api.Counted = cfg.Cluster.LoggedIn, cfg.Cluster.Deleted, nodes.AskedByNode
	}
	if s.handler, err = s.routes(); err != nil {
		return nil, errors.Join(err, s.Shutdown(context.Background()))
	}
	return s, nil
}

// sponsors returns who brought accounts into the club, as a store has it.
func sponsors(kept *store.Store) func(account string) []room.Sponsor {
	return func(account string) (all []room.Sponsor) {
		lineage, _ := kept.Lineage(account)
		for i, a := range lineage {
			by := strings.Fields(a.Sponsors)
			if i+1 < len(lineage) {
				by = append(by, lineage[i+1].ID)
			}
			for _, id := range by {
				all = append(all, room.Sponsor{Account: id, At: a.Created})
			}
		}
		return all
	}
}

// Join makes the server one of its cluster, with the rooms that no other node has. It is
// called once, before the server is served.
//
// url is where clients reach this very server, if its configuration does not say.
func (s *Server) Join(ctx context.Context, url string) error {
	return s.cfg.Cluster.Join(ctx, url, s.rooms, s.cfg.Media, s.api.Auth, s.routed)
}

// registerProcess registers the metrics of Go and the process. A registry that was
// given may have them already.
func (s *Server) registerProcess() error {
	for _, c := range []prometheus.Collector{
		collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
	} {
		var already prometheus.AlreadyRegisteredError
		if err := s.cfg.Registry.Register(c); err != nil && !errors.As(err, &already) {
			return err
		}
	}
	return nil
}

// Handler returns the handler of all paths, unknown ones included.
func (s *Server) Handler() http.Handler { return s.handler }

// FirstInvite makes an invite to the club if it has no members, see [club.Club.FirstInvite].
func (s *Server) FirstInvite(ctx context.Context, ttl time.Duration) (code string, err error) {
	return s.api.Club.FirstInvite(ctx, ttl)
}

// Shutdown ends the server: readiness turns to 503 and every resource refuses,
// everybody gets a goodbye and all media is closed. When it returns nil, all
// goroutines have ended. If ctx is over before, the connections that are left are
// cut, and the error says so; some goroutines may then take a moment longer.
//
// The caller closes the HTTP server after Shutdown, and then the media engine.
func (s *Server) Shutdown(ctx context.Context) error {
	var err error
	if s.cfg.Cluster != nil {
		err = s.drain(ctx)
	}
	s.requests.close()
	if s.cfg.Cluster != nil {
		err = errors.Join(err, s.cfg.Cluster.Leave(ctx))
	}
	err = errors.Join(err, s.rooms.Shutdown(ctx))
	return errors.Join(err, s.connections.Shutdown(ctx), s.requests.wait(ctx))
}

// drain moves the ears of other servers' rooms away, while everything else goes on. It takes
// no more than half of the time that there is.
func (s *Server) drain(ctx context.Context) error {
	if until, limited := ctx.Deadline(); limited {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, time.Until(until)/2)
		defer cancel()
	}
	return s.cfg.Cluster.Drain(ctx)
}

// requestGrace is how long a shutdown that has run out of time waits for requests
// whose connections have been cut.
const requestGrace = time.Second

// requests counts the HTTP requests under way, for Shutdown. It is safe for
// concurrent use.
type requests struct {
	mu      sync.Mutex
	closed  bool
	running sync.WaitGroup
}

// begin counts a request, for which the caller calls end. It fails after close.
func (r *requests) begin() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return apierr.ErrShuttingDown
	}
	r.running.Add(1)
	return nil
}

func (r *requests) end() { r.running.Done() }

func (r *requests) close() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.closed = true
}

func (r *requests) isClosed() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.closed
}

// wait waits until no request is under way, and a moment longer than ctx at most.
func (r *requests) wait(ctx context.Context) error {
	done := make(chan struct{})
	go func() {
		defer close(done)
		r.running.Wait()
	}()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
	}
	grace := time.NewTimer(requestGrace)
	defer grace.Stop()
	select {
	case <-done:
		return nil
	case <-grace.C:
		return fmt.Errorf("requests are still under way: %w", ctx.Err())
	}
}
