package cast

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/earshot-audio/earshot/loadgen/driver"
	"github.com/earshot-audio/earshot/loadgen/link"
	"github.com/earshot-audio/earshot/loadgen/problem"
	"github.com/earshot-audio/earshot/loadgen/record"
	"github.com/earshot-audio/earshot/loadgen/scenario"
	"github.com/earshot-audio/earshot/loadgen/share"
	"github.com/earshot-audio/earshot/loadgen/tally"
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
	// person plays the verb for one person, as an act of theirs that has begun, and returns when
	// it has ended.
	person func(p *person, ctx context.Context, a *act) error
}

// inTime is how a verb is played that takes no longer than the server may.
func inTime(do func(p *person, ctx context.Context) error) action {
	return action{person: func(p *person, ctx context.Context, _ *act) error {
		ctx, cancel := context.WithTimeout(ctx, actTimeout)
		defer cancel()
		return do(p, ctx)
	}}
}

// actionOf returns how a verb is played. Only a verb for which a client does more than
// signaling, or the room does, has a case of its own: scenario's table of verbs says of
// the others what they change.
func actionOf(spec scenario.VerbSpec) action {
	switch spec.Verb {
	case scenario.Unmute:
		return inTime((*person).unmute)
	case scenario.Leave:
		return inTime((*person).depart)
	case scenario.Reconnect:
		return inTime((*person).reconnect)
	case scenario.RestartICE:
		return inTime((*person).restartICE)
	case scenario.End:
		return action{room: (*roomRun).end}
	case scenario.InviteGuest:
		return action{room: (*roomRun).inviteGuests}
	}
	switch {
	case spec.Silences:
		return action{person: func(p *person, ctx context.Context, a *act) error {
			p.change(spec)
			err := p.silence(ctx, spec, a)
			if spec.Becomes == scenario.Listener {
				err = errors.Join(err, p.leaveStage())
			}
			return err
		}}
	case spec.Becomes != "":
		return inTime(func(p *person, ctx context.Context) error {
			asked := p.room.cast.Clock.Now()
			behind, err := p.request(ctx, spec.Verb)
			if err != nil {
				p.room.promotionFailed(ctx, asked, err)
				return err
			}
			return p.joinStage(ctx, spec, behind)
		})
	}
	return inTime(func(p *person, ctx context.Context) error {
		if _, err := p.request(ctx, spec.Verb); err != nil {
			return err
		}
		p.change(spec)
		return nil
	})
}

// PlayEvent plays event number i of the timeline in every room, at its time.
func (c *Cast) PlayEvent(ctx context.Context, i int, e scenario.Event, at time.Duration) {
	if !c.SleepUntil(ctx, at) {
		return
	}
	c.Health.RecordStart(c.Clock.Now() - at)
	c.Aggregator.Mark(record.Mark{At: at, Kind: record.MarkEvent, Name: e.String()})
	if e.Do.Spec().OfNode {
		if e.Do == scenario.RestartNode {
			c.Problems.Act(e.Do, c.Nodes.Restart(ctx, e.Node))
			return
		}
		c.Problems.Act(e.Do, c.Nodes.Kill(e.Node))
		return
	}
	var rooms sync.WaitGroup
	for _, h := range c.Rooms {
		rooms.Go(func() { h.play(ctx, i, e) })
	}
	rooms.Wait()
}

// play plays event number i of the timeline in the room.
func (h *roomRun) play(ctx context.Context, i int, e scenario.Event) {
	problems, action := h.cast.Problems, actionOf(e.Do.Spec())
	if action.room != nil {
		if e.Do == scenario.InviteGuest && !h.cast.Share.Owns(h.number) {
			return
		}
		problems.Act(e.Do, action.room(h, ctx, e.Count))
		return
	}
	people, all, err := h.choose(ctx, i, e)
	if err != nil {
		problems.Act(e.Do, err)
		return
	}
	if all < e.Count && h.cast.Share.Owns(h.number) {
		problems.Act(e.Do, fmt.Errorf("%d wanted, %d of the room's people can", e.Count, all))
		h.missed(e.Do.Spec(), e.Count-all)
	}
	var group errgroup.Group
	group.SetLimit(Concurrency)
	for _, one := range people {
		group.Go(func() error {
			defer one.act.end()
			one.act.begin()
			if !one.person.can(e.Who, e.Do.Spec()) { // another act came first
				h.cast.moderation.NotPlayed(e.Do.Spec(), 1)
				problems.Act(e.Do, errGone)
				return nil
			}
			problems.Act(e.Do, action.person(one.person, ctx, one.act))
			return nil
		})
	}
	_ = group.Wait()
}

