package signaling

import (
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/earshot-audio/earshot/room"
	"github.com/earshot-audio/earshot/signaling/wire"
	"github.com/earshot-audio/earshot/store"
)

// holder is who a token is for, as the API shows it.
type holder struct {
	Kind    string    `json:"kind"`
	Account string    `json:"account,omitempty"`
	Name    string    `json:"name,omitempty"`
	Room    string    `json:"room,omitempty"`
	Role    wire.Role `json:"role,omitempty"`
	// Invites is what is left of a member's budget.
	Invites *int `json:"invites,omitempty"`
}

// sessionAnswer is what one gets who signs in.
type sessionAnswer struct {
	tokens
	holder
}

// redeemAnswer is the answer to a redemption.
type redeemAnswer struct {
	sessionAnswer
	// To is "room" or "club".
	To string `json:"to"`
	// Key is the login key of a new account. It is shown this once.
	Key string `json:"key,omitempty"`
}

var errInvite = wire.NewError(wire.CodeInviteUnavailable, "")

// holder shows who a grant is for.
func (s *Server) holder(have grant) holder {
	h := holder{Kind: have.kind(), Name: have.name, Room: have.room, Role: have.role}
	if !have.member {
		return h
	}
	h.Account = have.account
	if a, err := s.store.Account(have.account); err == nil {
		h.Name, h.Invites = a.Name, &a.Invites
	}
	return h
}

// session issues tokens for claims.
func (s *Server) session(c claims) (sessionAnswer, error) {
	pair, err := s.gate.issue(c, s.cfg.TokenTTL)
	if err != nil {
		return sessionAnswer{}, err
	}
	return sessionAnswer{pair, s.holder(c.grant())}, nil
}

// redeem serves POST /api/invites/{code}/redeem. All that is to be known about the
// request without looking at the code is looked at first; from there on every
// code takes the same way to its answer.
func (s *Server) redeem(w http.ResponseWriter, r *http.Request) {
	answer, err := s.tryRedeem(w, r)
	if err != nil {
		s.refuse(w, err)
		return
	}
	writeJSON(w, http.StatusOK, answer)
}

func (s *Server) tryRedeem(w http.ResponseWriter, r *http.Request) (redeemAnswer, error) {
	var body struct {
		Name string `json:"name"`
	}
	if err := s.limits.signIn(s.limits.origin(r)); err != nil {
		return redeemAnswer{}, err
	}
	if err := readBody(w, r, &body); err != nil {
		return redeemAnswer{}, err
	}
	member, err := s.member(r)
	if err != nil {
		return redeemAnswer{}, err
	}
	if !wire.ValidName(body.Name) {
		return redeemAnswer{}, fieldError("name", fmt.Sprintf("is longer than %d characters or holds control characters", wire.MaxName))
	}
	name := strings.TrimSpace(body.Name)
	if name == "" {
		name = member.Name
	}
	code, now := r.PathValue("code"), s.cfg.Clock()
	if member.ID != "" {
		if i, err := s.store.PeekInvite(code, now); err == nil && i.Room == "" {
			return redeemAnswer{}, wire.NewError(wire.CodeConflict, "you are a member of the club")
		}
	}
	i, err := s.store.Redeem(r.Context(), code, now)
	if err != nil {
		return redeemAnswer{}, err
	}
	var answer redeemAnswer
	c := claims{Name: name, Invite: i.ID, Pass: newID()}
	c.Subject, c.Login = member.ID, member.Login
	if i.Room == "" {
		answer.To = toClub
		var account store.Account
		if account, answer.Key, err = s.store.CreateAccount(r.Context(), name, i.Inviter, s.cfg.Invites, now); err != nil {
			return redeemAnswer{}, err
		}
		c.Subject, c.Login, c.Invite = account.ID, account.Login, ""
	} else {
		answer.To = toRoom
		if _, err := s.hub.find(i.Room); err != nil {
			return redeemAnswer{}, errInvite
		}
		c.Room, c.Role = i.Room, wireRole(i.Role)
	}
	if answer.sessionAnswer, err = s.session(c); err != nil {
		return redeemAnswer{}, err
	}
	return answer, s.noted(r, c.grant(), "invite.redeem", i.Room, i.ID, name)
}

