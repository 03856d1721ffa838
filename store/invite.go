package store

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/earshot-audio/earshot/room"
)

// Invite is the right to join, for whoever has its code: a room in a role, or the
// club, as an account. It is a value. The code is not in it: only its holder knows
// it.
type Invite struct {
	// ID is public: it names the invite but lets nobody in. It is the digest of the
	// code.
	ID string `json:"id"`
	// Room is the room's id; empty for an invite to the club.
	Room string `json:"room,omitempty"`
	// Role is the role in the room; zero for the club.
	Role room.Role `json:"role,omitempty"`
	// Name is the name of the person whom it is for, to be shown.
	Name string `json:"name,omitempty"`
	// Inviter is the account that made it; empty for the operator and for a host
	// without an account. InviterName is to be shown, empty for the operator;
	// InviterTokenFamily identifies the token that it was made with.
	Inviter            string `json:"inviter,omitempty"`
	InviterName        string `json:"inviter_name,omitempty"`
	InviterTokenFamily string `json:"inviter_pass,omitempty"`
	// ByOperator reports whether the operator made it. No name tells: anybody may
	// have any.
	ByOperator bool `json:"by_operator,omitempty"`
	// InviterAs is the account by which a room knows who made it, which a guest has
	// too. InvitedBy lists them, and who invited them: accounts and token families,
	// with spaces between them.
	InviterAs string `json:"inviter_as,omitempty"`
	InvitedBy string `json:"invited_by,omitempty"`
	// Uses is how many may join with it, Used how many have.
	Uses    int       `json:"uses"`
	Used    int       `json:"used"`
	Created time.Time `json:"created"`
	Expires time.Time `json:"expires"`
	Revoked bool      `json:"revoked,omitempty"`
}

// InviteStatus is the status of an invite.
type InviteStatus string

// The statuses. Only a live invite lets anybody in.
const (
	Live    InviteStatus = "live"
	Spent   InviteStatus = "spent"
	Expired InviteStatus = "expired"
	Revoked InviteStatus = "revoked"
)

// Status returns the invite's status at a time.
func (i Invite) Status(now time.Time) InviteStatus {
	switch {
	case i.Revoked:
		return Revoked
	case i.Used >= i.Uses:
		return Spent
	case !now.Before(i.Expires):
		return Expired
	}
	return Live
}

// usesLeft returns how many more may join.
func (i Invite) usesLeft(now time.Time) int {
	if i.Status(now) != Live {
		return 0
	}
	return i.Uses - i.Used
}

// CreateInvite stores a new invite and returns it with its id, and its code, which
// is shown this once. An invite to the club is taken from its inviter's budget
// ([ErrBudget]); the operator (no inviter) has no limit.
func (s *Store) CreateInvite(ctx context.Context, i Invite) (made Invite, code string, err error) {
	if i.Room == "" && i.Inviter != "" {
		if _, err := s.spend(ctx, i.Inviter, i.Uses); err != nil {
			return Invite{}, "", err
		}
	}
	code = NewCode()
	i.ID = digest(code)
	made, err = s.invites.change(ctx, i.ID, func(Invite, bool) (Invite, error) { return i, nil })
	if err == nil {
		err = s.forgetEnded(ctx, made)
	}
	return made, code, err
}

// MaxEndedInvites is how many invites are listed that admit nobody any more, of a room or,
// to the club, of an inviter. Beyond it the oldest are forgotten, so that nobody fills the
// store with invites that they revoke again.
const MaxEndedInvites = 1000

// forgetEnded bounds the ended invites that are listed with a new one.
func (s *Store) forgetEnded(ctx context.Context, made Invite) error {
	s.forgetting.Lock()
	defer s.forgetting.Unlock()
	var ended []Invite
	s.invites.each(func(i Invite) {
		if i.Room == made.Room && (i.Room != "" || i.Inviter == made.Inviter) && i.Status(made.Created) != Live {
			ended = append(ended, i)
		}
	})
	if len(ended) <= MaxEndedInvites {
		return nil
	}
	slices.SortFunc(ended, func(a, b Invite) int { return a.Created.Compare(b.Created) })
	for _, i := range ended[:len(ended)-MaxEndedInvites] {
		if err := s.invites.remove(ctx, i.ID); err != nil {
			return err
		}
	}
	return nil
}

// InviteID returns the id of the invite with this code, whether there is one or
// not.
func (s *Store) InviteID(code string) (id string) { return digest(code) }

// FindInvite looks an invite up by its id.
func (s *Store) FindInvite(id string) (Invite, error) {
	i, ok := s.invites.get(id)
	if !ok {
		return Invite{}, fmt.Errorf("invite: %w", ErrNotFound)
	}
	return i, nil
}

// PeekInvite returns the invite with a code, if it lets anybody in; else
// [ErrUnavailable]. It does the same work for every code.
func (s *Store) PeekInvite(code string, now time.Time) (Invite, error) {
	i, _ := s.invites.get(digest(code))
	// A missing invite is treated as one without uses.
	if i.usesLeft(now) == 0 {
		return Invite{}, ErrUnavailable
	}
	return i, nil
}

// Invites returns all invites, the oldest first.
func (s *Store) Invites() []Invite {
	all := s.invites.all()
	slices.SortFunc(all, func(a, b Invite) int {
		return cmp.Or(a.Created.Compare(b.Created), cmp.Compare(a.ID, b.ID))
	})
	return all
}

// LiveInvites counts the invites to a room that let somebody in.
func (s *Store) LiveInvites(room string, now time.Time) (count int) {
	s.invites.each(func(i Invite) {
		if i.Room == room && i.Status(now) == Live {
			count++
		}
	})
	return count
}

// RevokeInvite ends an invite. The uses left of one to the club go back to its
// inviter's budget. An invite that has ended already stays as it is.
func (s *Store) RevokeInvite(ctx context.Context, id string, now time.Time) (Invite, error) {
	var back int
	i, err := s.invites.change(ctx, id, func(i Invite, there bool) (Invite, error) {
		if !there {
			return i, fmt.Errorf("invite: %w", ErrNotFound)
		}
		back = i.usesLeft(now)
		if back > 0 {
			i.Revoked = true
		}
		return i, nil
	})
	if err != nil || back == 0 || i.Room != "" || i.Inviter == "" {
		return i, err
	}
	_, err = s.spend(ctx, i.Inviter, -back)
	return i, err
}

// RemoveExpiredInvites removes the invites that expired before the given time.
func (s *Store) RemoveExpiredInvites(ctx context.Context, before time.Time) error {
	return s.removeInvites(ctx, func(i Invite) bool { return i.Expires.Before(before) })
}

func (s *Store) removeInvites(ctx context.Context, which func(Invite) bool) error {
	for _, i := range s.invites.all() {
		if which(i) {
			if err := s.invites.remove(ctx, i.ID); err != nil {
				return err
			}
		}
	}
	return nil
}
