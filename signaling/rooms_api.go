package signaling

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strings"
	"time"

	"github.com/earshot-audio/earshot/room"
	"github.com/earshot-audio/earshot/signaling/wire"
)

// maxBody is the longest JSON body in bytes.
const maxBody = 16 << 10

// createRequest is the body of POST /api/rooms. On an open server the name is
// the room's id.
type createRequest struct {
	Name       string          `json:"name"`
	Visibility wire.Visibility `json:"visibility"`
	Capacity   *int            `json:"capacity"`
	Halls      *int            `json:"halls"`
	Slots      *int            `json:"slots"`
}

// roomInfo is how the API shows a room.
type roomInfo struct {
	Room       string             `json:"room"`
	Name       string             `json:"name"`
	Visibility wire.Visibility    `json:"visibility"`
	Capacity   int                `json:"capacity"`
	Halls      int                `json:"halls"`
	Slots      int                `json:"slots"`
	Audience   int                `json:"audience"`
	Stage      []wire.StageMember `json:"stage"`
	CreatedAt  time.Time          `json:"created_at"`
}

// createResponse is the answer to POST /api/rooms.
type createResponse struct {
	roomInfo
	HostToken      string    `json:"host_token"`
	ExpiresAt      time.Time `json:"expires_at"`
	RefreshToken   string    `json:"refresh_token"`
	RefreshExpires time.Time `json:"refresh_expires_at"`
}

// info shows a room as it is now.
func (l *live) info() roomInfo {
	l.mu.Lock()
	defer l.mu.Unlock()
	return roomInfo{
		Room:       l.id,
		Name:       l.title,
		Visibility: wireVisibility[l.rules.Rules().Visibility],
		Capacity:   l.rules.Config().Capacity,
		Halls:      l.rules.Config().Halls,
		Slots:      l.slots,
		Audience:   l.rules.Audience(),
		Stage:      l.stage(),
		CreatedAt:  l.created.UTC(),
	}
}

// visibility tells who may see the room and come in.
func (l *live) visibility() room.Visibility {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.rules.Rules().Visibility
}

// authorize tells what a request may do.
func (s *Server) authorize(r *http.Request) (grant, error) {
	if err := s.limits.request(s.limits.origin(r)); err != nil {
		return grant{}, err
	}
	token, err := bearer(r)
	if err != nil {
		return grant{}, err
	}
	return s.gate.check(token)
}

// createRoom serves POST /api/rooms: the operator, a member, or on an open server
// anybody. A member's own token is a host's in the room.
func (s *Server) createRoom(w http.ResponseWriter, r *http.Request) {
	have, err := s.authorize(r)
	if err == nil && !s.cfg.Open && !have.operator && !have.member {
		err = wire.NewError(wire.CodeForbidden, "creating a room takes a member's or the operator's token")
	}
	if err == nil {
		err = s.mayCreate(r, have)
	}
	var body createRequest
	if err == nil {
		err = readBody(w, r, &body)
	}
	var wanted plan
	if err == nil {
		wanted, err = s.plan(body)
	}
	if have.member {
		wanted.owner = have.account
	}
	var l *live
	if err == nil {
		l, err = s.hub.create(wanted)
	}
	var pair tokens
	if err == nil {
		pair, err = s.hostTokens(have, l.id)
	}
	if err == nil {
		err = s.noted(r, have, "room.create", l.id, "", wanted.title)
	}
	if err != nil {
		s.refuse(w, err)
		return
	}
	w.Header().Set("Location", "/api/rooms/"+l.id)
	writeJSON(w, http.StatusCreated, createResponse{
		roomInfo: l.info(), HostToken: pair.Token, ExpiresAt: pair.ExpiresAt,
		RefreshToken: pair.RefreshToken, RefreshExpires: pair.RefreshExpires,
	})
}

