package api

import (
	"net/http"
	"strconv"

	"github.com/earshot-audio/earshot/signaling/apierr"
	"github.com/earshot-audio/earshot/signaling/wire"
	"github.com/earshot-audio/earshot/store"
)

// defaultAuditEntries is how many entries are shown if the request does not say.
const defaultAuditEntries = 100

// auditOfRoom serves GET /api/rooms/{room}/audit, for those who manage it. The
// operator gets it for a room that has ended, too.
func (a *API) auditOfRoom(w http.ResponseWriter, r *http.Request) error {
	who, err := a.Principal(r)
	if err != nil {
		return err
	}
	id := r.PathValue("room")
	if !who.Operator {
		if _, err := a.Access.FindManaged(who, id); err != nil {
			return err
		}
	}
	if !wire.ValidRoom(id) {
		return apierr.ErrNoRoom
	}
	return a.writeAudit(w, r, id)
}

// audit serves GET /api/audit, for the operator.
func (a *API) audit(w http.ResponseWriter, r *http.Request) error {
	who, err := a.Principal(r)
	if err != nil {
		return err
	}
	if !who.Operator {
		return wire.NewError(wire.CodeForbidden, "the audit trail takes the operator's token")
	}
	return a.writeAudit(w, r, "")
}

func (a *API) writeAudit(w http.ResponseWriter, r *http.Request, room string) error {
	limit := defaultAuditEntries
	if query := r.URL.Query().Get("limit"); query != "" {
		n, err := strconv.Atoi(query)
		if err != nil || n < 1 || n > store.MaxEntries {
			return wire.FieldError("limit", "must be from 1 to %d", store.MaxEntries)
		}
		limit = n
	}
	entries, err := a.Club.Store.AuditLog(r.Context(), room, limit)
	if err != nil {
		return err
	}
	if entries == nil {
		entries = []store.AuditEntry{}
	}
	apierr.WriteJSON(w, http.StatusOK, map[string][]store.AuditEntry{"entries": entries})
	return nil
}
