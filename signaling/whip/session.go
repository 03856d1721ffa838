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

// segment returns the last segment of a session's URL: its ID, a dot, and a hash of
// the client's ICE credentials. A PATCH with other credentials asks for an ICE
// restart (RFC 9725, section 4.3.3), whatever its If-Match. The hash tells a restart
// from a trickle without any state besides the session's own, and reveals nothing
// about the password.
func segment(id string, ice sdp.Credentials) string {
	return id + "." + digest("ice", id, ice.Ufrag, ice.Pwd)
}

// entityTag returns the strong entity-tag of a session's ICE session (RFC 9725,
// section 4.3.1). There are no restarts, so a session has one.
func entityTag(id string) string { return `"` + digest("etag", id) + `"` }

// digest returns 72 bits of a hash, in characters that URLs and tags can have.
func digest(parts ...string) string {
	sum := sha256.Sum256([]byte(strings.Join(parts, "\x00")))
	return base64.RawURLEncoding.EncodeToString(sum[:9])
}

// find returns the session of a request and the hash of its client's ICE
// credentials.
func (h *Handler) find(kind Kind, r *http.Request) (res Resource, iceHash string, err error) {
	token, err := bearer(r)
	if err != nil {
		return nil, "", err
	}
	name := r.PathValue("session")
	dot := strings.LastIndexByte(name, '.')
	if dot < 0 {
		return nil, "", wire.NewError(wire.CodeNotFound, "")
	}
	res, err = h.cfg.Endpoint.Find(kind, r.PathValue("room"), name[:dot], token)
	if err != nil {
		return nil, "", err
	}
	return res, name[dot+1:], nil
}

// end serves DELETE. It ignores entity-tags (RFC 9725, section 4.3.1).
func (h *Handler) end(kind Kind, w http.ResponseWriter, r *http.Request) error {
	res, _, err := h.find(kind, r)
	if err != nil {
		return err
	}
	// Not canceled with the request: the session must not stay half closed.
	if err := res.Close(context.WithoutCancel(r.Context())); err != nil {
		return err
	}
	w.Header().Set("Content-Length", "0")
	w.WriteHeader(http.StatusOK)
	return nil
}

// patch serves PATCH: candidates that the client found after its offer.
//
// The body is checked before the precondition, which counts only for requests that
// would otherwise succeed (RFC 9110, section 13.2.1), and the precondition before
// the restart, so that an outdated request is refused as outdated.
func (h *Handler) patch(kind Kind, w http.ResponseWriter, r *http.Request) error {
	res, iceHash, err := h.find(kind, r)
	if err != nil {
		return err
	}
	text, err := body(w, r, typeFragment, sdp.MaxFragment)
	if err != nil {
		return err
	}
	frag, err := sdp.ParseFragment(text)
	if err != nil {
		return wire.NewError(wire.CodeUnprocessable, "the SDP fragment is malformed: "+err.Error())
	}
	if err := precondition(r.Header.Values("If-Match"), entityTag(res.ID())); err != nil {
		return err
	}
	if frag.ICE != (sdp.Credentials{}) && digest("ice", res.ID(), frag.ICE.Ufrag, frag.ICE.Pwd) != iceHash {
		return wire.NewError(wire.CodeUnprocessable,
			"ICE restarts are not supported; the session goes on, open another for a new one")
	}
	if usable := frag.Usable(); usable != "" {
		if err := res.AddCandidate(usable); err != nil {
			return err
		}
	}
	// No body and no ETag (RFC 9725, section 4.3.2).
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// precondition checks If-Match (RFC 9110, section 13.1.1) by strong comparison: a
// weak tag never matches, and neither does one without quotes. "*" in quotes counts
// as the bare one, because the examples of RFC 9725 spell it so.
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