// hostTokens issues what the creator of a room is a host there with.
func (s *Server) hostTokens(have grant, room string) (tokens, error) {
	c := claims{Room: room, Role: wire.RoleHost, Name: have.name}
	if !have.member {
		return s.gate.issue(c, creatorTTL)
	}
	a, err := s.store.Account(have.account)
	if err != nil {
		return tokens{}, err
	}
	c.Subject, c.Login, c.Pass = a.ID, a.Login, have.pass
	return s.gate.issue(c, s.cfg.TokenTTL)
}

// plan checks a request for a room.
func (s *Server) plan(body createRequest) (plan, error) {
	p := plan{id: body.Name, title: body.Name, capacity: s.cfg.Capacity, halls: s.cfg.Halls, slots: s.cfg.Slots}
	switch {
	case strings.TrimSpace(body.Name) == "":
		return plan{}, fieldError("name", "is missing")
	case s.cfg.Open && !wire.ValidRoom(body.Name):
		return plan{}, fieldError("name", fmt.Sprintf("must be 1 to %d of A-Z a-z 0-9 . _ - and not only dots, for on an open server it is part of the address", wire.MaxRoom))
	case !wire.ValidName(body.Name):
		return plan{}, fieldError("name", fmt.Sprintf("is longer than %d characters or holds control characters", wire.MaxName))
	}
	if !s.cfg.Open {
		p.id = newID()
	}
	if body.Visibility != "" {
		as, ok := ruleVisibility(body.Visibility)
		if !ok {
			return plan{}, fieldError("visibility", `must be "open", "members" or "closed"`)
		}
		p.visibility = as
	}
	if body.Capacity != nil {
		if p.capacity = *body.Capacity; p.capacity < 1 || p.capacity > wire.MaxCapacity {
			return plan{}, fieldError("capacity", fmt.Sprintf("must be from 1 to %d", wire.MaxCapacity))
		}
	}
	if body.Halls != nil {
		if p.halls = *body.Halls; p.halls < 1 || p.halls > wire.MaxHalls {
			return plan{}, fieldError("halls", fmt.Sprintf("must be from 1 (no overflow) to %d", wire.MaxHalls))
		}
	}
	if body.Slots != nil {
		if p.slots = *body.Slots; p.slots < 1 || p.slots > wire.MaxSlots {
			return plan{}, fieldError("slots", fmt.Sprintf("must be from 1 to %d", wire.MaxSlots))
		}
	}
	return p, nil
}

// listRooms serves GET /api/rooms: the open rooms on an open server, all for the
// operator, and for the holder of a session token the room it is for.
func (s *Server) listRooms(w http.ResponseWriter, r *http.Request) {
	have, err := s.authorize(r)
	if err != nil {
		s.refuse(w, err)
		return
	}
	rooms := []roomInfo{}
	for _, l := range s.hub.list() {
		if s.maySee(have, l) {
			rooms = append(rooms, l.info())
		}
	}
	writeJSON(w, http.StatusOK, map[string][]roomInfo{"rooms": rooms})
}

// showRoom serves GET /api/rooms/{room}.
func (s *Server) showRoom(w http.ResponseWriter, r *http.Request) {
	l, _, err := s.seen(r)
	if err != nil {
		s.refuse(w, err)
		return
	}
	writeJSON(w, http.StatusOK, l.info())
}

