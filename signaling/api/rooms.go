package api

import (
	"net/http"
	"strings"
	"time"

	"github.com/earshot-audio/earshot/signaling/apierr"
	"github.com/earshot-audio/earshot/signaling/auth"
	"github.com/earshot-audio/earshot/signaling/liveroom"
	"github.com/earshot-audio/earshot/signaling/wire"
)

// createRoom is the body of POST /api/rooms. Room is the ID that somebody wants on an
// open server.
type createRoom struct {
	Name       string          `json:"name"`
	Room       string          `json:"room"`
	Visibility wire.Visibility `json:"visibility"`
	Capacity   *int            `json:"capacity"`
	Halls      *int            `json:"halls"`
	Slots      *int            `json:"slots"`
	// AudienceHold is in milliseconds.
	AudienceHold *int `json:"audience_hold_ms"`
}

// roomInfo is how the API shows a room.
type roomInfo struct {
	Room       string          `json:"room"`
	Name       string          `json:"name"`
	Visibility wire.Visibility `json:"visibility"`
	Capacity   int             `json:"capacity"`
	Halls      int             `json:"halls"`
	Slots      int             `json:"slots"`
	// AudienceHold is in milliseconds, and left out if nothing is held.
	AudienceHold int64              `json:"audience_hold_ms,omitempty"`
	Audience     int                `json:"audience"`
	Stage        []wire.StageMember `json:"stage"`
	// Followed are those in the audience whom the principal follows.
	Followed  []wire.AudienceMember `json:"followed,omitempty"`
	CreatedAt time.Time             `json:"created_at"`
}

// roomCreated is the answer to POST /api/rooms.
type roomCreated struct {
	roomInfo
	HostToken      string    `json:"host_token"`
	ExpiresAt      time.Time `json:"expires_at"`
	RefreshToken   string    `json:"refresh_token"`
	RefreshExpires time.Time `json:"refresh_expires_at"`
}

func infoOf(l *liveroom.LiveRoom) roomInfo {
	i := l.Info()
	return roomInfo{
		Room: i.ID, Name: i.Title, Visibility: i.Visibility, Capacity: i.Capacity, Halls: i.MaxHalls, Slots: i.Slots,
		AudienceHold: i.AudienceHold.Milliseconds(),
		Audience:     i.Audience, Stage: i.Stage, CreatedAt: i.Created.UTC(),
	}
}

// roomHandlers serve the rooms.
type roomHandlers struct{ *API }

// create serves POST /api/rooms for the operator and members, and on an open server
// for everybody. The host token of a member is their own.
func (a roomHandlers) create(w http.ResponseWriter, r *http.Request) error {
	who, err := a.Principal(r)
	if err != nil {
		return err
	}
	if !a.Open && !who.Operator && !who.Member {
		return wire.NewError(wire.CodeForbidden, "creating a room takes a member's or the operator's token")
	}
	if err := a.countCreate(r, who); err != nil {
		return err
	}
	var body createRoom
	if err := readBody(w, r, &body); err != nil {
		return err
	}
	spec, err := a.spec(body)
	if err != nil {
		return err
	}
	l, tokens, err := a.Club.CreateRoom(r.Context(), who, spec)
	if err != nil {
		return err
	}
	writeCreated(w, l, tokens)
	return nil
}

// writeCreated answers with a room that is new, and the tokens of its host.
func writeCreated(w http.ResponseWriter, l *liveroom.LiveRoom, tokens auth.Tokens) {
	w.Header().Set("Location", "/api/rooms/"+l.ID())
	apierr.WriteJSON(w, http.StatusCreated, roomCreated{
		roomInfo: infoOf(l), HostToken: tokens.Token, ExpiresAt: tokens.ExpiresAt,
		RefreshToken: tokens.RefreshToken, RefreshExpires: tokens.RefreshExpires,
	})
}

