package signaling

import (
	"fmt"
	"net/http"
	"time"

	"github.com/earshot-audio/earshot/room"
	"github.com/earshot-audio/earshot/signaling/wire"
	"github.com/earshot-audio/earshot/store"
)

// What an invite is to.
const (
	toRoom = "room"
	toClub = "club"
)

// The limits of an invite.
const (
	maxUses = 100_000
	maxTTL  = 365 * 24 * time.Hour
	roomTTL = 24 * time.Hour
	clubTTL = 7 * 24 * time.Hour
)

// inviteRequest is the body of POST /api/rooms/{room}/invites and of
// POST /api/invites, which knows no role.
type inviteRequest struct {
	Role wire.Role `json:"role"`
	Uses *int      `json:"uses"`
	TTL  *int64    `json:"ttl_s"`
	Name string    `json:"name"`
}

// inviteInfo is how the API shows an invite to those who may see it.
type inviteInfo struct {
	Invite  string             `json:"invite"`
	To      string             `json:"to"`
	Room    string             `json:"room,omitempty"`
	Role    wire.Role          `json:"role,omitempty"`
	Name    string             `json:"name,omitempty"`
	Inviter string             `json:"inviter"`
	Uses    int                `json:"uses"`
	Used    int                `json:"used"`
	State   store.InviteStatus `json:"state"`
	Created time.Time          `json:"created_at"`
	Expires time.Time          `json:"expires_at"`
}

// inviteAnswer is the answer to the one who makes an invite.
type inviteAnswer struct {
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
	Inviter string    `json:"inviter,omitempty"`
	Expires time.Time `json:"expires_at"`
}

func showInvite(i store.Invite, now time.Time) inviteInfo {
	info := inviteInfo{
		Invite: i.ID, To: toClub, Room: i.Room, Name: i.Name, Inviter: i.InviterName,
		Uses: i.Uses, Used: i.Used, State: i.Status(now), Created: i.Created.UTC(), Expires: i.Expires.UTC(),
	}
	if i.Room != "" {
		info.To, info.Role = toRoom, wireRole(i.Role)
	}
	return info
}

// inviteToRoom serves POST /api/rooms/{room}/invites: the operator, or a host.
func (s *Server) inviteToRoom(w http.ResponseWriter, r *http.Request) {
	l, have, err := s.managed(r)
	if err == nil {
		err = s.mayCreate(r, have)
	}
	var body inviteRequest
	if err == nil {
		err = readBody(w, r, &body)
	}
	var wanted store.Invite
	if err == nil {
		wanted, err = s.wanted(body, roomTTL)
	}
	if err == nil && rank(body.Role) < 0 {
		err = fieldError("role", `must be "listener", "speaker" or "host"`)
	}
	if err != nil {
		s.refuse(w, err)
		return
	}
	wanted.Room, wanted.Role = l.id, ruleRole(body.Role)
	s.invite(w, r, have, l, wanted)
}

// inviteToClub serves POST /api/invites: the operator, or a member out of their
// budget.
func (s *Server) inviteToClub(w http.ResponseWriter, r *http.Request) {
	have, err := s.authorize(r)
	if err == nil && !have.operator && !have.member {
		err = wire.NewError(wire.CodeForbidden, "inviting to the club takes a member's or the operator's token")
	}
	if err == nil {
		err = s.mayCreate(r, have)
	}
	var body inviteRequest
	if err == nil {
		err = readBody(w, r, &body)
	}
	if err == nil && body.Role != "" {
		err = fieldError("role", "is for invites to a room")
	}
	var wanted store.Invite
	if err == nil {
		wanted, err = s.wanted(body, clubTTL)
	}
	if err != nil {
		s.refuse(w, err)
		return
	}
	s.invite(w, r, have, nil, wanted)
}

// wanted checks a request for an invite.
func (s *Server) wanted(body inviteRequest, ttl time.Duration) (store.Invite, error) {
	uses := 1
	if body.Uses != nil {
		if uses = *body.Uses; uses < 1 || uses > maxUses {
			return store.Invite{}, fieldError("uses", fmt.Sprintf("must be from 1 to %d", maxUses))
		}
	}
	if body.TTL != nil {
		if *body.TTL < 1 || *body.TTL > int64(maxTTL/time.Second) {
			return store.Invite{}, fieldError("ttl_s", fmt.Sprintf("must be from 1 to %d", int64(maxTTL/time.Second)))
		}
		ttl = time.Duration(*body.TTL) * time.Second
	}
	if !wire.ValidName(body.Name) {
		return store.Invite{}, fieldError("name", fmt.Sprintf("is longer than %d characters or holds control characters", wire.MaxName))
	}
	now := s.cfg.Clock().UTC()
	return store.Invite{Name: body.Name, Uses: uses, Created: now, Expires: now.Add(ttl)}, nil
}

