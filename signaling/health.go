package signaling

import (
	"net/http"

	"github.com/earshot-audio/earshot/signaling/apierr"
	"github.com/earshot-audio/earshot/signaling/wire"
)

// healthz serves liveness: the process answers.
func (s *Server) healthz(w http.ResponseWriter, _ *http.Request) error {
	apierr.WriteJSON(w, http.StatusOK, map[string]string{"status": "ok", "version": s.cfg.Version})
	return nil
}

// readyz serves readiness: whether the server takes new people.
func (s *Server) readyz(w http.ResponseWriter, r *http.Request) error {
	if s.requests.isClosed() {
		return apierr.ErrShuttingDown
	}
	if s.front.Full(r) {
		return wire.NewError(wire.CodeUnavailable, "the server has as many connections as it can hold")
	}
	if s.cfg.Cluster != nil {
		if err := s.cfg.Cluster.Ready(); err != nil {
			return err
		}
	}
	if err := s.cfg.Store.Healthy(); err != nil {
		if refusal, known := apierr.Lookup(err); known {
			return refusal
		}
		return wire.NewError(wire.CodeUnavailable, "the server's store has failed; its log says why")
	}
	apierr.WriteJSON(w, http.StatusOK, map[string]string{"status": "ready"})
	return nil
}
