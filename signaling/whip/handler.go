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
// It is safe for concurrent use, starts no goroutines and needs no closing. The
// state of sessions is its [Endpoint]'s.
type Handler struct {
	cfg   Config
	links []string
	mux   *http.ServeMux
}

// New makes a handler. An error says what to change in the configuration.
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

// Register adds the handler's routes to mux, for all methods: it refuses wrong ones
// in the form that all errors have. A mux that also has a pattern such as "GET /"
// panics, because neither is more specific than the other. Mount the handler itself
// at "/rooms/" there.
func (h *Handler) Register(mux *http.ServeMux) {
	for _, kind := range []Kind{Publish, Play} {
		mux.HandleFunc("/rooms/{room}/"+kind.String(), h.serve(h.endpoint(kind)))
		mux.HandleFunc("/rooms/{room}/"+kind.String()+"/{session}", h.serve(h.session(kind)))
	}
}

// ServeHTTP serves the routes by themselves, and answers 404 to other paths.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if _, pattern := h.mux.Handler(r); pattern == "" {
		setCommonHeaders(w)
		h.writeError(w, r, wire.NewError(wire.CodeNotFound, ""))
		return
	}
	h.mux.ServeHTTP(w, r)
}

// handlerFunc serves a request, or returns the error that refuses it. It has written
// nothing but headers when it returns an error.
type handlerFunc func(w http.ResponseWriter, r *http.Request) error

// serve sets the headers of every answer and writes the errors of a handler.
func (h *Handler) serve(f handlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		setCommonHeaders(w)
		if err := f(w, r); err != nil {
			h.writeError(w, r, err)
		}
	}
}

// endpoint serves the URL to which offers are posted.
func (h *Handler) endpoint(kind Kind) handlerFunc {
	return func(w http.ResponseWriter, r *http.Request) error {
		switch r.Method {
		case http.MethodPost:
			return h.open(kind, w, r)
		case http.MethodOptions:
			options(w, endpointMethods, "Accept-Post", typeSDP)
		case http.MethodGet, http.MethodHead:
			probe(kind, w)
		default:
			return wrongMethod(w, endpointMethods)
		}
		return nil
	}
}

// session serves the URL of one session.
func (h *Handler) session(kind Kind) handlerFunc {
	return func(w http.ResponseWriter, r *http.Request) error {
		switch r.Method {
		case http.MethodPatch:
			return h.patch(kind, w, r)
		case http.MethodDelete:
			return h.end(kind, w, r)
		case http.MethodOptions:
			options(w, sessionMethods, "Accept-Patch", typeFragment)
		case http.MethodGet, http.MethodHead:
			// Nothing is specified to be shown of a session (RFC 9725, section 4.1), but
			// only an existing one may report success.
			if _, err := h.find(kind, r); err != nil {
				return err
			}
			w.WriteHeader(http.StatusNoContent)
		default:
			return wrongMethod(w, sessionMethods)
		}
		return nil
	}
}

// probe answers GET and HEAD on an endpoint: success and no content (RFC 9725,
// section 4.1). WHEP players may recognize a WHEP endpoint by the content type
// (draft-04, "WHEP Endpoint URL Discoverability"), so a WHIP endpoint must not have
// it.
func probe(kind Kind, w http.ResponseWriter) {
	if kind == Play {
		w.Header().Set("Content-Type", typeSDP)
		w.Header().Set("Content-Length", "0")
		w.WriteHeader(http.StatusOK)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

func wrongMethod(w http.ResponseWriter, allowed string) error {
	w.Header().Set("Allow", allowed)
	return wire.NewError(wire.CodeMethodNotAllowed, "")
}
