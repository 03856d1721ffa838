package access

import (
	"errors"
	"strings"

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
	// Sponsors returns who brought an account into the club; nil: nobody has an account.
	Sponsors func(account string) []room.Sponsor
}

// Find returns a room that the principal may see, or [apierr.ErrNoRoom]. Those who
// were put out are told so: [room.ErrBlocked].
func (a *Policy) Find(who auth.Principal, id string) (*liveroom.LiveRoom, error) {
	l, err := a.Rooms.Find(id)
	if err != nil {
		return nil, err
	}
	if err := a.maySee(who, l); errors.Is(err, room.ErrBlocked) {
		return nil, err
	} else if err != nil {
		return nil, apierr.ErrNoRoom
	}
	return l, nil
}

// FindManaged returns a room that the principal may manage. A room that they may
// only see is refused with [wire.CodeForbidden].
func (a *Policy) FindManaged(who auth.Principal, id string) (*liveroom.LiveRoom, error) {
	l, err := a.Find(who, id)
	if err == nil {
		err = l.Ask(func(rules *room.Room) error { return a.CheckManages(who, l, rules) })
	}
	return l, err
}

// MaySee reports whether the principal may see a room: the operator sees every
// room, others those that their token is for, that they own, in which they have been
// brought on stage, or that its visibility shows them, and nobody one that they were
// put out of. On an open server everybody sees every open room.
func (a *Policy) MaySee(who auth.Principal, l *liveroom.LiveRoom) bool {
	return a.maySee(who, l) == nil
}

func (a *Policy) maySee(who auth.Principal, l *liveroom.LiveRoom) error {
	return l.Ask(func(rules *room.Room) error {
		_, err := a.allowed(who, l, rules)
		return err
	})
}

// Manages reports whether the principal may do what a host may: manage members and
// invites, and end the room. On an open server everybody may.
func (a *Policy) Manages(who auth.Principal, l *liveroom.LiveRoom) bool {
	return l.Ask(func(rules *room.Room) error { return a.CheckManages(who, l, rules) }) == nil
}

// CheckManages returns an error if the principal may not do what a host may. It is
// called with the room's lock held, so that what it allows is done before anything
// else happens in the room.
func (a *Policy) CheckManages(who auth.Principal, l *liveroom.LiveRoom, rules *room.Room) error {
	if a.Open || who.Operator {
		return nil
	}
	role, err := a.allowed(who, l, rules)
	if err == nil && role != room.Host {
		err = wire.NewError(wire.CodeForbidden, "that takes a host's or the operator's token")
	}
	return err
}

// allowed returns the highest role that the principal may have in a room now: the
// token says who they are, and the room what they may do.
func (a *Policy) allowed(who auth.Principal, l *liveroom.LiveRoom, rules *room.Room) (room.Role, error) {
	if who.Operator {
		return room.Host, nil
	}
	return rules.Allowed(a.claim(who, l, rules))
}

// claim returns what the principal's token and account give them in a room.
func (a *Policy) claim(who auth.Principal, l *liveroom.LiveRoom, rules *room.Room) room.Claim {
	claim := room.Claim{Identity: Identity(who), InvitedBy: who.InvitedBy}
	switch {
	case owns(who, l):
		claim.Role, claim.Owner = room.Host, true
	case who.Room == l.ID():
		claim.Role = liveroom.RoomRole(who.Role)
	case (a.Open || who.TokenFamily != "") && visibleTo(who, rules.Rules().Visibility):
		// Any token of this server lets its holder listen where everybody may.
		claim.Role = room.Listener
	}
	claim.Sponsors = a.sponsors(who, l.ID())
	return claim
}

// sponsors returns who brought the principal's account into the club. It does not matter for the owner
// of a room, and for who came by an invite to it.
func (a *Policy) sponsors(who auth.Principal, id string) []room.Sponsor {
	if !who.Member || who.Room == id || a.Sponsors == nil {
		return nil
	}
	return a.Sponsors(who.Account)
}

// owns reports whether the principal's account made the room.
func owns(who auth.Principal, l *liveroom.LiveRoom) bool { return who.Member && l.OwnedBy(who.Account) }

// visibleTo reports whether a room's visibility shows it to somebody who is not
// invited.
func visibleTo(who auth.Principal, visibility room.Visibility) bool {
	switch visibility {
	case room.Open:
		return true
	case room.MembersOnly:
		return who.Member
	default:
		return false
	}
}

// Admission is a principal who may join a room.
type Admission struct {
	// Who they are there: a room may give them another role than their token.
	Who  auth.Principal
	Role wire.Role

	room      string
	owner     bool
	orSeat    bool
	invitedBy string
	sponsors  []room.Sponsor
}

// Admit returns how the principal may join a room. want is the role that they ask
// for; empty: the highest that the room lets them have, or listener.
func (a *Policy) Admit(who auth.Principal, id string, want wire.Role) (Admission, error) {
	admission := Admission{room: id, invitedBy: who.InvitedBy, sponsors: a.sponsors(who, id)}
	if l, err := a.Rooms.Find(id); err == nil && !who.Operator {
		err := l.Ask(func(rules *room.Room) error {
			claim := a.claim(who, l, rules)
			role, err := rules.Allowed(claim)
			if err != nil {
				return err
			}
			admission.owner = claim.Owner
			switch {
			case role != claim.Role || claim.Owner:
				// The room's word, as if it were in the token.
				admission.orSeat = want == "" && role > claim.Role
				who.Room, who.Role, who.Invited = id, liveroom.WireRole(role), role != room.Listener
			case who.Room != id && !a.Open:
				who.Invited, who.Reservation = false, ""
			}
			return nil
		})
		// On an open server, what the room says is asked again when they join.
		if errors.Is(err, room.ErrBlocked) || err != nil && !a.Open {
			return Admission{}, err
		}
	}
	var err error
	admission.Role, err = a.role(who, id, want)
	admission.Who = who
	return admission, err
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
	return "", wire.NewError(wire.CodeForbidden, "the token does not allow that role, or the room has given its holder another")
}

// Identity returns the identity by which a room's rules know the principal.
func Identity(who auth.Principal) room.Identity {
	return room.Identity{Account: who.Account, TokenFamily: who.TokenFamily, Invite: who.Reservation}
}

// Inviters returns what an invite or a token that the principal hands out says of
// who invited: the principal, and whoever invited them.
func Inviters(who auth.Principal) string {
	keys := strings.Fields(who.InvitedBy)
	for _, key := range []string{who.Account, who.TokenFamily} {
		if key != "" {
			keys = append(keys, key)
		}
	}
	return strings.Join(keys, " ")
}

// JoinRequest returns the request to join the room. An empty name is replaced by the
// token's.
func (a Admission) JoinRequest(name string) room.JoinRequest {
	if name = strings.TrimSpace(name); name == "" {
		name = a.Who.Name
	}
	return room.JoinRequest{
		Name: name, Role: liveroom.RoomRole(a.Role),
		ClubMember:  a.Who.Member,
		Invited:     a.Who.Operator || (a.Who.Room == a.room && a.Who.Invited),
		Reservation: a.Who.Reservation,
		Owner:       a.owner, OrListener: a.orSeat, InvitedBy: a.invitedBy, Sponsors: a.sponsors,
	}
}
