package club

import (
	"context"
	"fmt"

	"github.com/earshot-audio/earshot/room"
	"github.com/earshot-audio/earshot/signaling/apierr"
	"github.com/earshot-audio/earshot/signaling/auth"
	"github.com/earshot-audio/earshot/signaling/liveroom"
	"github.com/earshot-audio/earshot/signaling/wire"
	"github.com/earshot-audio/earshot/store"
)

// Holder is who holds a token, as the API shows it.
type Holder struct {
	Kind    string    `json:"kind"`
	Account string    `json:"account,omitempty"`
	Name    string    `json:"name,omitempty"`
	Room    string    `json:"room,omitempty"`
	Role    wire.Role `json:"role,omitempty"`
	// Invites is how many people a member may still invite to the club.
	Invites *int `json:"invites,omitempty"`
	// About and Picture are what a member shows of themselves.
	About   string `json:"about,omitempty"`
	Picture string `json:"picture,omitempty"`
}

// SignedIn is what somebody gets who signs in.
type SignedIn struct {
	auth.Tokens
	Holder
}

// Holder returns who a principal is.
func (c *Club) Holder(who auth.Principal) Holder {
	h := Holder{Kind: who.Kind(), Name: who.Name, Room: who.Room, Role: who.Role}
	if !who.Member {
		return h
	}
	h.Account = who.Account
	if account, err := c.Store.Account(who.Account); err == nil {
		h.Name, h.Invites, h.About, h.Picture = account.Name, &account.Invites, account.About, account.Picture
	}
	return h
}

func (c *Club) signIn(claims auth.Claims) (SignedIn, error) {
	tokens, err := c.Auth.Issue(claims)
	if err != nil {
		return SignedIn{}, err
	}
	return SignedIn{tokens, c.Holder(claims.Principal())}, nil
}

// Redeemed is what somebody gets who redeems an invite.
type Redeemed struct {
	SignedIn
	// ToClub reports whether it was an invite to the club.
	ToClub bool
	// Key is the login key of a new account. It is shown this once.
	Key string
}

// Redeem redeems an invite's code for somebody with a name. who is the zero
// principal, or the member who redeems it. For every code that admits nobody it is
// the same error, whatever the reason.
func (c *Club) Redeem(ctx context.Context, who auth.Principal, code, name string) (Redeemed, error) {
	member, err := c.member(who)
	if err != nil {
		return Redeemed{}, err
	}
	if name == "" {
		name = member.Name
	}
	now := c.Clock()
	if invite, err := c.Store.PeekInvite(code, now); err == nil {
		if member.ID != "" && invite.Room == "" {
			return Redeemed{}, wire.NewError(wire.CodeConflict, "you are a member of the club")
		}
		if c.inviteEnded(invite) {
			code = "" // an unknown code, to take the same path to the same answer
		}
		if invite.Room == "" {
			if err := checkMembers(c.Store, c.MaxMembers, invite); err != nil {
				return Redeemed{}, err
			}
		}
	}
	invite, err := c.Store.Redeem(ctx, code, now)
	if err != nil {
		return Redeemed{}, err
	}
	redeemed := Redeemed{ToClub: invite.Room == ""}
	claims := auth.Claims{Name: name, Invite: invite.ID, TokenFamily: auth.NewID(), InvitedBy: invite.InvitedBy}
	claims.Subject, claims.Login = member.ID, member.Login
	if redeemed.ToClub {
		var account store.Account
		if account, redeemed.Key, err = c.Store.CreateAccount(ctx, name, invite.Inviter, c.Invites, now); err != nil {
			return Redeemed{}, err
		}
		claims.Subject, claims.Login, claims.Invite = account.ID, account.Login, ""
		claims.InvitedBy = "" // an account stands for itself
	} else {
		l, err := c.Rooms.Find(invite.Room)
		if err != nil {
			return Redeemed{}, apierr.ErrInviteUnavailable
		}
		if err := l.Regrant(room.Identity{Account: member.ID}, invite.Role, invite.Created); err != nil {
			return Redeemed{}, err
		}
		claims.Room, claims.Role = invite.Room, liveroom.WireRole(invite.Role)
	}
	if redeemed.SignedIn, err = c.signIn(claims); err != nil {
		return Redeemed{}, err
	}
	return redeemed, c.audited(ctx, claims.Principal(), "invite.redeem", invite.Room, invite.ID, name)
}

// minBranch is how many members a branch may always have, however far from the operator it is.
const minBranch = 100

// checkMembers returns an error if the club has no place for whoever comes by an invite: it has as many
// members as it may have, or those who came by its inviter's invites, and by theirs, are as many as they
// may be. The invite stays good.
func checkMembers(kept *store.Store, most int, invite store.Invite) error {
	if kept.CountMembers() >= most {
		return wire.NewError(wire.CodeUnavailable, "the club has as many members as it may have")
	}
	if invite.Inviter == "" {
		return nil
	}
	if limit, full := kept.Full(invite.Inviter, most, minBranch, kept.Members); full {
		return wire.NewError(wire.CodeAccountLimit, fmt.Sprintf("who came to the club by invites of the same member are %d, as many as they may be: ask the operator for an invite", limit))
	}
	return nil
}

// member returns a principal's account; the zero value for one who is no member.
func (c *Club) member(who auth.Principal) (store.Account, error) {
	if !who.Member {
		return store.Account{}, nil
	}
	return c.Store.Account(who.Account)
}

// Login signs an account in with its login key, on another device or on one that
// has lost its tokens. The account's earlier login ends, and its participation in
// rooms with it.
func (c *Club) Login(ctx context.Context, key string, from auth.Origin) (SignedIn, error) {
	account, err := c.Store.Login(ctx, key, c.Clock(), func(id string) error { return c.Limiter.SignInAs(from, id) })
	if err != nil {
		return SignedIn{}, err
	}
	claims := auth.Claims{Name: account.Name, Login: account.Login, TokenFamily: auth.NewID()}
	claims.Subject = account.ID
	c.Rooms.EndAccount(account.ID, claims.TokenFamily)
	if c.LoggedIn != nil {
		c.LoggedIn(ctx, account.ID, claims.TokenFamily)
	}
	signedIn, err := c.signIn(claims)
	if err != nil {
		return SignedIn{}, err
	}
	return signedIn, c.audited(ctx, claims.Principal(), "login", "", account.ID, "")
}

// Refresh exchanges a refresh token for a new pair. It is refused for a room that
// has ended or has blocked its holder.
func (c *Club) Refresh(token string, from auth.Origin) (SignedIn, error) {
	claims, err := c.Auth.ParseRefresh(token)
	if err != nil {
		return SignedIn{}, err
	}
	if err := c.Limiter.SignInAs(from, claims.TokenFamily); err != nil {
		return SignedIn{}, err
	}
	if claims.Room != "" {
		who := claims.Principal()
		l, err := c.Rooms.Find(who.Room)
		if err != nil || !c.Access.MaySee(who, l) {
			return SignedIn{}, wire.NewError(wire.CodeUnauthorized, "the token cannot be refreshed")
		}
	}
	return c.signIn(claims)
}
