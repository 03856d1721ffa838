package signaling

import (
	"net/http"
	"slices"
	"strings"

	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/earshot-audio/earshot/signaling/wire"
)

// methods maps the methods of one path to what serves them.
type methods map[string]http.HandlerFunc

// ServeHTTP answers a method that is not there with 405 and the ones that are
// (RFC 9110 §15.5.6). HEAD is served by GET; net/http leaves out the body.
func (m methods) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	method := r.Method
	if method == http.MethodHead {
		method = http.MethodGet
	}
	if serve, ok := m[method]; ok {
		serve(w, r)
		return
	}
	allowed := make([]string, 0, len(m)+1)
	for name := range m {
		allowed = append(allowed, name)
		if name == http.MethodGet {
			allowed = append(allowed, http.MethodHead)
		}
	}
	slices.Sort(allowed)
	w.Header().Set("Allow", strings.Join(allowed, ", "))
	writeError(w, wire.NewError(wire.CodeMethodNotAllowed, ""))
}

// routes lays out the paths. Those for people who watch the server work also
// while it shuts down; the others refuse then.
func (s *Server) routes() (http.Handler, error) {
	media, err := s.mediaHandler()
	if err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	mux.Handle("/ws", s.serving(methods{http.MethodGet: s.websocket}))
	mux.Handle("/api/rooms", s.serving(methods{http.MethodGet: s.listRooms, http.MethodPost: s.createRoom}))
	mux.Handle("/api/rooms/{room}", s.serving(methods{http.MethodGet: s.showRoom, http.MethodDelete: s.endRoom}))
	mux.Handle("/api/rooms/{room}/invites", s.serving(methods{http.MethodGet: s.roomInvites, http.MethodPost: s.inviteToRoom}))
	mux.Handle("/api/rooms/{room}/members", s.serving(methods{http.MethodGet: s.listMembers}))
	mux.Handle("/api/rooms/{room}/members/{member}", s.serving(methods{http.MethodDelete: s.kickMember}))
	mux.Handle("/api/rooms/{room}/members/{member}/mute", s.serving(methods{http.MethodPost: s.muteMember}))
	mux.Handle("/api/rooms/{room}/audit", s.serving(methods{http.MethodGet: s.roomTrail}))
	mux.Handle("/api/invites", s.serving(methods{http.MethodGet: s.listInvites, http.MethodPost: s.inviteToClub}))
	mux.Handle("/api/invites/{code}", s.serving(methods{http.MethodGet: s.lookAtInvite, http.MethodDelete: s.revokeInvite}))
	mux.Handle("/api/invites/{code}/redeem", s.serving(methods{http.MethodPost: s.redeem}))
	mux.Handle("/api/login", s.serving(methods{http.MethodPost: s.login}))
	mux.Handle("/api/refresh", s.serving(methods{http.MethodPost: s.refresh}))
	mux.Handle("/api/me", s.serving(methods{http.MethodGet: s.me}))
	mux.Handle("/api/audit", s.serving(methods{http.MethodGet: s.trail}))
	mux.Handle("/rooms/", s.serving(media))
	mux.Handle("/metrics", methods{http.MethodGet: promhttp.HandlerFor(s.metrics.registry, promhttp.HandlerOpts{}).ServeHTTP})
	mux.Handle("/operator", methods{http.MethodGet: s.operatorFile})
	mux.Handle("/operator/{file}", methods{http.MethodGet: s.operatorFile})
	mux.Handle("/operator/now", methods{http.MethodGet: s.operatorNow})
	mux.Handle("/healthz", methods{http.MethodGet: s.healthz})
	mux.Handle("/readyz", methods{http.MethodGet: s.readyz})
	page := methods{http.MethodGet: s.front}
	if s.cfg.Page != nil {
		page = methods{http.MethodGet: s.cfg.Page.ServeHTTP}
		mux.Handle("/app/", page)
	}
	mux.Handle("/{$}", page)
	nothing := func(w http.ResponseWriter, _ *http.Request) {
		writeError(w, wire.NewError(wire.CodeNotFound, ""))
	}
	mux.HandleFunc("/", nothing)
	// The mux would redirect these to what stands under them.
	mux.HandleFunc("/rooms", nothing)
	mux.HandleFunc("/app", nothing)
	return guarded(mux), nil
}

// guarded adds the headers every answer has, and refuses a path that is not in
// its clean form, or that is none ("GET A: HTTP/1.1"), which the mux would answer
// with a redirect to another.
func guarded(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		header := w.Header()
		header.Set("X-Content-Type-Options", "nosniff")
		header.Set("Referrer-Policy", "no-referrer")
		header.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
		header.Set("Cache-Control", "no-store")
		if path := r.URL.Path; !strings.HasPrefix(path, "/") || strings.Contains(path, "//") || strings.Contains(path, "/./") || strings.Contains(path, "/../") ||
			strings.HasSuffix(path, "/.") || strings.HasSuffix(path, "/..") {
			writeError(w, wire.NewError(wire.CodeNotFound, ""))
			return
		}
		next.ServeHTTP(w, r)
	})
}

// serving counts a request for Shutdown, or refuses it while shutting down.
func (s *Server) serving(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := s.begin(); err != nil {
			w.Header().Set("Connection", "close")
			writeError(w, refuse(s.log, err))
			return
		}
		defer s.running.Done()
		next.ServeHTTP(w, r)
	})
}

// front serves the root of a server without a page: what this is.
func (s *Server) front(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	_, _ = w.Write([]byte("earshot " + s.cfg.Version + ": rooms to listen and talk in. " +
		"/ws (signaling), /api/rooms, /rooms/{room}/whip, /rooms/{room}/whep, /metrics, /healthz, /readyz\n"))
}
