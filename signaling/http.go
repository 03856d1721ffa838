package signaling

import (
	"log/slog"
	"net"
	"net/http"
	"strings"

	"github.com/earshot-audio/earshot/signaling/apierr"
	"github.com/earshot-audio/earshot/signaling/auth"
	"github.com/earshot-audio/earshot/signaling/front"
)

const (
	// maxHeader is the longest request header in bytes: a token of
	// [wire.MaxToken] and what browsers send, several times over.
	maxHeader = 32 << 10
	// idleWaits is how many times RequestWait a connection may be idle between
	// two requests.
	idleWaits = 6
	// answerWaits is how many times RequestWait there is for a request and its
	// answer in all: ending a room waits until its media is closed.
	answerWaits = 6
)

// HTTP returns an HTTP server for the handler, which the caller serves and closes. Its
// time limits bound how long a client can hold a connection that sends nothing, or
// little, or does not read. WebSockets have deadlines of their own. A response that
// takes longer than six times RequestWait has to extend its deadline with an
// http.ResponseController.
func (s *Server) HTTP() *http.Server {
	wait := s.cfg.RequestWait
	server := &http.Server{
		Handler:           s.handler,
		ReadHeaderTimeout: wait, // the TLS handshake has as long
		ReadTimeout:       wait,
		WriteTimeout:      answerWaits * wait,
		IdleTimeout:       idleWaits * wait,
		MaxHeaderBytes:    maxHeader,
		ErrorLog:          slog.NewLogLogger(s.log.Handler(), slog.LevelDebug),
	}
	s.front.Attach(server)
	return server
}

// Listen returns a listener for [Server.HTTP], which bounds how many connections there are
// and learns from proxies who the clients are.
func (s *Server) Listen(l *net.TCPListener) net.Listener { return s.front.Listen(l) }

// limited refuses a request if there are too many connections. What watches the server
// and the operator get in when nobody else does.
func (s *Server) limited(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		end, err := s.front.Begin(r, s.class)
		if err != nil {
			w.Header().Set("Connection", "close")
			w.Header().Set("Retry-After", "10")
			apierr.Write(w, s.log, err)
			return
		}
		defer end()
		next.ServeHTTP(w, r)
	})
}

// class returns what a request may use of the connections.
func (s *Server) class(r *http.Request) front.Class {
	if token, err := auth.Bearer(r); err == nil && token != "" {
		if who, err := s.api.Auth.Authenticate(token); err == nil && who.Operator {
			return front.Operator
		}
	}
	switch path, _, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/"); path {
	case "healthz", "readyz", "metrics", "operator":
		return front.Monitoring
	}
	return front.Anybody
}
