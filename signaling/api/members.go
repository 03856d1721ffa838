package api

import (
	"net/http"
	"strconv"
	"time"

	"github.com/earshot-audio/earshot/room"
	"github.com/earshot-audio/earshot/signaling/apierr"
	"github.com/earshot-audio/earshot/signaling/liveroom"
	"github.com/earshot-audio/earshot/signaling/wire"
)

// memberInfo is how the API shows a member of a room to those who manage it.
type memberInfo struct {
	Member  string    `json:"member"`
	Name    string    `json:"name"`
	Role    wire.Role `json:"role"`
	Account string    `json:"account,omitempty"`
	Muted   bool      `json:"muted,omitempty"`
	Hand    bool      `json:"hand,omitempty"`
	Away    bool      `json:"away,omitempty"`
	Joined  time.Time `json:"joined_at"`
}

// memberHandlers serve the members of rooms, to those who manage them.
type memberHandlers struct{ *API }

// list serves GET /api/rooms/{room}/members.
func (a memberHandlers) list(w http.ResponseWriter, r *http.Request) error {
	l, _, err := a.managedRoom(r)
	if err != nil {
		return err
	}
	list := []memberInfo{}
	for _, m := range l.Members() {
		list = append(list, memberInfo{
			Member: string(m.ID), Name: m.Name, Role: liveroom.WireRole(m.Role), Account: m.Account,
			Muted: m.Muted, Hand: m.HandUp(), Away: !m.Connected(), Joined: m.JoinedAt.UTC(),
		})
	}
	apierr.WriteJSON(w, http.StatusOK, map[string][]memberInfo{"members": list})
	return nil
}

// remove serves DELETE /api/rooms/{room}/members/{member}: the member cannot join
// again with the same token, and with ?ban=true not with the same account.
func (a memberHandlers) remove(w http.ResponseWriter, r *http.Request) error {
	l, who, err := a.managedRoom(r)
	if err != nil {
		return err
	}
	action, change := "member.remove", (*room.Room).Remove
	if query := r.URL.Query().Get("ban"); query != "" {
		ban, err := strconv.ParseBool(query)
		if err != nil {
			return wire.FieldError("ban", "must be true or false")
		}
		if ban {
			action, change = "member.ban", (*room.Room).Ban
		}
	}
	if err := a.Club.Moderate(who, l, action, r.PathValue("member"), change); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// mute serves POST /api/rooms/{room}/members/{member}/mute.
func (a memberHandlers) mute(w http.ResponseWriter, r *http.Request) error {
	l, who, err := a.managedRoom(r)
	if err != nil {
		return err
	}
	var body struct {
		Muted *bool `json:"muted"`
	}
	if err := readBody(w, r, &body); err != nil {
		return err
	}
	if body.Muted == nil {
		return wire.FieldError("muted", "must be true or false")
	}
	action, change := "member.mute", (*room.Room).Mute
	if !*body.Muted {
		action, change = "member.unmute", (*room.Room).Unmute
	}
	if err := a.Club.Moderate(who, l, action, r.PathValue("member"), change); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}