// An actor is a person who has been chosen for an act, which has to end.
type actor struct {
	person *person
	act    *act
}

// choose picks the people of the room whom event number i is for: of those whom this
// process plays, and how many of all. Who is busy is chosen if there are no others, and is
// waited for.
func (h *roomRun) choose(ctx context.Context, i int, e scenario.Event) (people []actor, all int, err error) {
	c := h.cast
	var able []share.Candidate
	byPlace := map[int]*person{}
	for _, p := range h.people() {
		if p.can(e.Who, e.Do.Spec()) {
			able = append(able, share.Candidate{Place: p.place, Rank: share.Rank(c.Scenario, h.number, i, p.place), Busy: p.acts.busy()})
			byPlace[p.place] = p
		}
	}
	able = share.Choose(able, e.Count)
	if c.others != nil {
		offers, err := c.others.Exchange(ctx, fmt.Sprintf("event %d room %d", i, h.number), able)
		if err != nil {
			return nil, 0, err
		}
		if able, err = link.Merged[share.Candidate](offers); err != nil {
			return nil, 0, err
		}
		able = share.Choose(able, e.Count)
	}
	first := h.firstMicOf(i)
	for n, one := range able {
		p := byPlace[one.Place]
		if p == nil {
			continue
		}
		people = append(people, actor{p, h.plan(p)})
		if e.Do.Spec().OpensMic() {
			h.reserveMic(p, first+n)
		}
	}
	return people, len(able), nil
}

// firstMicOf is the number of the first of the mics that event number i opens in the room. Whoever
// plays those people, the numbers follow those of the mics that are there from the beginning, and
// of earlier events: [firstFrame] keeps them apart.
func (h *roomRun) firstMicOf(i int) int {
	n := h.mics
	for _, e := range h.cast.Scenario.Timeline[:i] {
		if e.Do.Spec().OpensMic() {
			n += e.Count
		}
	}
	return n
}

// reserveMic gives a person the number of the mic that they open next.
func (h *roomRun) reserveMic(p *person, number int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if p.mic < 0 {
		p.mic = number
	}
}

// heldBack is for how long the generator has to have been in the way in that time, so that people
// whom an act is for may be missing for it: one act misses its people by another that was late.
const heldBack = time.Second

// missed records that so many of the people of a room whom a verb was for were not there. For those
// whom the generator may have held back it may be played at best.
func (h *roomRun) missed(spec scenario.VerbSpec, people int) {
	m, now := &h.cast.moderation, h.cast.Clock.Now()
	held := h.cast.Aggregator.Doubts.Slowed(max(0, now-tally.RecentTime), now)
	if held < heldBack { // so little holds up nobody but those who were about to come
		people = min(people, h.coming())
	}
	if held > 0 {
		m.NotPlayed(spec, people)
	}
}

// coming is how many of the room's people have not come yet.
func (h *roomRun) coming() (n int) {
	for _, p := range h.people() {
		p.mu.Lock()
		if p.participant == nil && !p.left {
			n++
		}
		p.mu.Unlock()
	}
	return n
}

// can reports whether a person has the role now and is in the state that the verb
// needs.
func (p *person) can(role scenario.Role, spec scenario.VerbSpec) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.left || p.away || p.participant == nil || p.role != role || p.probe && spec.CrowdOnly {
		return false
	}
	state := p.state
	if p.sender != nil {
		state |= scenario.Publishing
	}
	return state&spec.Needs == spec.Needs && state&spec.Lacks == 0
}