// spec checks a request for a room.
func (a roomHandlers) spec(body createRoom) (liveroom.Spec, error) {
	switch {
	case strings.TrimSpace(body.Name) == "":
		return liveroom.Spec{}, wire.FieldError("name", "is missing")
	case !wire.ValidName(body.Name):
		return liveroom.Spec{}, apierr.NameField()
	case body.Room != "" && !a.Open:
		return liveroom.Spec{}, wire.FieldError("room", "is for open servers: here the server chooses the id")
	case body.Room != "" && !wire.ValidRoom(body.Room):
		return liveroom.Spec{}, wire.FieldError("room", "must be 1 to %d of A-Z a-z 0-9 . _ - and not only dots, for it is part of the address", wire.MaxRoom)
	}
	spec := a.Rooms.NewSpec(a.newID(body), body.Name)
	if body.Visibility != "" {
		visibility, ok := liveroom.RoomVisibility(body.Visibility)
		if !ok {
			return liveroom.Spec{}, wire.FieldError("visibility", `must be "open", "members" or "closed"`)
		}
		spec.Visibility = visibility
	}
	for _, field := range []struct {
		name    string
		given   *int
		into    *int
		max     int
		problem string
	}{
		{"capacity", body.Capacity, &spec.Capacity, wire.MaxCapacity, "must be from 1 to %d"},
		{"halls", body.Halls, &spec.Halls, wire.MaxHalls, "must be from 1 (no overflow) to %d"},
		{"slots", body.Slots, &spec.Slots, wire.MaxSlots, "must be from 1 to %d"},
	} {
		if field.given == nil {
			continue
		}
		if *field.given < 1 || *field.given > field.max {
			return liveroom.Spec{}, wire.FieldError(field.name, field.problem, field.max)
		}
		*field.into = *field.given
	}
	if hold := body.AudienceHold; hold != nil {
		if err := wire.CheckAudienceHold(*hold); err != nil {
			return liveroom.Spec{}, err
		}
		spec.AudienceHold = time.Duration(*hold) * time.Millisecond
	}
	return spec, nil
}

// newID returns the ID of a new room. On an open server it is the one that was asked
// for, or the name if that can be an ID. Everywhere else nobody can guess it.
func (a roomHandlers) newID(body createRoom) string {
	switch {
	case body.Room != "":
		return body.Room
	case a.Open && wire.ValidRoom(body.Name):
		return body.Name
	}
	return auth.NewID()
}

// list serves GET /api/rooms: all rooms that the principal may see.
func (a roomHandlers) list(w http.ResponseWriter, r *http.Request) error {
	who, err := a.Principal(r)
	if err != nil {
		return err
	}
	rooms, followed := []roomInfo{}, a.followedBy(who)
	for _, l := range a.Rooms.List() {
		if a.Access.MaySee(who, l) {
			info := infoOf(l)
			info.Followed = l.Followed(followed)
			rooms = append(rooms, info)
		}
	}
	apierr.WriteJSON(w, http.StatusOK, map[string][]roomInfo{"rooms": rooms})
	return nil
}

// show serves GET /api/rooms/{room}.
func (a roomHandlers) show(w http.ResponseWriter, r *http.Request) error {
	l, who, err := a.visibleRoom(r)
	if err != nil {
		return err
	}
	info := infoOf(l)
	info.Followed = l.Followed(a.followedBy(who))
	apierr.WriteJSON(w, http.StatusOK, info)
	return nil
}

// followedBy returns the accounts whom a principal follows.
func (a roomHandlers) followedBy(who auth.Principal) []string {
	if !who.Member {
		return nil
	}
	return a.Club.Store.Followed(who.Account)
}

// end serves DELETE /api/rooms/{room}, for those who manage it.
func (a roomHandlers) end(w http.ResponseWriter, r *http.Request) error {
	l, who, err := a.managedRoom(r)
	if err != nil {
		return err
	}
	if err := a.Club.EndRoom(who, l); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}
