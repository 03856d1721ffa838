package whip

import (
	"context"
	"net/http"
	"net/url"
	"strconv"

	"github.com/earshot-audio/earshot/internal/sdp"
)

// open serves POST on an endpoint: an offer in, a session and its answer out.
//
// Accept is ignored, as RFC 9110, section 12.5.1, allows: the answer is SDP or
// nothing. A 406 would mean something else to a WHEP player, which must read its
// body as the server's counter-offer.
func (h *Handler) open(kind Kind, w http.ResponseWriter, r *http.Request) error {
	token, err := bearer(r)
	if err != nil {
		return err
	}
	text, err := body(w, r, typeSDP, h.cfg.MaxOffer)
	if err != nil {
		return err
	}
	if _, err := checkOffer(kind, text); err != nil {
		return err
	}
	room := r.PathValue("room")
	res, err := h.cfg.Endpoint.Open(r.Context(), kind, room, token, r, text)
	if err != nil {
		return err
	}
	if r.Context().Err() != nil {
		// The client will never learn the session's URL. Its seat would stay taken until
		// the media times out.
		h.discard(r, res)
		return nil
	}

	answer := sdp.ExclusiveMux(res.Answer())
	head := w.Header()
	head.Set("Location", "/rooms/"+url.PathEscape(room)+"/"+kind.String()+"/"+url.PathEscape(res.ID()))
	head.Set("ETag", entityTag(res.ID(), res.ICE()))
	head.Set("Accept-Patch", typeFragment)
	for _, link := range h.links {
		head.Add("Link", link)
	}
	head.Set("Content-Type", typeSDP)
	head.Set("Content-Length", strconv.Itoa(len(answer)))
	w.WriteHeader(http.StatusCreated)
	if _, err := w.Write([]byte(answer)); err != nil {
		h.discard(r, res)
	}
	return nil
}

// discard closes a session that the client could not be told of.
func (h *Handler) discard(r *http.Request, res Resource) {
	if err := res.Close(context.WithoutCancel(r.Context())); err != nil {
		h.cfg.Log.ErrorContext(r.Context(), "whip session not closed", "session", res.ID(), "error", err)
	}
}
