package api

import (
	"log/slog"
	"net/http"
	"slices"
	"strings"

	"github.com/earshot-audio/earshot/signaling/apierr"
	"github.com/earshot-audio/earshot/signaling/wire"
)

// HandlerFunc serves a request, or returns the error that refuses it. It has written
// nothing when it returns an error.
type HandlerFunc func(w http.ResponseWriter, r *http.Request) error

// Methods maps the methods of a path to their handlers.
type Methods map[string]HandlerFunc

// Get is the Methods of a path that has GET only, served by an http.Handler.
func Get(h http.Handler) Methods {
	return Methods{http.MethodGet: func(w http.ResponseWriter, r *http.Request) error {
		h.ServeHTTP(w, r)
		return nil
	}}
}

// Route returns the handler of a path. It writes the errors of its handlers, and
// answers other methods with 405 and the list of those there are (RFC 9110, section
// 15.5.6). HEAD is served by GET; net/http leaves out the body.
func Route(log *slog.Logger, methods Methods) http.Handler {
	var allowed []string
	for name := range methods {
		allowed = append(allowed, name)
		if name == http.MethodGet {
			allowed = append(allowed, http.MethodHead)
		}
	}
	slices.Sort(allowed)
	allow := strings.Join(allowed, ", ")
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		method := r.Method
		if method == http.MethodHead {
			method = http.MethodGet
		}
		serve, ok := methods[method]
		if !ok {
			w.Header().Set("Allow", allow)
			apierr.Write(w, log, wire.NewError(wire.CodeMethodNotAllowed, ""))
			return
		}
		if err := serve(w, r); err != nil {
			apierr.Write(w, log, err)
		}
	})
}
