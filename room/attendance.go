package room

import (
	"fmt"
	"time"
)

// Join lets a person in. Whether they may have the role is the caller's business
// (a token, an invite, open mode); whether there is a place is the room's:
// [ErrFull] for a listener without a seat, [ErrStageFull] for a speaker or host
// without a place on stage, [ErrAlreadyMember] for an id that is present.
func (r *Room) Join(id MemberID, name string, role Role, now time.Time) ([]Event, error) {
	if err := r.check(now); err != nil {
		return nil, err
	}
	if id == Operator {
		return nil, fmt.Errorf("join: %w", ErrID)
	}
	if !role.Valid() {
		return nil, fmt.Errorf("join as %s: %w", role, ErrRole)
	}
	if _, ok := r.members[id]; ok {
		return nil, fmt.Errorf("member %q: %w", string(id), ErrAlreadyMember)
	}
	if err := r.place(role); err != nil {
		return nil, err
	}
	e := &entry{Member: Member{ID: id, Name: name, Role: role, JoinedAt: now}, seq: r.nextSeq}
	r.nextSeq++
	r.members[id] = e
	if role.OnStage() {
		r.stage = append(r.stage, e)
	}
	return []Event{r.event(Joined, e, id, now)}, nil
}

// place tells whether there is room for one more in the role.
func (r *Room) place(role Role) error {
	if role.OnStage() {
		if len(r.stage) >= r.cfg.Stage {
			return fmt.Errorf("%w: all %d places are taken", ErrStageFull, r.cfg.Stage)
		}
		return nil
	}
	if r.Audience() >= r.cfg.Capacity {
		return fmt.Errorf("%w: all %d seats are taken", ErrFull, r.cfg.Capacity)
	}
	return nil
}

// Leave lets a person go of their own accord. A room without a host, or without
// anyone, goes on.
func (r *Room) Leave(id MemberID, now time.Time) ([]Event, error) {
	return r.depart(id, id, ReasonLeft, now)
}

// Lose takes out a person whose connection went and will not come back.
func (r *Room) Lose(id MemberID, now time.Time) ([]Event, error) {
	return r.depart(id, id, ReasonLost, now)
}

// Remove puts a person out. Only a host or the operator may.
func (r *Room) Remove(by, id MemberID, now time.Time) ([]Event, error) {
	if err := r.check(now); err != nil {
		return nil, err
	}
	if err := r.allow(by, id, false); err != nil {
		return nil, err
	}
	return r.depart(by, id, ReasonRemoved, now)
}

func (r *Room) depart(by, id MemberID, reason Reason, now time.Time) ([]Event, error) {
	if err := r.check(now); err != nil {
		return nil, err
	}
	e, err := r.find(id)
	if err != nil {
		return nil, err
	}
	delete(r.members, id)
	r.stage = without(r.stage, e)
	r.hands = without(r.hands, e)
	ev := r.event(Left, e, by, now)
	ev.Reason = reason
	return []Event{ev}, nil
}

// End ends the room at a host's or the operator's wish. The events are a [Left]
// for everyone in it, in the order in which they came in, then [Ended].
func (r *Room) End(by MemberID, now time.Time) ([]Event, error) {
	if err := r.check(now); err != nil {
		return nil, err
	}
	if err := r.allow(by, by, false); err != nil {
		return nil, err
	}
	return r.end(by, now), nil
}

// Close ends the room as the server does, when it shuts down or when nobody has
// been there for long. Its events are those of [Room.End] by the operator; a
// room that has ended already has none.
func (r *Room) Close(now time.Time) []Event {
	if r.ended {
		return nil
	}
	return r.end(Operator, now)
}

func (r *Room) end(by MemberID, now time.Time) []Event {
	all := r.inOrder()
	events := make([]Event, 0, len(all)+1)
	for _, e := range all {
		ev := r.event(Left, e, by, now)
		ev.Reason = ReasonEnded
		events = append(events, ev)
	}
	r.ended = true
	clear(r.members)
	r.stage, r.hands = nil, nil
	return append(events, Event{Kind: Ended, Room: r.cfg.Name, By: by, At: now})
}
