package api

import (
	"net/http"
	"time"

	"github.com/earshot-audio/earshot/signaling/apierr"
	"github.com/earshot-audio/earshot/signaling/auth"
	"github.com/earshot-audio/earshot/signaling/liveroom"
	"github.com/earshot-audio/earshot/signaling/wire"
	"github.com/earshot-audio/earshot/store"
)

// What an invite admits to.
const (
	toRoom = "room"
	toClub = "club"
)

// The limits of an invite, and the lifetimes if the request names none.
const (
	maxUses = 100_000
	maxTTL  = 365 * 24 * time.Hour
	roomTTL = 24 * time.Hour
	clubTTL = 7 * 24 * time.Hour
)

// createInvite is the body of POST /api/rooms/{room}/invites and of
// POST /api/invites, which has no role.
type createInvite struct {
	Role wire.Role `json:"role"`
	Uses *int      `json:"uses"`
	TTL  *int64    `json:"ttl_s"`
	Name string    `json:"name"`
}

// inviteInfo is how the API shows an invite to those who may see it.
type inviteInfo struct {
	Invite  string    `json:"invite"`
	To      string    `json:"to"`
	Room    string    `json:"room,omitempty"`
	Role    wire.Role `json:"role,omitempty"`
	Name    string    `json:"name,omitempty"`
	Inviter string    `json:"inviter"`
	// ByOperator reports whether the operator made it, who has no name.
	ByOperator bool               `json:"by_operator,omitempty"`
	Uses       int                `json:"uses"`
	Used       int                `json:"used"`
	State      store.InviteStatus `json:"state"`
	Created    time.Time          `json:"created_at"`
	Expires    time.Time          `json:"expires_at"`
}

// inviteCreated is the answer to the one who makes an invite.
type inviteCreated struct {
	inviteInfo
	Code string `json:"code"`
	URL  string `json:"url"`
	// Invites is what is left of the inviter's budget.
	Invites *int `json:"invites,omitempty"`
}

// invitePreview is what an invite shows to whoever holds its code.
type invitePreview struct {
	To      string    `json:"to"`
	Room    string    `json:"room_name,omitempty"`
	Role    wire.Role `json:"role,omitempty"`
	Name    string    `json:"name,omitempty"`
	Inviter string    `json:"inviter,omitempty"`
	// ByOperator reports whether the operator made it, who has no name.
	ByOperator bool      `json:"by_operator,omitempty"`
	Expires    time.Time `json:"expires_at"`
}

func (a *API) inviteInfoOf(i store.Invite) inviteInfo {
	info := inviteInfo{
		Invite: i.ID, To: toClub, Room: i.Room, Name: i.Name, Inviter: a.profiles().InviterName(i), ByOperator: i.ByOperator,
		Uses: i.Uses, Used: i.Used, State: a.Club.Status(i), Created: i.Created.UTC(), Expires: i.Expires.UTC(),
	}
	if i.Room != "" {
		info.To, info.Role = toRoom, liveroom.WireRole(i.Role)
	}
	return info
}

// inviteHandlers serve the invites.
type inviteHandlers struct{ *API }

// createToRoom serves POST /api/rooms/{room}/invites, for those who manage it.
func (a inviteHandlers) createToRoom(w http.ResponseWriter, r *http.Request) error {
	l, who, err := a.managedRoom(r)
	if err != nil {
		return err
	}
	body, invite, err := a.read(w, r, who, roomTTL)
	if err != nil {
		return err
	}
	if invite.Role = liveroom.RoomRole(body.Role); invite.Role == 0 {
		return wire.FieldError("role", `must be "listener", "speaker" or "host"`)
	}
	invite.Room = l.ID()
	return a.create(w, r, who, l, invite)
}

// createToClub serves POST /api/invites, for the operator, and for members out of
// their budget.
func (a inviteHandlers) createToClub(w http.ResponseWriter, r *http.Request) error {
	who, err := a.Principal(r)
	if err != nil {
		return err
	}
	if !who.Operator && !who.Member {
		return wire.NewError(wire.CodeForbidden, "inviting to the club takes a member's or the operator's token")
	}
	body, invite, err := a.read(w, r, who, clubTTL)
	if err != nil {
		return err
	}
	if body.Role != "" {
		return wire.FieldError("role", "is for invites to a room")
	}
	return a.create(w, r, who, nil, invite)
}