// invite makes an invite and answers. One to the stage for a single guest keeps a
// place there for as long as it is good.
func (s *Server) invite(w http.ResponseWriter, r *http.Request, have grant, l *live, wanted store.Invite) {
	wanted.InviterTokenFamily, wanted.InviterName = have.pass, s.holder(have).Name
	if have.member {
		wanted.Inviter = have.account
	}
	if have.operator {
		wanted.InviterName = kindOperator
	}
	made, code, err := s.store.CreateInvite(r.Context(), wanted)
	if err == nil && l != nil && made.Role.OnStage() && made.Uses == 1 {
		hold := room.Reservation{Key: made.ID, Name: made.Name, Role: made.Role, Until: made.Expires}
		err = l.act(func(now time.Time) ([]room.Event, error) { return l.rules.Reserve(hold, now) }, nil)
		if err != nil {
			_, _ = s.store.RevokeInvite(r.Context(), made.ID, s.cfg.Clock())
		}
	}
	if err == nil {
		err = s.noted(r, have, "invite.create", made.Room, made.ID, fmt.Sprintf("as %s, uses %d, for %q", showInvite(made, made.Created).what(), made.Uses, made.Name))
	}
	if err != nil {
		s.refuse(w, err)
		return
	}
	writeJSON(w, http.StatusCreated, inviteAnswer{
		inviteInfo: showInvite(made, made.Created), Code: code,
		URL: base(r) + "/#/i/" + code, Invites: s.holder(have).Invites,
	})
}

// what says what an invite makes of its holder.
func (i inviteInfo) what() string {
	if i.To == toClub {
		return kindMember
	}
	return string(i.Role)
}

// base returns the address at which the client has reached the server.
func base(r *http.Request) string {
	scheme := "http"
	if r.TLS != nil {
		scheme = "https"
	}
	return scheme + "://" + r.Host
}

// listInvites serves GET /api/invites: all for the operator, and for others those
// they have made.
func (s *Server) listInvites(w http.ResponseWriter, r *http.Request) {
	have, err := s.authorize(r)
	if err == nil && have == (grant{}) {
		err = wire.NewError(wire.CodeUnauthorized, "")
	}
	if err != nil {
		s.refuse(w, err)
		return
	}
	s.showInvites(w, func(i store.Invite) bool { return have.operator || madeBy(i, have) })
}

// roomInvites serves GET /api/rooms/{room}/invites, for those who manage it.
func (s *Server) roomInvites(w http.ResponseWriter, r *http.Request) {
	l, _, err := s.managed(r)
	if err != nil {
		s.refuse(w, err)
		return
	}
	s.showInvites(w, func(i store.Invite) bool { return i.Room == l.id })
}

func (s *Server) showInvites(w http.ResponseWriter, which func(store.Invite) bool) {
	now := s.cfg.Clock()
	list := []inviteInfo{}
	for _, i := range s.store.Invites() {
		if which(i) {
			list = append(list, showInvite(i, now))
		}
	}
	writeJSON(w, http.StatusOK, map[string][]inviteInfo{"invites": list})
}

// madeBy tells whether an invite was made with the grant's account or token.
func madeBy(i store.Invite, have grant) bool {
	if i.Inviter != "" {
		return have.member && i.Inviter == have.account
	}
	return i.InviterTokenFamily != "" && i.InviterTokenFamily == have.pass
}

// lookAtInvite serves GET /api/invites/{code}: what the code is good for.
func (s *Server) lookAtInvite(w http.ResponseWriter, r *http.Request) {
	err := s.limits.signIn(s.limits.origin(r))
	var i store.Invite
	if err == nil {
		i, err = s.store.PeekInvite(r.PathValue("code"), s.cfg.Clock())
	}
	preview := invitePreview{To: toClub, Inviter: i.InviterName, Expires: i.Expires.UTC()}
	if err == nil && i.Room != "" {
		var l *live
		if l, err = s.hub.find(i.Room); err != nil {
			err = errInvite
		} else {
			preview.To, preview.Room, preview.Role = toRoom, l.title, wireRole(i.Role)
		}
	}
	if err != nil {
		s.refuse(w, err)
		return
	}
	writeJSON(w, http.StatusOK, preview)
}

// revokeInvite serves DELETE /api/invites/{code}, by its code or by its id: whoever
// made it, the operator, a host of the room. To others there is no such invite.
func (s *Server) revokeInvite(w http.ResponseWriter, r *http.Request) {
	have, err := s.authorize(r)
	var i store.Invite
	if err == nil {
		i, err = s.revocable(have, r.PathValue("code"))
	}
	if err == nil {
		i, err = s.store.RevokeInvite(r.Context(), i.ID, s.cfg.Clock())
	}
	if err == nil && i.Role.OnStage() {
		if l, gone := s.hub.find(i.Room); gone == nil {
			err = l.act(func(now time.Time) ([]room.Event, error) { return l.rules.ReleaseReservation(i.ID, now) }, nil)
		}
	}
	if err == nil {
		err = s.noted(r, have, "invite.revoke", i.Room, i.ID, "")
	}
	if err != nil {
		s.refuse(w, err)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

func (s *Server) revocable(have grant, code string) (store.Invite, error) {
	id := code
	if len(code) == store.CodeLength {
		id = s.store.InviteID(code)
	}
	i, err := s.store.FindInvite(id)
	if err == nil && (have.operator || madeBy(i, have)) {
		return i, nil
	}
	if err == nil && i.Room != "" {
		if l, gone := s.hub.find(i.Room); gone == nil && s.manages(have, l) {
			return i, nil
		}
	}
	return store.Invite{}, wire.NewError(wire.CodeNotFound, "there is no such invite")
}

// mayCreate counts a room or an invite that somebody makes.
func (s *Server) mayCreate(r *http.Request, have grant) error {
	if have.operator {
		return nil
	}
	return s.limits.create(s.limits.origin(r), have.who())
}
