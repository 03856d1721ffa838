package room

import (
	"fmt"
	"time"
)

// Promote raises a person to speaker or host. Only a host or the operator may.
// From the audience it takes a place on stage ([ErrStageFull]), frees the seat
// and lowers the hand; a speaker made host keeps the place and the mute. A role
// that is not above the present one is refused with [ErrOnStage], one that is
// not on stage with [ErrRole].
func (r *Room) Promote(by, id MemberID, role Role, now time.Time) ([]Event, error) {
	e, err := r.target(by, id, false, now)
	if err != nil {
		return nil, err
	}
	if !role.OnStage() {
		return nil, fmt.Errorf("promote to %s: %w: choose speaker or host", role, ErrRole)
	}
	if role <= e.Role {
		return nil, fmt.Errorf("member %q is %s: %w", string(id), e.Role, ErrOnStage)
	}
	was := e.Role
	if !was.OnStage() {
		if err := r.place(role); err != nil {
			return nil, err
		}
		r.stage = append(r.stage, e)
		r.hands = without(r.hands, e)
		e.Hand = time.Time{}
	}
	e.Role = role
	ev := r.event(Promoted, e, by, now)
	ev.Was = was
	return []Event{ev}, nil
}

// Demote sends a person from the stage to the audience. A host or the operator
// may, and everyone may step down themselves. It takes a seat: in a full
// audience it is refused with [ErrFull], and the person can be removed, or
// leave, instead. A mute ends with the time on stage.
func (r *Room) Demote(by, id MemberID, now time.Time) ([]Event, error) {
	e, err := r.target(by, id, true, now)
	if err != nil {
		return nil, err
	}
	if !e.Role.OnStage() {
		return nil, fmt.Errorf("member %q: %w", string(id), ErrNotOnStage)
	}
	if err := r.place(Listener); err != nil {
		return nil, err
	}
	was := e.Role
	r.stage = without(r.stage, e)
	e.Role = Listener
	e.Muted, e.MutedBy = false, Operator
	ev := r.event(Demoted, e, by, now)
	ev.Was = was
	return []Event{ev}, nil
}

// Mute silences a person on stage. Everyone may mute themselves, a host or the
// operator anyone. A host's mute takes over a person's own, so that it holds; a
// person's own does not weaken a host's.
func (r *Room) Mute(by, id MemberID, now time.Time) ([]Event, error) {
	e, err := r.target(by, id, true, now)
	if err != nil {
		return nil, err
	}
	if !e.Role.OnStage() {
		return nil, fmt.Errorf("member %q: %w", string(id), ErrNotOnStage)
	}
	if e.Muted && (by == id || e.MutedBy != id) {
		return nil, nil
	}
	e.Muted, e.MutedBy = true, by
	return []Event{r.event(Muted, e, by, now)}, nil
}

// Unmute lets a person on stage be heard again. A host or the operator may
// always; a speaker may undo their own mute, and anyone else's only if
// [Config.SelfUnmute] allows it.
func (r *Room) Unmute(by, id MemberID, now time.Time) ([]Event, error) {
	e, err := r.target(by, id, true, now)
	if err != nil {
		return nil, err
	}
	if !e.Role.OnStage() {
		return nil, fmt.Errorf("member %q: %w", string(id), ErrNotOnStage)
	}
	if !e.Muted {
		return nil, nil
	}
	if by == id && e.Role != Host && e.MutedBy != id && !r.cfg.SelfUnmute {
		return nil, fmt.Errorf("muted by another: %w: ask a host", ErrForbidden)
	}
	e.Muted, e.MutedBy = false, Operator
	return []Event{r.event(Unmuted, e, by, now)}, nil
}
