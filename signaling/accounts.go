package signaling

import "sync"

// seat is one live session of an account.
type seat struct {
	live   *live
	person *person
}

// accounts knows the live session of each account: an account has one. Its lock
// is taken with a room's lock held, and none is taken while it is held.
type accounts struct {
	mu    sync.Mutex
	seats map[string][]seat
}

func newAccounts() *accounts { return &accounts{seats: make(map[string][]seat)} }

// of returns an account's live sessions: one, or for a moment more.
func (a *accounts) of(account string) []seat {
	if account == "" {
		return nil
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	return append([]seat(nil), a.seats[account]...)
}

func (a *accounts) add(account string, s seat) {
	if account == "" {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.seats[account] = append(a.seats[account], s)
}

func (a *accounts) remove(account string, p *person) {
	if account == "" {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	left := a.seats[account][:0]
	for _, s := range a.seats[account] {
		if s.person != p {
			left = append(left, s)
		}
	}
	if len(left) == 0 {
		delete(a.seats, account)
		return
	}
	a.seats[account] = left
}

// endAccount ends the account's live sessions, media included, but for those that
// came with a token of the lineage keep. A later login calls it.
func (h *hub) endAccount(account, keep string) {
	for _, s := range h.accounts.of(account) {
		if keep == "" || s.person.TokenFamily != keep {
			s.live.replace(s.person)
		}
	}
}

// makeWay ends the sessions that an account has elsewhere, before it comes into a
// room as somebody new. A session of that room whose WebSocket is lost is left to
// be taken up again.
func (h *hub) makeWay(account string, room string, solo bool) {
	for _, s := range h.accounts.of(account) {
		if s.live.id != room || solo || !s.live.vacant(s.person) {
			s.live.replace(s.person)
		}
	}
}

// replace takes a person out whose account has come in elsewhere. It fails if
// they are out already, which is as good.
func (l *live) replace(p *person) {
	_ = l.act(l.departure(p, l.rules.Replace), nil)
}
