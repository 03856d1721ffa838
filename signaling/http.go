package signaling

import (
	"log/slog"
	"net/http"
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
	return &http.Server{
		Handler:           s.handler,
		ReadHeaderTimeout: wait, // the TLS handshake has as long
		ReadTimeout:       wait,
		WriteTimeout:      answerWaits * wait,
		IdleTimeout:       idleWaits * wait,
		MaxHeaderBytes:    maxHeader,
		ErrorLog:          slog.NewLogLogger(s.log.Handler(), slog.LevelDebug),
	}
}
