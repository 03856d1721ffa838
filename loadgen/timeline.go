package loadgen

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/earshot-audio/earshot/loadgen/measure"
	"github.com/earshot-audio/earshot/loadgen/scenario"
)

const (
	// actTimeout is how long the server may take to acknowledge an event.
	actTimeout = 10 * time.Second
	// leaveDelay is how long a client that leaves goes on listening for packets that
	// are in flight.
	leaveDelay = 500 * time.Millisecond
)

// An action is how a verb of the timeline is played. Either room or person is set.
type action struct {
	// room plays the verb for a whole room; count is the event's.
	room func(h *roomRun, ctx context.Context, count int) error
	// person plays the verb for one person and returns when the server has
	// acknowledged it.
	person func(p *person, ctx context.Context) error
	// allowed reports whether the verb makes sense for a person now; nil is always.
	// The person's mu is held.
	allowed func(p *person) bool
}

// actionOf returns how a verb is played.
func actionOf(verb scenario.Verb) action {
	switch verb {
	case scenario.RaiseHand:
		return action{person: signal(verb, func(p *person) { p.handRaised = true }), allowed: func(p *person) bool { return !p.handRaised }}
	case scenario.LowerHand:
		return action{person: signal(verb, func(p *person) { p.handRaised = false }), allowed: func(p *person) bool { return p.handRaised }}
	case scenario.InviteToStage:
		return action{person: signal(verb, func(p *person) { p.invited = true }), allowed: func(p *person) bool { return !p.invited }}
	case scenario.DeclineStage:
		return action{person: signal(verb, func(p *person) { p.invited = false }), allowed: func(p *person) bool { return p.invited }}
	case scenario.AcceptStage:
		return action{person: promote(verb, scenario.Speaker), allowed: func(p *person) bool { return p.invited }}
	case scenario.Promote:
		return action{person: promote(verb, scenario.Speaker)}
	case scenario.PassHost:
		return action{person: promote(verb, scenario.Host)}
	case scenario.Demote:
		return action{person: func(p *person, ctx context.Context) error {
			return errors.Join(p.silence(ctx, verb), p.leaveStage())
		}}
	case scenario.Mute:
		return action{person: func(p *person, ctx context.Context) error {
			p.setMuted(true)
			return p.silence(ctx, verb)
		}, allowed: func(p *person) bool { return p.sender != nil && !p.muted }}
	case scenario.Unmute:
		return action{person: (*person).unmute, allowed: func(p *person) bool { return p.sender != nil && p.muted }}
	case scenario.Kick, scenario.Ban:
		return action{person: func(p *person, ctx context.Context) error { return p.silence(ctx, verb) }}
	case scenario.Leave:
		return action{person: (*person).depart}
	case scenario.Reconnect:
		return action{person: (*person).reconnect}
	case scenario.End:
		return action{room: (*roomRun).end}
	case scenario.InviteGuest:
		return action{room: (*roomRun).inviteGuests}
	}
	return action{person: signal(verb, func(*person) {})}
}

// signal returns an action that is only signaling: the server carries out the verb, and
// then the generator's own record changes.
func signal(verb scenario.Verb, record func(p *person)) func(*person, context.Context) error {
	return func(p *person, ctx context.Context) error {
		if err := p.request(ctx, verb); err != nil {
			return err
		}
		p.mu.Lock()
		defer p.mu.Unlock()
		record(p)
		return nil
	}
}

// promote returns an action by which a person gets a role on stage.
func promote(verb scenario.Verb, to scenario.Role) func(*person, context.Context) error {
	return func(p *person, ctx context.Context) error {
		if err := p.request(ctx, verb); err != nil {
			return err
		}
		return p.joinStage(ctx, to)
	}
}

// playEvent plays event number i of the timeline in every room, at its time.
func (r *run) playEvent(ctx context.Context, i int, e scenario.Event, at time.Duration) {
	if !r.sleepUntil(ctx, at) {
		return
	}
	r.health.recordStart(r.clock.Now() - at)
	r.tally.Mark(measure.Mark{At: at, Kind: measure.MarkEvent, Name: e.String()})
	var rooms sync.WaitGroup
	for _, h := range r.rooms {
		rooms.Go(func() { h.play(ctx, i, e) })
	}
	rooms.Wait()
}

// play plays event number i of the timeline in the room.
func (h *roomRun) play(ctx context.Context, i int, e scenario.Event) {
	problems, action := h.run.problems, actionOf(e.Do)
	if action.room != nil {
		ctx, cancel := context.WithTimeout(ctx, actTimeout)
		defer cancel()
		problems.act(e.Do, action.room(h, ctx, e.Count))
		return
	}
	seed := rand.New(rand.NewPCG(uint64(h.run.Scenario.Seed), uint64(h.number)<<32|uint64(i)))
	chosen := h.choose(e, action, seed)
	if len(chosen) < e.Count {
		problems.act(e.Do, fmt.Errorf("%d wanted, %d of the room's people can", e.Count, len(chosen)))
	}
	var group errgroup.Group
	group.SetLimit(concurrency)
	for _, p := range chosen {
		group.Go(func() error {
			ctx, cancel := context.WithTimeout(ctx, actTimeout)
			defer cancel()
			problems.act(e.Do, action.person(p, ctx))
			return nil
		})
	}
	_ = group.Wait()
}

// choose picks the people of the room whom an event is for.
func (h *roomRun) choose(e scenario.Event, a action, seed *rand.Rand) []*person {
	var able []*person
	for _, p := range h.people() {
		if p.can(e.Who, a) {
			able = append(able, p)
		}
	}
	seed.Shuffle(len(able), func(a, b int) { able[a], able[b] = able[b], able[a] })
	return able[:min(e.Count, len(able))]
}

// can reports whether a person has the role now and the action makes sense for them.
func (p *person) can(role scenario.Role, a action) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.left || p.participant == nil || p.role != role {
		return false
	}
	return a.allowed == nil || a.allowed(p)
}

// request has the server carry out a verb and returns when it has acknowledged it.
func (p *person) request(ctx context.Context, verb scenario.Verb) error {
	p.mu.Lock()
	participant := p.participant
	p.mu.Unlock()
	return p.room.client.Act(ctx, verb, participant)
}

// unmute has the moderator unmute a person, who then sends again.
func (p *person) unmute(ctx context.Context) error {
	p.mu.Lock()
	sender := p.sender
	p.mu.Unlock()
	if err := p.request(ctx, scenario.Unmute); err != nil {
		return err
	}
	p.setMuted(false)
	sender.mute(false)
	return nil
}

func (p *person) setMuted(muted bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.muted = muted
}

// end has the room's moderator end it, which makes everybody leave.
func (h *roomRun) end(ctx context.Context, _ int) error {
	for _, p := range h.people() {
		p.stopCounting()
	}
	pause(ctx, leaveDelay)
	return h.client.Act(ctx, scenario.End, nil)
}

// inviteGuests invites people from outside to the stage who never come.
func (h *roomRun) inviteGuests(ctx context.Context, n int) error {
	for range n {
		if err := h.client.Act(ctx, scenario.InviteGuest, nil); err != nil {
			return err
		}
	}
	return nil
}
