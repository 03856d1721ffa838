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

// entityTag returns the strong entity-tag of a session's present ICE session (RFC 9725,
// section 4.3.1), which has these credentials of the client: 72 bits of a hash, which
// reveals nothing of the password.
func entityTag(id string, ice sdp.Credentials) string {
	sum := sha256.Sum256([]byte(strings.Join([]string{"etag", id, ice.Ufrag, ice.Pwd}, "\x00")))
	return `"` + base64.RawURLEncoding.EncodeToString(sum[:9]) + `"`
}

// find returns the session of a request.
func (h *Handler) find(kind Kind, r *http.Request) (Resource, error) {
	token, err := bearer(r)
	if err != nil {
		return nil, err
	}
	return h.cfg.Endpoint.Find(kind, r.PathValue("room"), r.PathValue("session"), token)
}

// end serves DELETE. It ignores entity-tags (RFC 9725, section 4.3.1).
func (h *Handler) end(kind Kind, w http.ResponseWriter, r *http.Request) error {
	res, err := h.find(kind, r)
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

// patch serves PATCH: candidates that the client found after its offer, or a restart of
// ICE. A fragment with other credentials than those of the present ICE session is a
// restart (RFC 9725, section 4.3.3).
//
// The body is checked before the precondition, which counts only for requests that
// would otherwise succeed (RFC 9110, section 13.2.1), and the precondition before
// the restart, so that an outdated request is refused as outdated.
func (h *Handler) patch(kind Kind, w http.ResponseWriter, r *http.Request) error {
	res, err := h.find(kind, r)
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
	ice := res.ICE()
	if err := precondition(r.Header.Values("If-Match"), entityTag(res.ID(), ice)); err != nil {
		return err
	}
	if frag.ICE != (sdp.Credentials{}) && frag.ICE != ice {
		return restart(w, res, frag, text)
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

// restart answers a fragment that restarts ICE. The entity-tag is that of the new ICE
// session from then on.
func restart(w http.ResponseWriter, res Resource, frag sdp.Fragment, text string) error {
	answer, err := res.Restart(text)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", typeFragment)
	w.Header().Set("ETag", entityTag(res.ID(), frag.ICE))
	w.WriteHeader(http.StatusOK)
	_, _ = w.Write([]byte(answer)) // a client that is gone restarts again
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