// change records what a verb sets and clears of the person's state.
func (p *person) change(spec scenario.VerbSpec) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.state = p.state&^spec.Clears | spec.Sets
}

// request has the server carry out a verb and returns when it has acknowledged it, and by how
// much earlier it may have: another worker may have asked for it.
func (p *person) request(ctx context.Context, verb scenario.Verb) (behind time.Duration, err error) {
	ctx, done := p.connected(ctx)
	defer done()
	p.mu.Lock()
	participant := p.participant
	p.mu.Unlock()
	return p.room.request(ctx, verb, participant)
}

// requestInTime is that with as much time as the server may take.
func (p *person) requestInTime(ctx context.Context, verb scenario.Verb) (behind time.Duration, err error) {
	ctx, cancel := context.WithTimeout(ctx, actTimeout)
	defer cancel()
	return p.request(ctx, verb)
}

// request has the server carry out a verb, for a participant if it is about one. What the
// room's moderator does is the worker's who owns the room.
func (h *roomRun) request(ctx context.Context, verb scenario.Verb, who driver.Participant) (behind time.Duration, err error) {
	if on, ok := h.client.(driver.Remote); ok && who != nil && verb.Spec().Actor == scenario.Moderator && !h.cast.Share.Owns(h.number) {
		return h.order(ctx, on, verb, who)
	}
	ctx, done := h.moderator.ask(ctx, h.cast.Setting, verb.Spec())
	defer done()
	asked := h.cast.Clock.Now()
	err = h.client.Act(ctx, verb, who)
	if errors.Is(err, context.DeadlineExceeded) && h.cast.Aggregator.Doubts.AtBest(asked, h.cast.Clock.Now(), actTimeout) == actTimeout {
		return 0, fmt.Errorf("%w within %v: %w", problem.ErrUnanswered, actTimeout, err)
	}
	return 0, err
}

// countsAsFailed reports whether an act that came to nothing counts in the metric of its
// verb: the server refused it or did not answer. The end of the run, what a driver can't do
// and a limit of the generator's machine say nothing of the server.
func countsAsFailed(ctx context.Context, err error) bool {
	return !errors.Is(ctx.Err(), context.Canceled) && !errors.Is(err, driver.ErrUnsupported) && !problem.AtLimit(err)
}

// promotionFailed records a promotion that was asked for and came to nothing: it takes as
// long as it had.
func (h *roomRun) promotionFailed(ctx context.Context, asked time.Duration, err error) {
	c := h.cast
	if countsAsFailed(ctx, err) {
		c.moderation.Promoted(c.failed(asked, err))
	}
}

// failed is the time of an act that began at a time and has come to nothing.
func (s Setting) failed(from time.Duration, err error) tally.Interval {
	return tally.Interval{
		From: from, Until: s.Clock.Now(), Failed: true, Refused: driver.Refused(err), Had: actTimeout,
		Excused: errors.Is(err, errModerator),
	}
}

// unmute has the moderator unmute a person, who then sends again.
func (p *person) unmute(ctx context.Context) error {
	p.mu.Lock()
	sender := p.sender
	p.mu.Unlock()
	if _, err := p.request(ctx, scenario.Unmute); err != nil {
		return err
	}
	p.change(scenario.Unmute.Spec())
	sender.mute(false)
	return nil
}

// end has the room's moderator end it, which makes everybody leave. What the server has been asked for is
// answered before.
func (h *roomRun) end(ctx context.Context, _ int) error {
	h.acting.Lock()
	defer h.acting.Unlock()
	for _, p := range h.people() {
		p.stopCounting()
	}
	pause(ctx, leaveDelay)
	if !h.cast.Share.Owns(h.number) {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, actTimeout)
	defer cancel()
	_, err := h.request(ctx, scenario.End, nil)
	return err
}

// inviteGuests invites people from outside to the stage who never come.
func (h *roomRun) inviteGuests(ctx context.Context, n int) error {
	ctx, cancel := context.WithTimeout(ctx, actTimeout)
	defer cancel()
	for range n {
		if _, err := h.request(ctx, scenario.InviteGuest, nil); err != nil {
			return err
		}
	}
	return nil
}
