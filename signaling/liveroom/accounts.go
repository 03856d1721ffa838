package liveroom

import (
	"slices"
	"sync"
)

// seat is a participant in a room.
type seat struct {
	room        *LiveRoom
	participant *Participant
}

// accountIndex finds the participants of an account, of whom there is one, or for
// a moment more. Its lock may be taken with a room's lock held, and no other is
// taken while it is held.
type accountIndex struct {
	mu    sync.Mutex
	seats map[string][]seat
}

func newAccountIndex() *accountIndex { return &accountIndex{seats: make(map[string][]seat)} }

// find returns the participants of an account; none for the empty account.
func (a *accountIndex) find(account string) []seat {
	if account == "" {
		return nil
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	return append([]seat(nil), a.seats[account]...)
}

// all returns the participants of all accounts.
func (a *accountIndex) all() map[string][]seat {
	a.mu.Lock()
	defer a.mu.Unlock()
	all := make(map[string][]seat, len(a.seats))
	for account, seats := range a.seats {
		all[account] = slices.Clone(seats)
	}
	return all
}

func (a *accountIndex) add(account string, s seat) {
	if account == "" {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.seats[account] = append(a.seats[account], s)
}

// drop removes all participants of a room.
func (a *accountIndex) drop(l *LiveRoom) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for account, seats := range a.seats {
		if left := slices.DeleteFunc(seats, func(s seat) bool { return s.room == l }); len(left) > 0 {
			a.seats[account] = left
		} else {
			delete(a.seats, account)
		}
	}
}

func (a *accountIndex) remove(account string, p *Participant) {
	if account == "" {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	left := a.seats[account][:0]
	for _, s := range a.seats[account] {
		if s.participant != p {
			left = append(left, s)
		}
	}
	if len(left) == 0 {
		delete(a.seats, account)
		return
	}
	a.seats[account] = left
}
