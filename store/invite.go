package store

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/earshot-audio/earshot/room"
)

// Invite is the right to come in, given to whoever holds its code: to a room in
// a role, or to the club, as an account. It is a value. The code itself is not in
// it: it is known to its holder alone.
type Invite struct {
	// ID is public: it names the invite without letting anybody in. It is the
	// digest of the code.
	ID string `json:"id"`
	// Room is the room's id; empty for an invite to the club.
	Room string `json:"room,omitempty"`
	// Role is the role in the room; zero for the club.
	Role room.Role `json:"role,omitempty"`
	// Name says for people whom it is for.
	Name string `json:"name,omitempty"`
	// Inviter is the account that made it; empty for the operator and for a host
	// without an account. InviterName is for people; InviterPass is the lineage of
	// the token it was made with.
	Inviter     string `json:"inviter,omitempty"`
	InviterName string `json:"inviter_name,omitempty"`
	InviterPass string `json:"inviter_pass,omitempty"`
	// Uses is how many may come in by it, Used how many have.
	Uses    int       `json:"uses"`
	Used    int       `json:"used"`
	Created time.Time `json:"created"`
	Expires time.Time `json:"expires"`
	Revoked bool      `json:"revoked,omitempty"`
}

// Standing is what has become of an invite.
type Standing string

// The standings. Only a live invite lets anybody in.
const (
	Live    Standing = "live"
	Spent   Standing = "spent"
	Expired Standing = "expired"
	Revoked Standing = "revoked"
)

// Standing tells what has become of the invite by the given time.
func (i Invite) Standing(now time.Time) Standing {
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

// free returns how many more may come in.
func (i Invite) free(now time.Time) int {
	if i.Standing(now) != Live {
		return 0
	}
	return i.Uses - i.Used
}

// Invite stores a new invite and returns it with its id, and its code, which is
// shown this once. An invite to the club is taken from its inviter's budget
// ([ErrBudget]); the operator (no inviter) has no limit.
func (s *Store) Invite(ctx context.Context, i Invite) (made Invite, code string, err error) {
	if i.Room == "" && i.Inviter != "" {
		if _, err := s.spend(ctx, i.Inviter, i.Uses); err != nil {
			return Invite{}, "", err
		}
	}
	code = NewCode()
	i.ID = digest(code)
	made, err = s.invites.change(ctx, i.ID, func(Invite, bool) (Invite, error) { return i, nil })
	return made, code, err
}

// Code returns the id of the invite with this code, whether there is one or not.
func (s *Store) Code(code string) (id string) { return digest(code) }

// FindInvite looks an invite up by its id.
func (s *Store) FindInvite(id string) (Invite, error) {
	i, ok := s.invites.get(id)
	if !ok {
		return Invite{}, fmt.Errorf("invite: %w", ErrNotFound)
	}
	return i, nil
}

// Look returns the invite with a code, if it lets anybody in; else
// [ErrUnavailable]. It does the same work for every code.
func (s *Store) Look(code string, now time.Time) (Invite, error) {
	i, _ := s.invites.get(digest(code))
	// What is not there is judged as an invite without uses.
	if i.free(now) == 0 {
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

// Revoke ends an invite. What is left of one to the club goes back to its
// inviter's budget. One that has ended already is left as it is.
func (s *Store) Revoke(ctx context.Context, id string, now time.Time) (Invite, error) {
	var back int
	i, err := s.invites.change(ctx, id, func(i Invite, there bool) (Invite, error) {
		if !there {
			return i, fmt.Errorf("invite: %w", ErrNotFound)
		}
		back = i.free(now)
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

// Forget removes the invites that ended before the given time.
func (s *Store) Forget(ctx context.Context, before time.Time) error {
	return s.forget(ctx, func(i Invite) bool { return i.Expires.Before(before) })
}

func (s *Store) forget(ctx context.Context, which func(Invite) bool) error {
	for _, i := range s.invites.all() {
		if which(i) {
			if err := s.invites.remove(ctx, i.ID); err != nil {
				return err
			}
		}
	}
	return nil
}
