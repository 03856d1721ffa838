package club

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/earshot-audio/earshot/room"
	"github.com/earshot-audio/earshot/signaling/apierr"
	"github.com/earshot-audio/earshot/signaling/auth"
	"github.com/earshot-audio/earshot/signaling/liveroom"
	"github.com/earshot-audio/earshot/signaling/wire"
	"github.com/earshot-audio/earshot/store"
)

// Plans makes the transactions with planned rooms. Whoever knows the ID of one may look at
// it, and its hosts may open it. To come into the room takes what every room takes.
type Plans struct{ *Club }

var (
	errNoHost    = wire.NewError(wire.CodeForbidden, "that takes the token of a host of the planned room")
	errNoPlanner = wire.NewError(wire.CodeForbidden, "that takes the token of the member who planned the room")
)

// Create makes a plan by the principal, who must be a member. Its title, times and
// visibility are the caller's.
func (c Plans) Create(ctx context.Context, who auth.Principal, p store.Plan) (store.Plan, error) {
	if !who.Member {
		return store.Plan{}, wire.NewError(wire.CodeForbidden, "planning a room takes a member's token")
	}
	c.planning.Lock()
	defer c.planning.Unlock()
	if err := c.Store.RemovePastPlans(ctx, c.Clock()); err != nil {
		return store.Plan{}, err
	}
	own, all := 0, 0
	c.Store.PlansOwned(func(account string, n int) {
		all += n
		if account == who.Account {
			own += n
		}
	})
	_, branchFull := c.Store.Full(who.Account, wire.MaxPlans, wire.MaxPlansByAccount, c.Store.PlansOwned)
	switch {
	case own >= wire.MaxPlansByAccount:
		return store.Plan{}, wire.NewError(wire.CodeAccountLimit, fmt.Sprintf("you have as many planned rooms as a member may have, %d: cancel one of them first", wire.MaxPlansByAccount))
	case branchFull:
		return store.Plan{}, wire.NewError(wire.CodeAccountLimit, "those who came to the club as you did, by invites of the same members, have as many planned rooms as they may have together")
	case all >= wire.MaxPlans:
		return store.Plan{}, wire.NewError(wire.CodeUnavailable, "the server has as many planned rooms as it may have")
	}
	p.ID, p.Owner, p.Created = auth.NewID(), who.Account, c.Clock().UTC()
	p, err := c.Store.PutPlan(ctx, p)
	if err != nil {
		return p, err
	}
	return p, c.audited(ctx, who, "plan.create", p.ID, "", p.Title)
}

// Find returns a plan that is not past.
func (c Plans) Find(ctx context.Context, id string) (store.Plan, error) {
	p, err := c.Store.Plan(ctx, id)
	if errors.Is(err, store.ErrNotFound) || err == nil && p.Ends.Before(c.Clock()) {
		return store.Plan{}, apierr.ErrNoPlan
	}
	return p, err
}

// List returns the plans that the principal may see and that are not open yet, the soonest
// first: the operator sees all, others those that they host and those whose rooms they will
// see. Those that are past are removed.
func (c Plans) List(ctx context.Context, who auth.Principal) ([]store.Plan, error) {
	if err := c.Store.RemovePastPlans(ctx, c.Clock()); err != nil {
		return nil, err
	}
	return slices.DeleteFunc(c.Store.Plans(), func(p store.Plan) bool {
		return !c.maySee(who, p) || c.IsOpen(p)
	}), nil
}

func (c Plans) maySee(who auth.Principal, p store.Plan) bool {
	switch {
	case who.Operator, p.HostedBy(who.Account):
		return true
	case p.Visibility == room.Open:
		return who.TokenFamily != ""
	}
	return p.Visibility == room.MembersOnly && who.Member
}

// IsOpen reports whether the room of a plan is there, here or on another server.
func (c Plans) IsOpen(p store.Plan) bool {
	_, err := c.Rooms.Find(p.ID)
	_, elsewhere := c.Store.Owner(p.ID)
	return err == nil || elsewhere
}

