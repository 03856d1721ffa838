package club

import (
	"cmp"
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/earshot-audio/earshot/room"
	"github.com/earshot-audio/earshot/signaling/access"
	"github.com/earshot-audio/earshot/signaling/apierr"
	"github.com/earshot-audio/earshot/signaling/auth"
	"github.com/earshot-audio/earshot/signaling/liveroom"
	"github.com/earshot-audio/earshot/signaling/wire"
	"github.com/earshot-audio/earshot/store"
)

// maxInviters bounds how many accounts and tokens an invite names from who made it
// back to the first who invited.
const maxInviters = 16

// CreateInvite makes an invite by the principal and returns it with its code. l is
// its room; nil: the club. An invite to the stage for one person reserves a place
// there until it expires.
func (c *Club) CreateInvite(ctx context.Context, who auth.Principal, l *liveroom.LiveRoom, wanted store.Invite) (store.Invite, string, error) {
	wanted.InviterTokenFamily, wanted.InviterName, wanted.ByOperator = who.TokenFamily, c.Holder(who).Name, who.Operator
	if l != nil {
		if wanted.InviterName == "" {
			wanted.InviterName = nameOnStage(l, who)
		}
		wanted.InviterAs, wanted.InvitedBy = who.Account, access.Inviters(who)
		if len(strings.Fields(wanted.InvitedBy)) > maxInviters {
			return store.Invite{}, "", wire.NewError(wire.CodeForbidden, "too many have invited one another from one to the next: ask who made the room, a member or the operator")
		}
	}
	if who.Member {
		wanted.Inviter = who.Account
	}
	if l != nil && !who.Operator && c.Store.LiveInvites(l.ID(), c.Clock()) >= wire.MaxLiveInvites {
		return store.Invite{}, "", wire.NewError(wire.CodeAccountLimit, fmt.Sprintf("%d invites to this room are good, as many as may be: revoke one, or make one with more uses", wire.MaxLiveInvites))
	}
	made, code, err := c.Store.CreateInvite(ctx, wanted)
	if err != nil {
		return store.Invite{}, "", err
	}
	if l != nil && made.Role.OnStage() && made.Uses == 1 {
		place := room.Reservation{Key: made.ID, Name: made.Name, Role: made.Role, Until: made.Expires}
		if !who.Operator {
			place.Inviter = access.Identity(who)
		}
		err := l.Change(func(rules *room.Room, now time.Time) ([]room.Event, error) {
			if err := c.Access.CheckManages(who, l, rules); err != nil {
				return nil, err
			}
			return rules.Reserve(place, now)
		}, nil)
		if err != nil {
			_, _ = c.Store.RevokeInvite(ctx, made.ID, c.Clock())
			return store.Invite{}, "", err
		}
	}
	becomes := auth.KindMember
	if made.Room != "" {
		becomes = string(liveroom.WireRole(made.Role))
	}
	detail := fmt.Sprintf("as %s, uses %d, for %q", becomes, made.Uses, made.Name)
	return made, code, c.audited(ctx, who, "invite.create", made.Room, made.ID, detail)
}

// FirstInvite makes an invite to the club for whoever runs a server that has no member yet,
// good once and for the given time, and returns its code; empty: there are members.
func (c *Club) FirstInvite(ctx context.Context, ttl time.Duration) (code string, err error) {
	if len(c.Store.Accounts()) > 0 {
		return "", nil
	}
	now := c.Clock().UTC()
	_, code, err = c.CreateInvite(ctx, auth.Principal{Operator: true}, nil, store.Invite{Uses: 1, Created: now, Expires: now.Add(ttl)})
	return code, err
}

// nameOnStage returns the name that somebody goes by on stage, where hosts are; empty:
// they are not there. The token of a room's host has no name.
func nameOnStage(l *liveroom.LiveRoom, who auth.Principal) (name string) {
	_ = l.Ask(func(rules *room.Room) error {
		for _, m := range rules.Stage() {
			if m.TokenFamily == who.TokenFamily && who.TokenFamily != "" {
				name = m.Name
			}
		}
		return nil
	})
	return name
}