// read counts and checks a request for an invite, all but its role.
func (a inviteHandlers) read(w http.ResponseWriter, r *http.Request, who auth.Principal, ttl time.Duration) (createInvite, store.Invite, error) {
	var body createInvite
	if err := a.countCreate(r, who); err != nil {
		return body, store.Invite{}, err
	}
	if err := readBody(w, r, &body); err != nil {
		return body, store.Invite{}, err
	}
	uses := 1
	if body.Uses != nil {
		if uses = *body.Uses; uses < 1 || uses > maxUses {
			return body, store.Invite{}, wire.FieldError("uses", "must be from 1 to %d", maxUses)
		}
	}
	if body.TTL != nil {
		if *body.TTL < 1 || *body.TTL > int64(maxTTL/time.Second) {
			return body, store.Invite{}, wire.FieldError("ttl_s", "must be from 1 to %d", int64(maxTTL/time.Second))
		}
		ttl = time.Duration(*body.TTL) * time.Second
	}
	if !wire.ValidName(body.Name) {
		return body, store.Invite{}, apierr.NameField()
	}
	now := a.Club.Clock().UTC()
	return body, store.Invite{Name: body.Name, Uses: uses, Created: now, Expires: now.Add(ttl)}, nil
}

func (a inviteHandlers) create(w http.ResponseWriter, r *http.Request, who auth.Principal, l *liveroom.LiveRoom, wanted store.Invite) error {
	made, code, err := a.Club.CreateInvite(r.Context(), who, l, wanted)
	if err != nil {
		return err
	}
	apierr.WriteJSON(w, http.StatusCreated, inviteCreated{
		inviteInfo: a.inviteInfoOf(made), Code: code,
		URL: a.baseURL(r) + "/#/i/" + code, Invites: a.Club.Holder(who).Invites,
	})
	return nil
}

// baseURL returns the URL at which clients reach the server.
func (a *API) baseURL(r *http.Request) string {
	if a.PublicURL != nil {
		return a.PublicURL.Scheme + "://" + a.PublicURL.Host
	}
	scheme := "http"
	if r.TLS != nil {
		scheme = "https"
	}
	return scheme + "://" + r.Host
}

// list serves GET /api/invites: all for the operator, and for others those they
// have made.
func (a inviteHandlers) list(w http.ResponseWriter, r *http.Request) error {
	who, err := a.Principal(r)
	if err != nil {
		return err
	}
	if who == (auth.Principal{}) {
		return wire.NewError(wire.CodeUnauthorized, "")
	}
	a.write(w, func(i store.Invite) bool { return who.Operator || a.Club.MadeInvite(who, i) })
	return nil
}

// listOfRoom serves GET /api/rooms/{room}/invites, for those who manage it.
func (a inviteHandlers) listOfRoom(w http.ResponseWriter, r *http.Request) error {
	l, _, err := a.managedRoom(r)
	if err != nil {
		return err
	}
	a.write(w, func(i store.Invite) bool { return i.Room == l.ID() })
	return nil
}

// write answers with the invites that are included.
func (a inviteHandlers) write(w http.ResponseWriter, include func(store.Invite) bool) {
	list := []inviteInfo{}
	for _, i := range a.Club.Store.Invites() {
		if include(i) {
			list = append(list, a.inviteInfoOf(i))
		}
	}
	apierr.WriteJSON(w, http.StatusOK, map[string][]inviteInfo{"invites": list})
}

// peek serves GET /api/invites/{code}: what the code admits to.
func (a inviteHandlers) peek(w http.ResponseWriter, r *http.Request) error {
	if err := a.Limiter.Request(a.Limiter.Origin(r)); err != nil {
		return err
	}
	invite, l, err := a.Club.PeekInvite(r.PathValue("code"))
	if err != nil {
		return a.countFailure(r, err)
	}
	preview := invitePreview{To: toClub, Name: invite.Name, Inviter: a.profiles().InviterName(invite), ByOperator: invite.ByOperator, Expires: invite.Expires.UTC()}
	if l != nil {
		preview.To, preview.Room, preview.Role = toRoom, l.Title(), liveroom.WireRole(invite.Role)
	}
	apierr.WriteJSON(w, http.StatusOK, preview)
	return nil
}

// revoke serves DELETE /api/invites/{code}, by the invite's code or its ID.
func (a inviteHandlers) revoke(w http.ResponseWriter, r *http.Request) error {
	who, err := a.Principal(r)
	if err != nil {
		return err
	}
	if err := a.Club.RevokeInvite(r.Context(), who, r.PathValue("code")); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}
