package whip

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"strings"

	"github.com/earshot-audio/earshot/internal/sdp"
	"github.com/earshot-audio/earshot/signaling/wire"
)

// segment is the last segment of a session's URL: its id, a dot, and a mark of
// the client's ICE credentials. A PATCH with other credentials asks for an ICE
// restart (RFC 9725 §4.3.3), whatever its If-Match; the mark in the URL tells
// one from a trickle without any state kept beside the session's own. It is a
// hash and tells nothing of the password.
func segment(id string, ice sdp.Credentials) string {
	return id + "." + digest("ice", id, ice.Ufrag, ice.Pwd)
}

// entityTag is the strong entity-tag of a session's ICE session (RFC 9725
// §4.3.1). As there are no restarts, there is one a session.
func entityTag(id string) string { return `"` + digest("etag", id) + `"` }

// digest is 72 bits of a hash, in characters that URLs and tags can have.
func digest(parts ...string) string {
	sum := sha256.Sum256([]byte(strings.Join(parts, "\x00")))
	return base64.RawURLEncoding.EncodeToString(sum[:9])
}

// find returns the session of the request and the mark of its client's ICE
// credentials, or has answered with an error.
func (h *Handler) find(kind Kind, w http.ResponseWriter, r *http.Request) (Resource, string, bool) {
	token, err := bearer(r)
	if err != nil {
		h.refuse(w, r, err)
		return nil, "", false
	}
	name := r.PathValue("session")
	dot := strings.LastIndexByte(name, '.')
	if dot < 0 {
		h.refuse(w, r, wire.NewError(wire.CodeNotFound, ""))
		return nil, "", false
	}
	res, err := h.cfg.Endpoint.Find(kind, r.PathValue("room"), name[:dot], token)
	if err != nil {
		h.refuse(w, r, err)
		return nil, "", false
	}
	return res, name[dot+1:], true
}

// end answers DELETE. Entity-tags are ignored there (RFC 9725 §4.3.1).
func (h *Handler) end(kind Kind, w http.ResponseWriter, r *http.Request) {
	res, _, ok := h.find(kind, w, r)
	if !ok {
		return
	}
	// The client having hung up is no reason to leave the session half closed.
	if err := res.Close(context.WithoutCancel(r.Context())); err != nil {
		h.refuse(w, r, err)
		return
	}
	w.Header().Set("Content-Length", "0")
	w.WriteHeader(http.StatusOK)
}

// patch answers PATCH: candidates that the client found after its offer.
//
// The body is judged before the precondition, as a precondition counts only for
// requests that would otherwise succeed (RFC 9110 §13.2.1), and the precondition
// before the restart, so that an outdated request is told that it is outdated.
func (h *Handler) patch(kind Kind, w http.ResponseWriter, r *http.Request) {
	res, mark, ok := h.find(kind, w, r)
	if !ok {
		return
	}
	text, err := body(w, r, typeFragment, sdp.MaxFragment)
	if err != nil {
		h.refuse(w, r, err)
		return
	}
	frag, err := sdp.ParseFragment(text)
	if err != nil {
		h.refuse(w, r, wire.NewError(wire.CodeUnprocessable, "the SDP fragment is malformed: "+err.Error()))
		return
	}
	if err := precondition(r.Header.Values("If-Match"), entityTag(res.ID())); err != nil {
		h.refuse(w, r, err)
		return
	}
	if frag.ICE != (sdp.Credentials{}) && digest("ice", res.ID(), frag.ICE.Ufrag, frag.ICE.Pwd) != mark {
		h.refuse(w, r, wire.NewError(wire.CodeUnprocessable,
			"ICE restarts are not supported; the session goes on, open another for a new one"))
		return
	}
	if usable := frag.Usable(); usable != "" {
		if err := res.AddCandidate(usable); err != nil {
			h.refuse(w, r, err)
			return
		}
	}
	// No body and no ETag (RFC 9725 §4.3.2).
	w.WriteHeader(http.StatusNoContent)
}

// precondition judges If-Match (RFC 9110 §13.1.1) by strong comparison: a weak
// tag never matches, and a tag without quotes is none. "*" in quotes is taken
// for the bare one, as that is how the examples of RFC 9725 spell it.
func precondition(values []string, tag string) error {
	if len(values) == 0 {
		return wire.NewError(wire.CodePreconditionRequired, "send If-Match with the session's ETag")
	}
	for _, value := range values {
		for want := range strings.SplitSeq(value, ",") {
			switch strings.Trim(want, " \t") {
			case tag, "*", `"*"`:
				return nil
			}
		}
	}
	return wire.NewError(wire.CodePreconditionFailed, "If-Match does not name the present ICE session")
}