// RevokeInvite revokes an invite, named by its code or its ID, and frees the place
// that it reserved. It takes the one who made the invite, the operator or who
// manages its room; to others there is no such invite.
func (c *Club) RevokeInvite(ctx context.Context, who auth.Principal, codeOrID string) error {
	invite, err := c.findRevocable(who, codeOrID)
	if err != nil {
		return err
	}
	if invite, err = c.Store.RevokeInvite(ctx, invite.ID, c.Clock()); err != nil {
		return err
	}
	if invite.Role.OnStage() {
		if l, err := c.Rooms.Find(invite.Room); err == nil {
			err := l.Change(func(rules *room.Room, now time.Time) ([]room.Event, error) {
				return rules.ReleaseReservation(invite.ID, now)
			}, nil)
			if err != nil {
				return err
			}
		}
	}
	return c.audited(ctx, who, "invite.revoke", invite.Room, invite.ID, "")
}

func (c *Club) findRevocable(who auth.Principal, codeOrID string) (store.Invite, error) {
	id := codeOrID
	if len(codeOrID) == store.CodeLength {
		id = c.Store.InviteID(codeOrID)
	}
	invite, err := c.Store.FindInvite(id)
	if err == nil && (who.Operator || c.MadeInvite(who, invite)) {
		return invite, nil
	}
	if err == nil && invite.Room != "" {
		if l, err := c.Rooms.Find(invite.Room); err == nil && c.Access.Manages(who, l) {
			return invite, nil
		}
	}
	return store.Invite{}, wire.NewError(wire.CodeNotFound, "there is no such invite")
}

// MadeInvite reports whether an invite was made with the principal's account or
// token, and they have not been put out of its room since.
func (c *Club) MadeInvite(who auth.Principal, invite store.Invite) bool {
	if !madeInvite(who, invite) {
		return false
	}
	l, err := c.Rooms.Find(invite.Room)
	return err != nil || c.Access.MaySee(who, l)
}

// Status returns the status of an invite: one that its room lets nobody in by any
// more counts as revoked.
func (c *Club) Status(invite store.Invite) store.InviteStatus {
	status := invite.Status(c.Clock())
	if status == store.Live && c.inviteEnded(invite) {
		return store.Revoked
	}
	return status
}

// inviteEnded asks the room of an invite whether it still lets anybody in.
func (c *Club) inviteEnded(invite store.Invite) bool {
	if invite.Room == "" {
		return false
	}
	l, err := c.Rooms.Find(invite.Room)
	if err != nil {
		return false // the caller finds that, too
	}
	maker := room.Claim{
		Identity:  room.Identity{Account: cmp.Or(invite.InviterAs, invite.Inviter), TokenFamily: invite.InviterTokenFamily},
		InvitedBy: invite.InvitedBy,
	}
	ended := false
	_ = l.Ask(func(rules *room.Room) error {
		ended = rules.InviteEnded(invite.ID, maker, invite.Role)
		return nil
	})
	return ended
}

func madeInvite(who auth.Principal, invite store.Invite) bool {
	if invite.Inviter != "" {
		return who.Member && invite.Inviter == who.Account
	}
	return invite.InviterTokenFamily != "" && invite.InviterTokenFamily == who.TokenFamily
}

// PeekInvite returns the invite of a code that admits somebody, with its room; nil:
// the club.
func (c *Club) PeekInvite(code string) (store.Invite, *liveroom.LiveRoom, error) {
	invite, err := c.Store.PeekInvite(code, c.Clock())
	if err != nil || invite.Room == "" {
		return invite, nil, err
	}
	l, err := c.Rooms.Find(invite.Room)
	if err != nil || c.inviteEnded(invite) {
		return store.Invite{}, nil, apierr.ErrInviteUnavailable
	}
	return invite, l, nil
}
