package club

import (
	"cmp"
	"context"
	"fmt"

	"github.com/earshot-audio/earshot/signaling/apierr"
	"github.com/earshot-audio/earshot/signaling/auth"
	"github.com/earshot-audio/earshot/signaling/wire"
	"github.com/earshot-audio/earshot/store"
)

// Profiles makes the transactions with what members show of themselves, and with whom they
// follow. An account without words and picture has no profile, and nobody is told its id.
type Profiles struct{ *Club }

var errNoProfile = wire.NewError(wire.CodeNotFound, "there is no such profile")

// Set sets the name of the principal, who must be a member, and what they say of themselves; nil: as it
// is. The audit log has another name, so that whoever reads it knows who somebody was.
func (c Profiles) Set(ctx context.Context, who auth.Principal, name, about *string) (store.Account, error) {
	if !who.Member {
		return store.Account{}, errNoAccount
	}
	before, err := c.Store.Account(who.Account)
	if err != nil {
		return store.Account{}, err
	}
	own, err := c.Store.SetProfile(ctx, who.Account, name, about)
	if err != nil || own.Name == before.Name {
		return own, err
	}
	return own, c.audited(ctx, who, "account.rename", "", own.ID, fmt.Sprintf("%q is now %q", before.Name, own.Name))
}

// SetPicture sets the principal's picture, who must be a member; nil: they have none.
func (c Profiles) SetPicture(ctx context.Context, who auth.Principal, picture []byte) (store.Account, error) {
	if !who.Member {
		return store.Account{}, errNoAccount
	}
	return c.Store.SetPicture(ctx, who.Account, picture)
}

// Find returns an account that has a profile.
func (c Profiles) Find(id string) (store.Account, error) {
	a, err := c.Store.Account(id)
	if err != nil || !a.HasProfile() {
		return store.Account{}, errNoProfile
	}
	return a, nil
}

// InviterName returns the name of who made an invite, as it is now; empty: the operator.
func (c Profiles) InviterName(invite store.Invite) string {
	if a, err := c.Store.Account(cmp.Or(invite.InviterAs, invite.Inviter)); err == nil {
		return a.Name
	}
	return invite.InviterName
}

// Clear removes words and picture of an account, for the operator.
func (c Profiles) Clear(ctx context.Context, who auth.Principal, id string) error {
	if !who.Operator {
		return wire.NewError(wire.CodeForbidden, "that takes the operator's token: members change their own")
	}
	if _, err := c.Find(id); err != nil {
		return err
	}
	if _, err := c.Store.SetProfile(ctx, id, nil, new(string)); err != nil {
		return err
	}
	if _, err := c.Store.SetPicture(ctx, id, nil); err != nil {
		return err
	}
	return c.audited(ctx, who, "profile.clear", "", id, "")
}

// Following returns the accounts whom the principal follows and who have a profile.
func (c Profiles) Following(who auth.Principal) (all []store.Account, err error) {
	if !who.Member {
		return nil, errNoAccount
	}
	for _, id := range c.Store.Followed(who.Account) {
		if a, err := c.Find(id); err == nil {
			all = append(all, a)
		}
	}
	return all, nil
}

// Follow makes the principal, who must be a member, follow another, or not any more.
func (c Profiles) Follow(ctx context.Context, who auth.Principal, id string, follow bool) error {
	if !who.Member {
		return errNoAccount
	}
	if !follow {
		return c.Store.Unfollow(ctx, who.Account, id)
	}
	if _, err := c.Find(id); err != nil || id == who.Account {
		return errNoProfile
	}
	return c.Store.Follow(ctx, who.Account, id)
}

// Picture returns a picture by its name.
func (c Profiles) Picture(ctx context.Context, name string) ([]byte, error) {
	picture, err := c.Store.Picture(ctx, name)
	if refusal, known := apierr.Lookup(err); err != nil && known && refusal.Code == wire.CodeNotFound {
		return nil, wire.NewError(wire.CodeNotFound, "there is no such picture")
	}
	return picture, err
}
