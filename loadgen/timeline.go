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

// act plays entry number i of the timeline in every room, at its time.
func (r *run) act(ctx context.Context, i int, e scenario.Event, at time.Duration) {
	if !r.sleepUntil(ctx, at) {
		return
	}
	r.health.recordStart(r.clock.Now() - at)
	r.tally.Mark(measure.Mark{At: at, Kind: measure.MarkEvent, Name: e.String()})
	var rooms sync.WaitGroup
	for _, h := range r.rooms {
		rooms.Go(func() {
			switch e.Do {
			case scenario.End:
				r.problems.act(e.Do, h.end(ctx))
				return
			case scenario.InviteGuest:
				r.problems.act(e.Do, h.inviteGuests(ctx, e.Count))
				return
			}
			seed := rand.New(rand.NewPCG(uint64(r.Scenario.Seed), uint64(h.number)<<32|uint64(i)))
			chosen := h.choose(e, seed)
			if len(chosen) < e.Count {
				r.problems.act(e.Do, fmt.Errorf("%d wanted, %d of the room's people can", e.Count, len(chosen)))
			}
			var group errgroup.Group
			group.SetLimit(concurrency)
			for _, p := range chosen {
				group.Go(func() error {
					r.problems.act(e.Do, p.act(ctx, e.Do))
					return nil
				})
			}
			_ = group.Wait()
		})
	}
	rooms.Wait()
}

// choose picks the people of the room that an entry of the timeline is for.
func (h *roomRun) choose(e scenario.Event, seed *rand.Rand) []*person {
	var able []*person
	for _, p := range h.people() {
		if p.allows(e.Who, e.Do) {
			able = append(able, p)
		}
	}
	seed.Shuffle(len(able), func(a, b int) { able[a], able[b] = able[b], able[a] })
	return able[:min(e.Count, len(able))]
}

// can reports whether a person has the role now, and would do or undergo
// something.
func (p *person) allows(role scenario.Role, verb scenario.Verb) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.left || p.participant == nil || p.role != role {
		return false
	}
	switch verb {
	case scenario.RaiseHand:
		return !p.handRaised
	case scenario.LowerHand:
		return p.handRaised
	case scenario.Mute:
		return p.sender != nil && !p.muted
	case scenario.Unmute:
		return p.sender != nil && p.muted
	case scenario.InviteToStage:
		return !p.invited
	case scenario.AcceptStage, scenario.DeclineStage:
		return p.invited
	}
	return true
}

// actDeadline is how long the server has to acknowledge, and leaving how long
// a client that leaves listens on for packets that are on their way.
const (
	actTimeout = 10 * time.Second
	leaveDelay = 500 * time.Millisecond
)

// act does one thing of the timeline and returns when the server has
// acknowledged it.
func (p *person) act(ctx context.Context, verb scenario.Verb) error {
	ctx, cancel := context.WithTimeout(ctx, actTimeout)
	defer cancel()
	if verb == scenario.Leave {
		return p.depart(ctx)
	}
	switch verb {
	case scenario.Reconnect:
		return p.reconnect(ctx)
	case scenario.Kick, scenario.Ban:
		return p.silence(ctx, verb)
	case scenario.Mute:
		p.noteMuted(true)
		return p.silence(ctx, verb)
	case scenario.Demote:
		return errors.Join(p.silence(ctx, verb), p.leaveStage())
	}
	p.mu.Lock()
	visit, t := p.participant, p.sender
	p.mu.Unlock()
	if err := p.room.client.Act(ctx, verb, visit); err != nil {
		return err
	}
	switch verb {
	case scenario.Promote, scenario.AcceptStage:
		return p.joinStage(ctx, scenario.Speaker)
	case scenario.PassHost:
		return p.joinStage(ctx, scenario.Host)
	case scenario.RaiseHand, scenario.LowerHand:
		p.mu.Lock()
		p.handRaised = verb == scenario.RaiseHand
		p.mu.Unlock()
	case scenario.InviteToStage, scenario.DeclineStage:
		p.mu.Lock()
		p.invited = verb == scenario.InviteToStage
		p.mu.Unlock()
	case scenario.Unmute:
		p.noteMuted(false)
		t.mute(false)
	}
	return nil
}

func (p *person) noteMuted(muted bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.muted = muted
}

// stepDown goes back to the audience and closes the mic.
func (p *person) leaveStage() error {
	p.mu.Lock()
	t := p.sender
	p.role, p.sender, p.muted = scenario.Listener, nil, false
	p.mu.Unlock()
	if t == nil {
		return nil
	}
	return t.Close()
}

// depart leaves in the middle of the run. The counting ends first, and the
// leaving waits for what is on its way.
func (p *person) depart(ctx context.Context) error {
	p.mu.Lock()
	t := p.sender
	p.mu.Unlock()
	if t != nil {
		t.mute(true)
	}
	if p.account != nil {
		p.account.Left(p.room.run.clock.Now())
	}
	pause(ctx, leaveDelay)
	return p.leave(ctx)
}

// end has the room's moderator end it, which makes everybody leave.
func (h *roomRun) end(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, actTimeout)
	defer cancel()
	for _, p := range h.people() {
		p.mu.Lock()
		t := p.sender
		p.mu.Unlock()
		if t != nil {
			t.mute(true)
		}
		if p.account != nil {
			p.account.Left(h.run.clock.Now())
		}
	}
	pause(ctx, leaveDelay)
	return h.client.Act(ctx, scenario.End, nil)
}

// inviteGuests invites people to the stage from outside, who never come.
func (h *roomRun) inviteGuests(ctx context.Context, n int) error {
	ctx, cancel := context.WithTimeout(ctx, actTimeout)
	defer cancel()
	for range n {
		if err := h.client.Act(ctx, scenario.InviteGuest, nil); err != nil {
			return err
		}
	}
	return nil
}
