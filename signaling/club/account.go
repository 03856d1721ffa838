package club

import (
	"context"
	"slices"
	"time"

	"github.com/earshot-audio/earshot/room"
	"github.com/earshot-audio/earshot/signaling/auth"
	"github.com/earshot-audio/earshot/signaling/liveroom"
	"github.com/earshot-audio/earshot/signaling/wire"
	"github.com/earshot-audio/earshot/store"
)

var errNoAccount = wire.NewError(wire.CodeForbidden, "that takes a member's token: nothing else is stored about a person")

// Accounts makes the transactions of members with their own accounts.
type Accounts struct{ *Club }

// AccountExport is all that the server holds about a member.
type AccountExport struct {
	Holder
	Created time.Time
	// Inviter is the account that brought the member in; empty: the operator.
	Inviter string
	// Logins is how often the member has logged in, and LastLogin when that was last.
	Logins    int64
	LastLogin time.Time
	// Following are the accounts whom the member follows.
	Following []string
	// Rooms are those that know the member.
	Rooms []RoomExport
	store.AccountRecords
}

// RoomExport is what a room holds about a member.
type RoomExport struct {
	ID, Title string
	// Owner reports whether the member made the room; Here whether they are in it.
	Owner, Here bool
	// Role is the role in which they were left; zero: none is remembered.
	Role room.Role
	// Muted, Removed and Banned report what was decided about them.
	Muted, Removed, Banned bool
}

// Export returns all that the server holds about the principal, who must be a
// member.
func (c Accounts) Export(ctx context.Context, who auth.Principal) (AccountExport, error) {
	if !who.Member {
		return AccountExport{}, errNoAccount
	}
	account, err := c.Store.Account(who.Account)
	if err != nil {
		return AccountExport{}, err
	}
	export := AccountExport{
		Holder: c.Holder(who), Created: account.Created.UTC(), Inviter: account.Inviter,
		Logins: account.Login, LastLogin: account.Since.UTC(), Following: account.Following,
	}
	for _, l := range c.Rooms.List() {
		if about, known := exportRoom(l, who.Account); known {
			export.Rooms = append(export.Rooms, about)
		}
	}
	export.AccountRecords, err = c.Store.AccountRecords(ctx, who.Account)
	return export, err
}

func exportRoom(l *liveroom.LiveRoom, account string) (about RoomExport, known bool) {
	about = RoomExport{ID: l.ID(), Title: l.Title(), Owner: l.OwnedBy(account)}
	_ = l.Ask(func(rules *room.Room) error {
		id := room.Identity{Account: account}
		_, about.Here = rules.Identify(id)
		about.Banned = rules.Blocked(id)
		about.Removed = slices.ContainsFunc(rules.Blocks(), func(b room.Block) bool { return b.Whose == account })
		for _, s := range rules.Standings() {
			if s.Person == account {
				about.Role, about.Muted = s.Role, s.Muted
			}
		}
		return nil
	})
	return about, about.Owner || about.Here || about.Banned || about.Removed || about.Role != 0 || about.Muted
}

// Delete deletes the principal's account, who must be a member: the rooms that
// they made end, they leave those that they are in, and nothing that the server keeps
// names them any more. What stays are the ids of bans, without a name.
func (c Accounts) Delete(ctx context.Context, who auth.Principal) error {
	if !who.Member {
		return errNoAccount
	}
	account, err := c.Store.Account(who.Account)
	if err != nil {
		return err
	}
	for _, l := range c.Rooms.List() {
		if l.OwnedBy(account.ID) {
			if err := l.EndIf(func(*room.Room) error { return nil }); err != nil {
				return err
			}
		}
	}
	if err := c.forget(account); err != nil {
		return err
	}
	err = c.Store.DeleteAccount(ctx, account.ID, func(id string) bool {
		l, err := c.Rooms.Find(id)
		if err != nil {
			return c.Deleted != nil // another server may have it
		}
		return l.Ask(func(rules *room.Room) error {
			if rules.Blocked(room.Identity{Account: account.ID}) {
				return room.ErrBlocked
			}
			return nil
		}) != nil
	})
	if err != nil {
		return err
	}
	// Somebody may have come in with the account while it was there.
	if err := c.forget(account); err != nil {
		return err
	}
	if c.Deleted != nil {
		c.Deleted(ctx, account.ID, account.Name)
	}
	return c.audited(ctx, auth.Principal{}, "account.delete", "", "", "a member deleted their account")
}

// forget ends what an account has in rooms here, and what they remember of it.
func (c Accounts) forget(account store.Account) error {
	c.Rooms.EndAccount(account.ID, "")
	return c.Rooms.Forget(account.ID, account.Name)
}
