package store

import "slices"

// What somebody who makes many accounts can have. A member may invite others, and those others
// again: nobody can tell a person with many accounts from many people. But it is known who brought
// in whom. So what the server has only so much of is shared by branches: an account together with
// all that came by its invites, and by theirs.

// Lineage returns an account and who brought it in, from one to the next: the last came by an invite of
// the operator, who is not among them. whole is false if the last is not there: nobody knows who brought
// it in.
func (s *Store) Lineage(id string) (accounts []Account, whole bool) {
	known := func(a Account) bool { return a.ID == id }
	for !slices.ContainsFunc(accounts, known) { // a circle can only be damage
		a, there := s.accounts.get(id)
		a.ID = id
		accounts = append(accounts, a)
		if !there || a.Inviter == "" {
			return accounts, there
		}
		id = a.Inviter
	}
	return accounts, false
}

// A Holding calls add for accounts that have something, with how much.
type Holding func(add func(account string, n int))

// Full reports whether no more may come to an account, and how much the branch may have, its own or that
// of somebody who brought it in, that has as much as it may. The server has a ceiling. A branch may
// have half of what that of its inviter may have, and whoever came by an invite of the operator half of
// the ceiling; but each at least so much as floor.
func (s *Store) Full(account string, ceiling, floor int, all Holding) (limit int, full bool) {
	lineage, whole := s.Lineage(account)
	for i, has := range s.sumBranches(lineage, all) {
		if limit = floor; whole {
			limit = max(floor, ceiling>>min(len(lineage)-i, 62))
		}
		if has >= limit {
			return limit, true
		}
	}
	return 0, false
}

// sumBranches adds up what the branches of a lineage have.
func (s *Store) sumBranches(lineage []Account, all Holding) []int {
	const elsewhere = -1
	sums := make([]int, len(lineage))
	nearest := map[string]int{"": elsewhere} // who of the lineage each account came by
	for i, a := range lineage {
		nearest[a.ID] = i
	}
	have := map[string]int{}
	all(func(account string, n int) { have[account] += n })
	for account, n := range have {
		var climbed []string
		id := account
		at, known := nearest[id]
		for !known {
			climbed, nearest[id] = append(climbed, id), elsewhere
			a, _ := s.accounts.get(id)
			id = a.Inviter
			at, known = nearest[id]
		}
		for _, id := range climbed {
			nearest[id] = at
		}
		if at != elsewhere {
			sums[at] += n
		}
	}
	for i := 1; i < len(sums); i++ {
		sums[i] += sums[i-1]
	}
	return sums
}

// CountMembers returns how many accounts there are.
func (s *Store) CountMembers() (n int) {
	s.accounts.each(func(Account) { n++ })
	return n
}

// Members is a [Holding] of the accounts themselves.
func (s *Store) Members(add func(account string, n int)) {
	s.accounts.each(func(a Account) { add(a.ID, 1) })
}

// RoomsOwned is a [Holding] of the store's rooms.
func (s *Store) RoomsOwned(add func(account string, n int)) {
	s.rooms.each(func(r roomRecord) {
		if r.Config.Owner != "" && !r.Ended {
			add(r.Config.Owner, 1)
		}
	})
}
