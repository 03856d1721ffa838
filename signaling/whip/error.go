package whip

import (
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"time"

	"github.com/earshot-audio/earshot/signaling/wire"
)

// writeError answers with an error in the form that all of the server's errors have.
// An error that is no wire.Error is logged, and the client learns only that the
// server failed.
func (h *Handler) writeError(w http.ResponseWriter, r *http.Request, err error) {
	var refusal wire.Error
	if !errors.As(err, &refusal) {
		refusal = wire.NewError(wire.CodeInternal, "")
		h.cfg.Log.ErrorContext(r.Context(), "whip request failed",
			"method", r.Method, "path", r.URL.Path, "error", err)
	}
	status := refusal.Code.Status()
	head := w.Header()

	switch status {
	case http.StatusUnauthorized:
		head.Set("WWW-Authenticate", challenge(h.cfg.Realm, r))
	case http.StatusTooManyRequests, http.StatusServiceUnavailable:
		head.Set("Retry-After", seconds(h.cfg.RetryAfter))
	case http.StatusUnsupportedMediaType:
		// What is supported (RFC 9110, section 15.5.16; RFC 5789, section 2.2).
		if r.Method == http.MethodPatch {
			head.Set("Accept-Patch", typeFragment)
		} else {
			head.Set("Accept-Post", typeSDP)
		}
	}
	var later retrier
	if errors.As(err, &later) {
		head.Set("Retry-After", seconds(later.RetryAfter()))
	}

	body, err := json.Marshal(wire.ErrorBody{Error: wire.ErrorDetail{Code: refusal.Code, Message: refusal.Message}})
	if err != nil {
		// Two strings always marshal. If not, the status is still right.
		h.cfg.Log.ErrorContext(r.Context(), "whip error not written", "error", err)
		w.WriteHeader(status)
		return
	}
	head.Set("Content-Type", "application/json")
	head.Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	_, _ = w.Write(body) // the client may be gone
}

// seconds formats a delay for Retry-After (RFC 9110, section 10.2.3), at least 1.
func seconds(d time.Duration) string {
	n := int64((d + time.Second - 1) / time.Second)
	return strconv.FormatInt(max(n, 1), 10)
}
