package store

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/earshot-audio/earshot/room"
)

// Plan is a room that is to open at a time. It is a value. It goes away at its end.
type Plan struct {
	// ID is secret: whoever knows it may look at the plan. The room that it becomes has
	// the same one.
	ID    string `json:"id"`
	Title string `json:"title"`
	// Owner is the account that made it, which will own the room.
	Owner string `json:"owner"`
	// Hosts are the accounts that host it beside the owner, each by its own consent.
	Hosts []string `json:"hosts,omitempty"`
	// HostCode is the digest of the code by which a member becomes one of them; empty:
	// there is none.
	HostCode   string          `json:"host_code,omitempty"`
	Visibility room.Visibility `json:"visibility"`
	// Starts has the offset from UTC of whoever made the plan.
	Starts  time.Time `json:"starts"`
	Ends    time.Time `json:"ends"`
	Created time.Time `json:"created"`
	// Language is the tag of the language that whoever made it was shown the page in; empty: English.
	Language string `json:"language,omitempty"`
}

// HostedBy reports whether an account hosts the plan.
func (p Plan) HostedBy(account string) bool {
	return account != "" && (account == p.Owner || slices.Contains(p.Hosts, account))
}

// TakesHostCode reports whether a code is the plan's for its hosts.
func (p Plan) TakesHostCode(code string) bool { return p.HostCode != "" && p.HostCode == digest(code) }

// PutPlan writes a new plan.
func (s *Store) PutPlan(ctx context.Context, p Plan) (Plan, error) {
	return s.plans.change(ctx, keyOf(p.ID), func(Plan, bool) (Plan, error) { return p, nil })
}

// ChangePlan changes a plan. If change returns an error, nothing is written.
func (s *Store) ChangePlan(ctx context.Context, id string, change func(Plan) (Plan, error)) (Plan, error) {
	return s.plans.change(ctx, keyOf(id), func(p Plan, there bool) (Plan, error) {
		if !there {
			return p, fmt.Errorf("plan: %w", ErrNotFound)
		}
		p.Hosts = slices.Clone(p.Hosts)
		return change(p)
	})
}

// NewHostCode gives a plan another code for its hosts, in place of the last one, and
// returns it. Only its digest is kept.
func (s *Store) NewHostCode(ctx context.Context, id string) (code string, err error) {
	code = NewCode()
	_, err = s.ChangePlan(ctx, id, func(p Plan) (Plan, error) {
		p.HostCode = digest(code)
		return p, nil
	})
	return code, err
}

// Plan returns a plan. In a cluster another server may have made it just now.
func (s *Store) Plan(ctx context.Context, id string) (Plan, error) {
	p, there := s.plans.get(keyOf(id))
	if !there && s.cluster != nil {
		ctx, cancel := s.health.Operation(ctx)
		defer cancel()
		if err := s.plans.reload(ctx, keyOf(id)); err != nil {
			return Plan{}, s.health.Explain(err)
		}
		p, there = s.plans.get(keyOf(id))
	}
	if !there {
		return Plan{}, fmt.Errorf("plan: %w", ErrNotFound)
	}
	return p, nil
}

// Plans returns all plans, the soonest first.
func (s *Store) Plans() []Plan {
	all := s.plans.all()
	slices.SortFunc(all, func(a, b Plan) int {
		return cmp.Or(a.Starts.Compare(b.Starts), cmp.Compare(a.ID, b.ID))
	})
	return all
}

// RemovePlan removes a plan.
func (s *Store) RemovePlan(ctx context.Context, id string) error {
	return s.plans.remove(ctx, keyOf(id))
}

// RemovePastPlans removes the plans whose end was before the given time.
func (s *Store) RemovePastPlans(ctx context.Context, before time.Time) error {
	for _, p := range s.Plans() {
		if p.Ends.Before(before) {
			if err := s.RemovePlan(ctx, p.ID); err != nil {
				return err
			}
		}
	}
	return nil
}

// PlansOwned is a [Holding] of the plans.
func (s *Store) PlansOwned(add func(account string, n int)) {
	s.plans.each(func(p Plan) { add(p.Owner, 1) })
}

// forgetPlans removes the plans that an account made, and its name from those of others.
func (s *Store) forgetPlans(ctx context.Context, account string) error {
	for _, p := range s.Plans() {
		var err error
		switch {
		case p.Owner == account:
			err = s.RemovePlan(ctx, p.ID)
		case p.HostedBy(account):
			_, err = s.ChangePlan(ctx, p.ID, func(p Plan) (Plan, error) {
				p.Hosts = slices.DeleteFunc(p.Hosts, func(id string) bool { return id == account })
				return p, nil
			})
		}
		if err != nil {
			return err
		}
	}
	return nil
}
