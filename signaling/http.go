package signaling

import (
	"log/slog"
	"net"
	"net/http"
	"strings"
	"time"

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
	// lastWait is how long who watches the server may take to read an answer while there
	// are no connections left.
	lastWait = time.Second
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
// and the operator get in when nobody else does. What watches it needs no token, so it
// gets one answer a connection then, and no time in which not to read it.
func (s *Server) limited(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		class := front.Anybody // which is not asked while there are enough
		end, err := s.front.Begin(r, func(r *http.Request) front.Class {
			class = s.class(r)
			return class
		})
		if err != nil {
			w.Header().Set("Connection", "close")
			w.Header().Set("Retry-After", "10")
			apierr.Write(w, s.log, err)
			return
		}
		defer end()
		if class == front.Monitoring || class == front.Health {
			w.Header().Set("Connection", "close")
			// Writers that support no deadline are tests' own.
			_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(lastWait))
		}
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
	case "healthz", "readyz":
		return front.Health
	case "metrics", "operator":
		return front.Monitoring
	}
	return front.Anybody
}
