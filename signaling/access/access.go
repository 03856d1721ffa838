package access

import (
	"github.com/earshot-audio/earshot/room"
	"github.com/earshot-audio/earshot/signaling/apierr"
	"github.com/earshot-audio/earshot/signaling/auth"
	"github.com/earshot-audio/earshot/signaling/liveroom"
	"github.com/earshot-audio/earshot/signaling/wire"
)

// Policy decides on access. It is safe for concurrent use.
type Policy struct {
	// Open lets everybody join and manage all rooms.
	Open  bool
	Rooms *liveroom.Registry
}

// Find returns a room that the principal may see, or [apierr.ErrNoRoom].
func (a *Policy) Find(who auth.Principal, id string) (*liveroom.LiveRoom, error) {
	l, err := a.Rooms.Find(id)
	if err != nil {
		return nil, err
	}
	if !a.MaySee(who, l) {
		return nil, apierr.ErrNoRoom
	}
	return l, nil
}

// FindManaged returns a room that the principal may manage. A room that they may
// only see is refused with [wire.CodeForbidden].
func (a *Policy) FindManaged(who auth.Principal, id string) (*liveroom.LiveRoom, error) {
	l, err := a.Find(who, id)
	if err == nil && !a.Manages(who, l) {
		return nil, wire.NewError(wire.CodeForbidden, "that takes a host's or the operator's token")
	}
	return l, err
}

// MaySee reports whether the principal may see a room: the operator sees every
// room, others those that their token is for, that they own, or that its visibility
// shows them. On an open server everybody sees every open room.
func (a *Policy) MaySee(who auth.Principal, l *liveroom.LiveRoom) bool {
	if who.Operator || who.Room == l.ID() || owns(who, l) {
		return true
	}
	return (a.Open || who.TokenFamily != "") && visibleTo(who, l)
}

// Manages reports whether the principal may do what a host may: manage members and
// invites, and end the room. On an open server everybody may.
func (a *Policy) Manages(who auth.Principal, l *liveroom.LiveRoom) bool {
	return a.managesByToken(who, l.ID()) || owns(who, l)
}

// ManagesSession reports whether the principal may manage the WHIP and WHEP
// sessions of others in a room.
func (a *Policy) ManagesSession(who auth.Principal, id string) bool {
	return a.managesByToken(who, id)
}

func (a *Policy) managesByToken(who auth.Principal, id string) bool {
	return a.Open || who.Operator || (who.Room == id && who.Role == wire.RoleHost)
}

// owns reports whether the principal's account made the room.
func owns(who auth.Principal, l *liveroom.LiveRoom) bool { return who.Member && l.OwnedBy(who.Account) }

// visibleTo reports whether the room's visibility shows it to somebody who is not
// invited.
func visibleTo(who auth.Principal, l *liveroom.LiveRoom) bool {
	switch l.Visibility() {
	case room.Open:
		return true
	case room.MembersOnly:
		return who.Member
	default:
		return false
	}
}

// Admit returns the role in which the principal may join a room, and who they are
// there: the owner of a room is a host in it. want is the role that they ask for;
// empty: the one that their token gives them, or listener.
func (a *Policy) Admit(who auth.Principal, id string, want wire.Role) (wire.Role, auth.Principal, error) {
	if l, err := a.Rooms.Find(id); err == nil && !a.Open && who.Room != id && !who.Operator {
		switch {
		case owns(who, l):
			who.Room, who.Role, who.Invited = id, wire.RoleHost, true
		case !visibleTo(who, l):
			return "", auth.Principal{}, apierr.ErrNoRoom
		default:
			who.Invited, who.Reservation = false, ""
		}
	}
	role, err := a.role(who, id, want)
	return role, who, err
}

// role returns the role that a principal's token allows in a room. A role that it
// allows in its own room only is refused in others as if the room did not exist.
func (a *Policy) role(who auth.Principal, id string, want wire.Role) (wire.Role, error) {
	own := who.Room == id
	if a.Open || who.Operator {
		switch {
		case want != "":
			return want, nil
		case own && who.Role != "":
			return who.Role, nil
		}
		return wire.RoleListener, nil
	}
	allowed := who.Role
	if !own {
		if who.TokenFamily == "" {
			return "", apierr.ErrNoRoom
		}
		// Any token of this server lets its holder listen where everybody may.
		allowed = wire.RoleListener
	}
	switch {
	case want == "":
		return allowed, nil
	case liveroom.RoomRole(want) <= liveroom.RoomRole(allowed):
		return want, nil
	case !own:
		return "", apierr.ErrNoRoom
	}
	return "", wire.NewError(wire.CodeForbidden, "the token does not allow that role")
}

// Identity returns the identity by which a room's rules know the principal.
func Identity(who auth.Principal) room.Identity {
	return room.Identity{Account: who.Account, TokenFamily: who.TokenFamily}
}

// JoinRequest returns the request to join a room as an admitted principal. An empty
// name is replaced by the token's.
func JoinRequest(who auth.Principal, id, name string, role wire.Role) room.JoinRequest {
	if name == "" {
		name = who.Name
	}
	return room.JoinRequest{
		Name: name, Role: liveroom.RoomRole(role),
		ClubMember:  who.Member,
		Invited:     who.Operator || (who.Room == id && who.Invited),
		Reservation: who.Reservation,
	}
}
