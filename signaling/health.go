package signaling

import (
	"net/http"

	"github.com/earshot-audio/earshot/signaling/wire"
)

// healthz tells that the process answers.
func (s *Server) healthz(w http.ResponseWriter, _ *http.Request) {
	writeJSON(w, http.StatusOK, map[string]string{"status": "ok", "version": s.cfg.Version})
}

// readyz tells whether the server takes new people.
func (s *Server) readyz(w http.ResponseWriter, _ *http.Request) {
	if s.draining.Load() {
		writeError(w, errShuttingDown)
		return
	}
	if err := s.store.Healthy(); err != nil {
		writeError(w, wire.NewError(wire.CodeUnavailable, "the server's store has failed; its log says why"))
		return
	}
	writeJSON(w, http.StatusOK, map[string]string{"status": "ready"})
}