// endRoom serves DELETE /api/rooms/{room}: the operator, a host of the room, or
// on an open server anybody.
func (s *Server) endRoom(w http.ResponseWriter, r *http.Request) {
	l, have, err := s.managed(r)
	if err == nil {
		s.note(have, "room.end", l.id, "", "")
		err = l.end(room.Operator, nil)
	}
	if err != nil {
		s.refuse(w, err)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

// seen returns the room of a request. One that the request may not see answers
// as one that is not there.
func (s *Server) seen(r *http.Request) (*live, grant, error) {
	have, err := s.authorize(r)
	if err != nil {
		return nil, grant{}, err
	}
	l, err := s.hub.find(r.PathValue("room"))
	if err != nil {
		return nil, grant{}, err
	}
	if !s.maySee(have, l) {
		return nil, grant{}, errNoRoom
	}
	return l, have, nil
}

// managed returns the room of a request that takes a host's or the operator's
// token.
func (s *Server) managed(r *http.Request) (*live, grant, error) {
	l, have, err := s.seen(r)
	if err == nil && !s.manages(have, l) {
		return nil, grant{}, wire.NewError(wire.CodeForbidden, "that takes a host's or the operator's token")
	}
	return l, have, err
}

// manages tells whether a grant is good for what a host may do.
func (s *Server) manages(have grant, l *live) bool {
	return s.gate.mayManage(have, l.id) || l.ownedBy(have)
}

// ownedBy tells whether the room was made with the grant's account.
func (l *live) ownedBy(have grant) bool { return have.member && l.owner == have.account }

// maySee tells whether a grant shows a room: the operator's every room, a session
// token's and a member's their own, and the others as their visibility says; on
// an open server every open one.
func (s *Server) maySee(have grant, l *live) bool {
	if have.operator || have.room == l.id || l.ownedBy(have) {
		return true
	}
	return (s.cfg.Open || have.pass != "") && l.shows(have)
}

// shows tells whether the room's visibility shows it to somebody who is not
// invited to it.
func (l *live) shows(have grant) bool {
	switch l.visibility() {
	case room.Open:
		return true
	case room.MembersOnly:
		return have.member
	default:
		return false
	}
}

// admit tells in which role, and as whom, somebody may come into a room.
func (s *Server) admit(have grant, room string, want wire.Role) (wire.Role, grant, error) {
	if l, err := s.hub.find(room); err == nil && !s.cfg.Open && have.room != room && !have.operator {
		switch {
		case l.ownedBy(have):
			have.room, have.role, have.invited = room, wire.RoleHost, true
		case !l.shows(have):
			return "", grant{}, errNoRoom
		default:
			have.invited, have.reservation = false, ""
		}
	}
	role, err := s.gate.admit(have, room, want)
	return role, have, err
}

// readBody decodes a JSON body strictly: its type, its size, its fields.
func readBody(w http.ResponseWriter, r *http.Request, into any) error {
	kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || kind != "application/json" {
		return wire.NewError(wire.CodeUnsupportedMediaType, "the Content-Type must be application/json")
	}
	var text bytes.Buffer
	dec := json.NewDecoder(io.TeeReader(http.MaxBytesReader(w, r.Body, maxBody), &text))
	dec.DisallowUnknownFields()
	if err := dec.Decode(into); err != nil {
		return bodyError(err)
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return bodyError(err)
	}
	return wire.CheckFields(text.Bytes())
}

func bodyError(err error) error {
	var long *http.MaxBytesError
	var kind *json.UnmarshalTypeError
	var syntax *json.SyntaxError
	switch {
	case errors.As(err, &long):
		return wire.NewError(wire.CodeTooLarge, fmt.Sprintf("the body is longer than %d bytes", long.Limit))
	case errors.As(err, &kind) && kind.Field == "":
		return wire.NewError(wire.CodeBadRequest, "the body must be a JSON object")
	case errors.As(err, &kind):
		return fieldError(kind.Field, fmt.Sprintf("must not be a JSON %.40s", kind.Value))
	case errors.As(err, &syntax):
		return wire.NewError(wire.CodeBadRequest, fmt.Sprintf("the body is not valid JSON at byte %d", syntax.Offset))
	case err == nil:
		return wire.NewError(wire.CodeBadRequest, "the body holds more than one JSON value")
	}
	// An unknown field has no error type of its own, only this text.
	if field, ok := strings.CutPrefix(err.Error(), "json: unknown field "); ok {
		return wire.NewError(wire.CodeBadRequest, fmt.Sprintf("there is no field %.80s", field))
	}
	return wire.NewError(wire.CodeBadRequest, "the body is not valid JSON")
}

func fieldError(field, problem string) error {
	return wire.NewError(wire.CodeBadRequest, fmt.Sprintf("%q %s", field, problem))
}
