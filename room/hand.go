package room

import (
	"fmt"
	"time"
)

// RaiseHand raises a listener's hand. The error is [ErrOnStage] for a person on
// stage, and [ErrHandPolicy] if [Rules.Hands] does not allow it. A hand that is
// up keeps its place in the queue.
func (r *Room) RaiseHand(id MemberID, now time.Time) ([]Event, error) {
	if err := r.checkCall(now); err != nil {
		return nil, err
	}
	e, err := r.find(id)
	if err != nil {
		return nil, err
	}
	if e.Role.OnStage() {
		return nil, fmt.Errorf("member %q: %w", string(id), ErrOnStage)
	}
	if e.HandUp() {
		return nil, nil
	}
	if err := r.checkHandPolicy(e); err != nil {
		return nil, fmt.Errorf("member %q: %w", string(id), err)
	}
	e.HandRaisedAt = now
	r.hands = append(r.hands, e)
	return []Event{r.event(HandRaised, e, id, now)}, nil
}

// LowerHand lowers a listener's hand, which they, a host or the operator may. A
// hand that is down stays so without an event.
func (r *Room) LowerHand(by, id MemberID, now time.Time) ([]Event, error) {
	e, err := r.target(by, id, true, now)
	if err != nil {
		return nil, err
	}
	if !e.HandUp() {
		return nil, nil
	}
	return []Event{r.lower(e, by, now)}, nil
}

// lower lowers a raised hand.
func (r *Room) lower(e *entry, by MemberID, now time.Time) Event {
	e.HandRaisedAt = time.Time{}
	r.hands = without(r.hands, e)
	return r.event(HandLowered, e, by, now)
}
