package club

import (
	"context"
	"fmt"
	"time"

	"github.com/earshot-audio/earshot/room"
	"github.com/earshot-audio/earshot/signaling/apierr"
	"github.com/earshot-audio/earshot/signaling/auth"
	"github.com/earshot-audio/earshot/signaling/liveroom"
	"github.com/earshot-audio/earshot/signaling/wire"
	"github.com/earshot-audio/earshot/store"
)

// CreateInvite makes an invite by the principal and returns it with its code. l is
// its room; nil: the club. An invite to the stage for one person reserves a place
// there until it expires.
func (c *Club) CreateInvite(ctx context.Context, who auth.Principal, l *liveroom.LiveRoom, wanted store.Invite) (store.Invite, string, error) {
	wanted.InviterTokenFamily, wanted.InviterName = who.TokenFamily, c.Holder(who).Name
	if who.Member {
		wanted.Inviter = who.Account
	}
	if who.Operator {
		wanted.InviterName = auth.KindOperator
	}
	made, code, err := c.Store.CreateInvite(ctx, wanted)
	if err != nil {
		return store.Invite{}, "", err
	}
	if l != nil && made.Role.OnStage() && made.Uses == 1 {
		place := room.Reservation{Key: made.ID, Name: made.Name, Role: made.Role, Until: made.Expires}
		err := l.Change(func(rules *room.Room, now time.Time) ([]room.Event, error) { return rules.Reserve(place, now) }, nil)
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
	if err == nil && (who.Operator || MadeInvite(who, invite)) {
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
// token.
func MadeInvite(who auth.Principal, invite store.Invite) bool {
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
	if err != nil {
		return store.Invite{}, nil, apierr.ErrInviteUnavailable
	}
	return invite, l, nil
}
