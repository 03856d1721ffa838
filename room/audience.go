package room

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// AudienceQuery asks for a page of the audience. Everybody in the room may ask for
// the first page, and for accounts. Search and From are for hosts and the operator.
type AudienceQuery struct {
	// Search is a part of the names that are asked for, in any case; empty: all.
	Search string
	// Accounts are those that are asked for, in all halls; nil: everybody.
	Accounts []string
	// From is the place in the audience at which the page begins: that of
	// [AudiencePage.Next], or zero for the first page.
	From uint64
	// Limit is how many people the page has at most.
	Limit int
}

// AudiencePage is a part of the audience, in the order in which people came in.
type AudiencePage struct {
	Members []Member
	// Count is how many people the query matches, on all pages.
	Count int
	// Next is where the next page begins; zero: there is none.
	Next uint64
}

// AudiencePage returns a page of the audience. People in the audience are shown
// their own hall, those on stage and the operator all halls. A first page without a
// search costs no more than what it shows, however many people listen. The error is
// [ErrNotMember] for somebody who is not in the room, and [ErrForbidden] for what
// takes a host.
func (r *Room) AudiencePage(by MemberID, q AudienceQuery) (AudiencePage, error) {
	hall := allHalls
	if by != Operator {
		e, err := r.find(by)
		if err != nil {
			return AudiencePage{}, err
		}
		if (q.Search != "" || q.From > 0) && e.Role != Host {
			return AudiencePage{}, fmt.Errorf("%s %q: %w: only hosts search the audience", e.Role, string(by), ErrForbidden)
		}
		if !e.Role.OnStage() {
			hall = e.Hall
		}
	}
	if q.Accounts != nil {
		return r.audienceOf(q), nil
	}
	q.Search = strings.ToLower(q.Search)
	page := AudiencePage{Members: make([]Member, 0, min(q.Limit, len(r.audience)))}
	count := 0
	for _, e := range r.audience {
		if hall != allHalls && e.Hall != hall || q.Search != "" && !strings.Contains(strings.ToLower(e.Name), q.Search) {
			continue
		}
		count++
		if e.seq < q.From || page.Next > 0 {
			continue
		}
		if len(page.Members) < q.Limit {
			page.Members = append(page.Members, e.Member)
			continue
		}
		page.Next = e.seq
		if q.Search == "" {
			break // how many there are is known
		}
	}
	switch {
	case q.Search != "":
		page.Count = count
	case hall == allHalls:
		page.Count = len(r.audience)
	default:
		page.Count = r.halls[hall]
	}
	return page, nil
}

// audienceOf returns those of the audience who have one of the query's accounts. It costs no more
// than those have, however many people listen.
func (r *Room) audienceOf(q AudienceQuery) AudiencePage {
	var found []*entry
	for _, account := range q.Accounts {
		if e, ok := r.accounts[account]; ok && !e.Role.OnStage() {
			found = append(found, e)
		}
	}
	slices.SortFunc(found, bySeat)
	page := AudiencePage{Members: []Member{}, Count: len(found)}
	for _, e := range found[:min(q.Limit, len(found))] {
		page.Members = append(page.Members, e.Member)
	}
	return page
}

// allHalls stands for the audience of all halls.
const allHalls = -1

// sit adds a member to the audience, in its place by the order of joining.
func (r *Room) sit(e *entry) {
	i, _ := r.findSeat(e)
	r.audience = slices.Insert(r.audience, i, e)
}

// stand takes a member out of the audience.
func (r *Room) stand(e *entry) {
	if i, ok := r.findSeat(e); ok {
		r.audience = slices.Delete(r.audience, i, i+1)
	}
}

func (r *Room) findSeat(e *entry) (int, bool) {
	return slices.BinarySearchFunc(r.audience, e, bySeat)
}

// bySeat orders people by when they came in.
func bySeat(a, b *entry) int { return cmp.Compare(a.seq, b.seq) }
