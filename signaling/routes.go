package signaling

import (
	"net/http"
	"strings"

	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/earshot-audio/earshot/signaling/api"
	"github.com/earshot-audio/earshot/signaling/apierr"
	"github.com/earshot-audio/earshot/signaling/nodes"
	"github.com/earshot-audio/earshot/signaling/whip"
	"github.com/earshot-audio/earshot/signaling/wire"
)

// routes lays out the paths. Those that watch the server work during a shutdown,
// too; the others refuse then.
func (s *Server) routes() (http.Handler, error) {
	media, err := whip.New(whip.Config{Endpoint: s.media, Log: s.log})
	if err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	route := func(path string, methods api.Methods) { mux.Handle(path, api.Route(s.log, methods)) }

	for path, handler := range s.api.Routes() {
		mux.Handle(path, s.counted(handler))
	}
	mux.Handle("/ws", s.counted(api.Route(s.log, api.Methods{http.MethodGet: s.protocol.Serve})))
	mux.Handle("/rooms/", s.sessions(media))
	route("/metrics", api.Get(promhttp.HandlerFor(s.cfg.Registry, promhttp.HandlerOpts{})))
	route("/operator", api.Methods{http.MethodGet: s.operatorFile})
	route("/operator/{file}", api.Methods{http.MethodGet: s.operatorFile})
	route("/operator/now", api.Methods{http.MethodGet: s.operatorView})
	route("/healthz", api.Methods{http.MethodGet: s.healthz})
	route("/readyz", api.Methods{http.MethodGet: s.readyz})
	page := api.Methods{http.MethodGet: s.index}
	if s.cfg.Page != nil {
		page = api.Get(s.cfg.Page)
		route("/app/", page)
	}
	route("/{$}", page)
	// The mux would redirect /rooms and /app to what is below them.
	for _, path := range []string{"/", "/rooms", "/app"} {
		mux.HandleFunc(path, s.notFound)
	}
	routed := http.Handler(mux)
	if s.cfg.Cluster != nil {
		operator := nodes.Operator{Nodes: s.cfg.Cluster, Principal: s.api.Principal}
		mux.Handle("/api/nodes", s.counted(api.Route(s.log, api.Methods{http.MethodGet: operator.List})))
		mux.Handle("/api/nodes/{node}/drain", s.counted(api.Route(s.log, api.Methods{http.MethodPost: operator.Drain, http.MethodDelete: operator.Undrain})))
		routed = s.cfg.Cluster.Route(mux)
		s.routed = s.guarded(routed)
	}
	return s.guarded(s.limited(s.forThisMachine(s.behindProxies(routed)))), nil
}

// notFound answers a request for nothing that there is: a browser's with a page, a
// program's with JSON. Only browsers accept HTML that they have not asked for.
func (s *Server) notFound(w http.ResponseWriter, r *http.Request) {
	reads := r.Method == http.MethodGet || r.Method == http.MethodHead
	if s.cfg.Page != nil && reads && strings.Contains(r.Header.Get("Accept"), "text/html") {
		s.cfg.Page.ServeHTTP(w, r)
		return
	}
	apierr.Write(w, s.log, wire.NewError(wire.CodeNotFound, ""))
}

// guarded adds the headers that every answer has. It refuses a path that is not in
// its clean form, or is none ("GET A: HTTP/1.1"), which the mux would redirect.
func (s *Server) guarded(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		header := w.Header()
		header.Set("X-Content-Type-Options", "nosniff")
		header.Set("Referrer-Policy", "no-referrer")
		header.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
		header.Set("Cache-Control", "no-store")
		if path := r.URL.Path; !strings.HasPrefix(path, "/") || strings.Contains(path, "//") || strings.Contains(path, "/./") || strings.Contains(path, "/../") ||
			strings.HasSuffix(path, "/.") || strings.HasSuffix(path, "/..") {
			s.notFound(w, r)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// counted counts a request for Shutdown, and refuses it during a shutdown.
func (s *Server) counted(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := s.requests.begin(); err != nil {
			w.Header().Set("Connection", "close")
			apierr.Write(w, s.log, err)
			return
		}
		defer s.requests.end()
		next.ServeHTTP(w, r)
	})
}

// sessions serves WHIP and WHEP. What other servers of a cluster ask for, of sessions that are left here of rooms that have moved
// there, is served during a shutdown, too: the cluster waits for it.
func (s *Server) sessions(media http.Handler) http.Handler {
	counted := s.counted(media)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if nodes.AskedByNode(r) {
			media.ServeHTTP(w, r)
			return
		}
		counted.ServeHTTP(w, r)
	})
}

// index serves the root of a server without a page: what this is.
func (s *Server) index(w http.ResponseWriter, _ *http.Request) error {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	_, _ = w.Write([]byte("earshot " + s.cfg.Version + ": rooms to listen and talk in. " +
		"/ws (signaling), /api/rooms, /rooms/{room}/whip, /rooms/{room}/whep, /metrics, /healthz, /readyz\n"))
	return nil
}
