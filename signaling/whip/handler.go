package whip

import (
	"net/http"

	"github.com/earshot-audio/earshot/signaling/wire"
)

const (
	typeSDP      = "application/sdp"
	typeFragment = "application/trickle-ice-sdpfrag"
)

const (
	endpointMethods = "GET, HEAD, OPTIONS, POST"
	sessionMethods  = "DELETE, GET, HEAD, OPTIONS, PATCH"
)

// Handler serves both protocols under /rooms/{room}/whip and /rooms/{room}/whep.
// It is safe for concurrent use, starts no goroutines and needs no closing. It
// keeps no state of sessions: that is its [Endpoint]'s.
type Handler struct {
	cfg   Config
	links []string
	mux   *http.ServeMux
}

// New makes a handler. It returns an error for a configuration that cannot be
// meant, saying what to change.
func New(cfg Config) (*Handler, error) {
	cfg, err := cfg.check()
	if err != nil {
		return nil, err
	}
	h := &Handler{cfg: cfg, mux: http.NewServeMux()}
	for _, s := range cfg.ICEServers {
		link, err := s.link()
		if err != nil {
			return nil, err
		}
		h.links = append(h.links, link)
	}
	h.Register(h.mux)
	return h, nil
}

// Register adds the handler's routes to mux, for all methods, so that it can
// refuse the ones that do not belong there in the form that all errors have. A
// mux that also has a pattern such as "GET /" panics at that, as neither is more
// specific than the other: mount the handler itself at "/rooms/" there.
func (h *Handler) Register(mux *http.ServeMux) {
	for _, kind := range []Kind{Publish, Play} {
		mux.HandleFunc("/rooms/{room}/"+kind.String(), h.endpoint(kind))
		mux.HandleFunc("/rooms/{room}/"+kind.String()+"/{session}", h.session(kind))
	}
}

// ServeHTTP serves the routes by themselves, and answers 404 to other paths.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if _, pattern := h.mux.Handler(r); pattern == "" {
		common(w)
		h.refuse(w, r, wire.NewError(wire.CodeNotFound, ""))
		return
	}
	h.mux.ServeHTTP(w, r)
}

// endpoint serves the URL to which offers are posted.
func (h *Handler) endpoint(kind Kind) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		common(w)
		switch r.Method {
		case http.MethodPost:
			h.open(kind, w, r)
		case http.MethodOptions:
			options(w, endpointMethods, "Accept-Post", typeSDP)
		case http.MethodGet, http.MethodHead:
			probe(kind, w)
		default:
			h.wrongMethod(w, r, endpointMethods)
		}
	}
}

// session serves the URL of one session.
func (h *Handler) session(kind Kind) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		common(w)
		switch r.Method {
		case http.MethodPatch:
			h.patch(kind, w, r)
		case http.MethodDelete:
			h.end(kind, w, r)
		case http.MethodOptions:
			options(w, sessionMethods, "Accept-Patch", typeFragment)
		case http.MethodGet, http.MethodHead:
			// Nothing is specified to be shown of a session (RFC 9725 §4.1), but
			// only an existing one may claim success.
			if _, _, ok := h.find(kind, w, r); ok {
				w.WriteHeader(http.StatusNoContent)
			}
		default:
			h.wrongMethod(w, r, sessionMethods)
		}
	}
}

// probe answers GET and HEAD on an endpoint: success and no content (RFC 9725
// §4.1). WHEP players may look for the content type to tell that a URL is a
// WHEP endpoint (draft-04, "WHEP Endpoint URL Discoverability"); a WHIP endpoint
// must therefore not show it.
func probe(kind Kind, w http.ResponseWriter) {
	if kind == Play {
		w.Header().Set("Content-Type", typeSDP)
		w.Header().Set("Content-Length", "0")
		w.WriteHeader(http.StatusOK)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

func (h *Handler) wrongMethod(w http.ResponseWriter, r *http.Request, allowed string) {
	w.Header().Set("Allow", allowed)
	h.refuse(w, r, wire.NewError(wire.CodeMethodNotAllowed, ""))
}
