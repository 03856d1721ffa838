package api

import (
	"net/http"
	"strconv"
	"time"

	"github.com/earshot-audio/earshot/signaling/apierr"
	"github.com/earshot-audio/earshot/signaling/club"
	"github.com/earshot-audio/earshot/signaling/liveroom"
	"github.com/earshot-audio/earshot/signaling/wire"
	"github.com/earshot-audio/earshot/store"
)

// accountHandlers serve a principal what the server holds about them.
type accountHandlers struct{ *API }

// accountExport is the answer to GET /api/me?export=true: all that is stored about a
// member.
type accountExport struct {
	club.Holder
	Created   time.Time          `json:"created_at"`
	Inviter   string             `json:"inviter,omitempty"`
	Members   int                `json:"members_invited"`
	Logins    int64              `json:"logins"`
	LastLogin time.Time          `json:"last_login_at"`
	Rooms     []roomExport       `json:"rooms"`
	Plans     []planInfo         `json:"planned_rooms"`
	Following []profileInfo      `json:"following"`
	MadeBy    []inviteInfo       `json:"invites_made"`
	Audit     []store.AuditEntry `json:"audit"`
}

// roomExport is what a room holds about a member.
type roomExport struct {
	Room    string    `json:"room"`
	Name    string    `json:"name"`
	Owner   bool      `json:"owner,omitempty"`
	Here    bool      `json:"here,omitempty"`
	Role    wire.Role `json:"role,omitempty"`
	Muted   bool      `json:"muted,omitempty"`
	Removed bool      `json:"removed,omitempty"`
	Banned  bool      `json:"banned,omitempty"`
}

// show serves GET /api/me: whose the token is, and with ?export=true all that is stored
// about them.
func (a accountHandlers) show(w http.ResponseWriter, r *http.Request) error {
	who, err := a.Principal(r)
	if err != nil {
		return err
	}
	query := r.URL.Query().Get("export")
	export, err := strconv.ParseBool(query)
	switch {
	case query != "" && err != nil:
		return wire.FieldError("export", "must be true or false")
	case !export:
		apierr.WriteJSON(w, http.StatusOK, a.Club.Holder(who))
		return nil
	}
	// It reads the whole audit log.
	if err := a.countCreate(r, who); err != nil {
		return err
	}
	found, err := (club.Accounts{Club: a.Club}).Export(r.Context(), who)
	if err != nil {
		return err
	}
	answer := accountExport{
		Holder: found.Holder, Created: found.Created, Inviter: found.Inviter, Members: found.Members,
		Logins: found.Logins, LastLogin: found.LastLogin, Audit: found.Audit,
		Rooms: []roomExport{}, Plans: []planInfo{}, Following: []profileInfo{}, MadeBy: []inviteInfo{},
	}
	for _, l := range found.Rooms {
		about := roomExport{Room: l.ID, Name: l.Title, Owner: l.Owner, Here: l.Here, Muted: l.Muted, Removed: l.Removed, Banned: l.Banned}
		if l.Role != 0 {
			about.Role = liveroom.WireRole(l.Role)
		}
		answer.Rooms = append(answer.Rooms, about)
	}
	for _, id := range found.Following {
		info := profileInfo{Profile: id} // one who shows nothing of themselves any more
		if shown, err := a.profiles().Find(id); err == nil {
			info = profileOf(shown)
		}
		info.Following = true
		answer.Following = append(answer.Following, info)
	}
	for _, p := range found.AccountRecords.Plans {
		answer.Plans = append(answer.Plans, planHandlers(a).infoOf(r, who, p))
	}
	for _, i := range found.AccountRecords.Invites {
		answer.MadeBy = append(answer.MadeBy, a.inviteInfoOf(i))
	}
	if answer.Audit == nil {
		answer.Audit = []store.AuditEntry{}
	}
	w.Header().Set("Content-Disposition", `attachment; filename="earshot-account.json"`)
	apierr.WriteJSON(w, http.StatusOK, answer)
	return nil
}

// delete serves DELETE /api/me: the account is gone, with all that names it.
func (a accountHandlers) delete(w http.ResponseWriter, r *http.Request) error {
	who, err := a.countedPrincipal(r)
	if err != nil {
		return err
	}
	if err := (club.Accounts{Club: a.Club}).Delete(r.Context(), who); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}