// HostNames returns the names of those who host a plan, its owner's first.
func (c Plans) HostNames(p store.Plan) (names []string) {
	for _, id := range append([]string{p.Owner}, p.Hosts...) {
		if a, err := c.Store.Account(id); err == nil {
			names = append(names, a.Name)
		}
	}
	return names
}

// Cancel removes a plan, for its owner or the operator.
func (c Plans) Cancel(ctx context.Context, who auth.Principal, id string) error {
	p, err := c.Find(ctx, id)
	switch {
	case err != nil:
		return err
	case !who.Operator && (!who.Member || who.Account != p.Owner):
		return errNoPlanner
	}
	if err := c.Store.RemovePlan(ctx, p.ID); err != nil {
		return err
	}
	return c.audited(ctx, who, "plan.cancel", p.ID, "", "")
}

// Open opens the room of a plan for one of its hosts, and returns the tokens with which
// they are a host there. The room is its owner's, and the other hosts are hosts of it.
func (c Plans) Open(ctx context.Context, who auth.Principal, id string) (*liveroom.LiveRoom, auth.Tokens, error) {
	p, err := c.Find(ctx, id)
	switch {
	case err != nil:
		return nil, auth.Tokens{}, err
	case !who.Member || !p.HostedBy(who.Account):
		return nil, auth.Tokens{}, errNoHost
	}
	spec := c.Rooms.NewSpec(p.ID, p.Title)
	spec.Owner, spec.Hosts, spec.Visibility = p.Owner, p.Hosts, p.Visibility
	return c.CreateRoom(ctx, who, spec)
}

// InviteHosts returns a new code by which members become hosts of the principal's plan. The
// last one is no good any more.
func (c Plans) InviteHosts(ctx context.Context, who auth.Principal, id string) (code string, err error) {
	p, err := c.Find(ctx, id)
	switch {
	case err != nil:
		return "", err
	case !who.Member || who.Account != p.Owner:
		return "", errNoPlanner
	}
	return c.Store.NewHostCode(ctx, id)
}

// Host makes the principal, who must be a member and have the code, a host of a plan.
func (c Plans) Host(ctx context.Context, who auth.Principal, id, code string) (store.Plan, error) {
	if !who.Member {
		return store.Plan{}, wire.NewError(wire.CodeForbidden, "hosting a planned room takes a member's token")
	}
	if _, err := c.Find(ctx, id); err != nil {
		return store.Plan{}, err
	}
	p, err := c.Store.ChangePlan(ctx, id, func(p store.Plan) (store.Plan, error) {
		switch {
		case !p.TakesHostCode(code):
			return p, apierr.ErrInviteUnavailable
		case p.HostedBy(who.Account):
			return p, nil
		case len(p.Hosts) >= wire.MaxPlanHosts:
			return p, wire.NewError(wire.CodeConflict, fmt.Sprintf("%d host it already, as many as may be", 1+wire.MaxPlanHosts))
		}
		p.Hosts = append(p.Hosts, who.Account)
		return p, nil
	})
	if err != nil {
		return p, err
	}
	return p, c.audited(ctx, who, "plan.host", id, "", "")
}

// StepBack takes the principal from the hosts of another's plan.
func (c Plans) StepBack(ctx context.Context, who auth.Principal, id string) error {
	if _, err := c.Find(ctx, id); err != nil {
		return err
	}
	_, err := c.Store.ChangePlan(ctx, id, func(p store.Plan) (store.Plan, error) {
		if !who.Member || !slices.Contains(p.Hosts, who.Account) {
			return p, errNoHost
		}
		p.Hosts = slices.DeleteFunc(p.Hosts, func(host string) bool { return host == who.Account })
		return p, nil
	})
	if err != nil {
		return err
	}
	return c.audited(ctx, who, "plan.stepback", id, "", "")
}