// member returns the account of the request's token; the zero value for a request
// without one and for the token of somebody who has none.
func (s *Server) member(r *http.Request) (store.Account, error) {
	token, err := bearer(r)
	if err != nil || token == "" {
		return store.Account{}, err
	}
	have, err := s.gate.check(token)
	if err != nil || !have.member {
		return store.Account{}, err
	}
	return s.store.Account(have.account)
}

// login serves POST /api/login: another device, or the same one after it has
// forgotten. Whatever the account did until now ends.
func (s *Server) login(w http.ResponseWriter, r *http.Request) {
	var body struct {
		Key string `json:"key"`
	}
	err := s.limits.signIn(s.limits.origin(r))
	if err == nil {
		err = readBody(w, r, &body)
	}
	var account store.Account
	if err == nil {
		account, err = s.store.Login(r.Context(), body.Key, s.cfg.Clock(), func(id string) error {
			return s.limits.signInAs(s.limits.origin(r), id)
		})
	}
	var answer sessionAnswer
	c := claims{Name: account.Name, Login: account.Login, Pass: newID()}
	if err == nil {
		s.hub.endAccount(account.ID, c.Pass)
		c.Subject = account.ID
		answer, err = s.session(c)
	}
	if err == nil {
		err = s.noted(r, c.grant(), "login", "", account.ID, "")
	}
	if err != nil {
		s.refuse(w, err)
		return
	}
	writeJSON(w, http.StatusOK, answer)
}

// refresh serves POST /api/refresh.
func (s *Server) refresh(w http.ResponseWriter, r *http.Request) {
	var body struct {
		Token string `json:"refresh_token"`
	}
	err := s.limits.signIn(s.limits.origin(r))
	if err == nil {
		err = readBody(w, r, &body)
	}
	if err == nil && len(body.Token) > wire.MaxToken {
		err = wire.NewError(wire.CodeUnauthorized, "the token is not valid")
	}
	var c claims
	if err == nil {
		c, err = s.gate.read(body.Token, useRefresh)
	}
	if err == nil {
		err = s.limits.signInAs(s.limits.origin(r), c.Pass)
	}
	if err == nil && c.Room != "" {
		err = s.stillIn(c.grant())
	}
	var answer sessionAnswer
	if err == nil {
		answer, err = s.session(c)
	}
	if err != nil {
		s.refuse(w, err)
		return
	}
	writeJSON(w, http.StatusOK, answer)
}

// stillIn tells whether a room would have the holder of its token back.
func (s *Server) stillIn(have grant) error {
	l, err := s.hub.find(have.room)
	if err != nil || l.barred(room.Identity{Account: have.account, TokenFamily: have.pass}) {
		return wire.NewError(wire.CodeUnauthorized, "the token cannot be refreshed")
	}
	return nil
}

// barred tells whether somebody is kept out of the room.
func (l *live) barred(who room.Identity) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.rules.Blocked(who)
}

// me serves GET /api/me: who the token is for.
func (s *Server) me(w http.ResponseWriter, r *http.Request) {
	have, err := s.authorize(r)
	if err != nil {
		s.refuse(w, err)
		return
	}
	writeJSON(w, http.StatusOK, s.holder(have))
}

// refuse answers a request with an error, whatever it is.
func (s *Server) refuse(w http.ResponseWriter, err error) {
	var often limited
	if errors.As(err, &often) {
		w.Header().Set("Retry-After", often.seconds())
	}
	writeError(w, refuse(s.log, err))
}

// noted writes an entry of the audit trail, and returns when it is safe.
func (s *Server) noted(r *http.Request, have grant, did, room, whom, detail string) error {
	s.store.Audit(store.AuditEntry{At: s.cfg.Clock().UTC(), Actor: have.who(), Action: did, Room: room, Target: whom, Detail: detail})
	return s.store.Flush(r.Context())
}
