package store

import (
	"cmp"
	"context"
	"crypto/subtle"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Account is a member of the club. It is a value.
type Account struct {
	ID   string `json:"id"`
	Name string `json:"name"`
	// Key is the digest of the login key's secret half.
	Key string `json:"key"`
	// Inviter is the account that brought this one in; empty for the operator.
	Inviter string `json:"inviter,omitempty"`
	// Sponsors are accounts that have been deleted, with spaces between them: each had been banned
	// from a room before it brought in this one, or one that did.
	Sponsors string `json:"sponsors,omitempty"`
	// Invites is how many people the account may still invite to the club.
	Invites int       `json:"invites"`
	Created time.Time `json:"created"`
	// Login counts the logins. The tokens of earlier logins are invalid.
	Login int64 `json:"login"`
	// Since is when that login was.
	Since time.Time `json:"since"`
	// About is what it says of itself to others, and Picture the name of its picture; empty:
	// nothing, and none.
	About   string `json:"about,omitempty"`
	Picture string `json:"picture,omitempty"`
	// Following are the accounts whom it follows.
	Following []string `json:"following,omitempty"`
}

// CreateAccount makes an account with a budget of invites and returns it with its
// login key, which is shown this once. It counts as the first login.
func (s *Store) CreateAccount(ctx context.Context, name, inviter string, invites int, now time.Time) (made Account, key string, err error) {
	id, secret := NewCode(), NewCode()
	made, err = s.accounts.change(ctx, id, func(Account, bool) (Account, error) {
		return Account{
			ID: id, Name: name, Key: digest(secret), Inviter: inviter,
			Invites: invites, Created: now, Login: 1, Since: now,
		}, nil
	})
	return made, id + "-" + secret, err
}

// Login logs an account in, which ends its earlier login. The error is [ErrKey] if
// the key is wrong. It does the same work for an account that does not exist. may
// is called only if the key is right, and its error ends the login, so that nobody
// who knows only an account's id can use up its owner's limits.
func (s *Store) Login(ctx context.Context, key string, now time.Time, may func(account string) error) (Account, error) {
	id, secret, _ := strings.Cut(key, "-")
	given := digest(secret)
	return s.accounts.change(ctx, id, func(a Account, there bool) (Account, error) {
		want := a.Key
		if !there {
			want = strings.Repeat("-", len(given))
		}
		if subtle.ConstantTimeCompare([]byte(given), []byte(want)) != 1 {
			return a, ErrKey
		}
		if err := may(id); err != nil {
			return a, err
		}
		a.Login++
		a.Since = now
		return a, nil
	})
}

// Account returns an account.
func (s *Store) Account(id string) (Account, error) {
	a, ok := s.accounts.get(id)
	if !ok {
		return Account{}, fmt.Errorf("account: %w", ErrNotFound)
	}
	return a, nil
}

// Accounts returns all accounts, the oldest first.
func (s *Store) Accounts() []Account {
	all := s.accounts.all()
	slices.SortFunc(all, func(a, b Account) int {
		return cmp.Or(a.Created.Compare(b.Created), cmp.Compare(a.ID, b.ID))
	})
	return all
}

// spend takes n invites from an account's budget, or gives them back: [ErrBudget]
// if it has fewer.
func (s *Store) spend(ctx context.Context, id string, n int) (Account, error) {
	return s.accounts.change(ctx, id, func(a Account, there bool) (Account, error) {
		switch {
		case !there:
			return a, fmt.Errorf("account: %w", ErrNotFound)
		case a.Invites < n:
			return a, fmt.Errorf("%d wanted, %d left: %w", n, a.Invites, ErrBudget)
		}
		a.Invites -= n
		return a, nil
	})
}
