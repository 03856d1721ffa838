package store

import (
	"context"
	"errors"
	"fmt"
	"slices"
)

// MaxFollowing is how many people an account may follow.
const MaxFollowing = 500

// ErrFollowing says that an account follows as many people as it may.
var ErrFollowing = fmt.Errorf("%d people are followed, as many as may be", MaxFollowing)

// HasProfile reports whether the account shows something of itself to others. Only then
// they are told its id.
func (a Account) HasProfile() bool { return a.About != "" || a.Picture != "" }

// SetProfile sets an account's name, and what it says of itself (empty: nothing); nil: as it is.
func (s *Store) SetProfile(ctx context.Context, id string, name, about *string) (Account, error) {
	return s.changeAccount(ctx, id, func(a Account) (Account, error) {
		if name != nil {
			a.Name = *name
		}
		if about != nil {
			a.About = *about
		}
		return a, nil
	})
}

// SetPicture keeps a picture as an account's, in place of the last one; nil: it has none. A
// picture has a secret of its own as its name, and never changes.
func (s *Store) SetPicture(ctx context.Context, id string, picture []byte) (Account, error) {
	name := ""
	if picture != nil {
		name = NewCode()
		if err := s.putPicture(ctx, name, picture); err != nil {
			return Account{}, err
		}
	}
	last := ""
	a, err := s.changeAccount(ctx, id, func(a Account) (Account, error) {
		last, a.Picture = a.Picture, name
		return a, nil
	})
	if err != nil {
		last = name // nobody's
	}
	return a, errors.Join(err, s.removePicture(ctx, last))
}

// Picture returns a picture by its name.
func (s *Store) Picture(ctx context.Context, name string) ([]byte, error) {
	if len(name) != CodeLength {
		return nil, fmt.Errorf("picture: %w", ErrNotFound)
	}
	ctx, cancel := s.health.Operation(ctx)
	defer cancel()
	r, err := s.pictures.Get(ctx, keyOf(name))
	if err != nil {
		return nil, fmt.Errorf("picture: %w", s.health.Explain(err))
	}
	return r.Data, nil
}

// Followed returns whom an account follows, without those who have no profile any more. It is
// never nil.
func (s *Store) Followed(id string) []string {
	a, _ := s.accounts.get(id) // who is not there follows nobody
	return slices.DeleteFunc(append([]string{}, a.Following...), func(other string) bool {
		shown, ok := s.accounts.get(other)
		return !ok || !shown.HasProfile()
	})
}

// Follow makes an account follow another, which must have a profile.
func (s *Store) Follow(ctx context.Context, id, other string) error {
	if a, err := s.Account(other); err != nil || !a.HasProfile() || other == id {
		return fmt.Errorf("profile: %w", ErrNotFound)
	}
	_, err := s.changeAccount(ctx, id, func(a Account) (Account, error) {
		switch {
		case slices.Contains(a.Following, other):
			return a, nil
		case len(a.Following) >= MaxFollowing:
			return a, ErrFollowing
		}
		a.Following = append(slices.Clone(a.Following), other)
		return a, nil
	})
	return err
}

// Unfollow makes an account follow another no more.
func (s *Store) Unfollow(ctx context.Context, id, other string) error {
	_, err := s.changeAccount(ctx, id, func(a Account) (Account, error) {
		a.Following = slices.DeleteFunc(slices.Clone(a.Following), func(f string) bool { return f == other })
		return a, nil
	})
	return err
}

// forgetFollowers removes an account from those whom others follow.
func (s *Store) forgetFollowers(ctx context.Context, id string) error {
	for _, a := range s.accounts.all() {
		if slices.Contains(a.Following, id) {
			if err := s.Unfollow(ctx, a.ID, id); err != nil && !errors.Is(err, ErrNotFound) {
				return err
			}
		}
	}
	return nil
}

func (s *Store) changeAccount(ctx context.Context, id string, change func(Account) (Account, error)) (Account, error) {
	return s.accounts.change(ctx, id, func(a Account, there bool) (Account, error) {
		if !there {
			return a, fmt.Errorf("account: %w", ErrNotFound)
		}
		return change(a)
	})
}

func (s *Store) putPicture(ctx context.Context, name string, picture []byte) error {
	ctx, cancel := s.health.Operation(context.WithoutCancel(ctx))
	defer cancel()
	_, err := s.pictures.Put(ctx, keyOf(name), picture, 0)
	return s.health.Explain(err)
}

// removePicture removes a picture; empty: none.
func (s *Store) removePicture(ctx context.Context, name string) error {
	if name == "" {
		return nil
	}
	ctx, cancel := s.health.Operation(context.WithoutCancel(ctx))
	defer cancel()
	return s.health.Explain(s.pictures.Remove(ctx, keyOf(name)))
}
