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
	e, err := r.remembered(by, id, false, now)
	if err != nil {
		return nil, err
	}
	if role <= e.Role && role.OnStage() {
		return nil, fmt.Errorf("member %q is %s: %w", string(id), e.Role, ErrOnStage)
	}
	if err := r.checkStageRole(e, role); err != nil {
		return nil, err
	}
	if err := r.checkStagePlace(e); err != nil {
		return nil, err
	}
	return r.updateHost(now, r.promote(e, role, by, 0, now)), nil
}

// checkStageRole returns an error if a member can't have a role on stage.
func (r *Room) checkStageRole(e *entry, role Role) error {
	if !role.OnStage() || !role.Valid() {
		return fmt.Errorf("bring to the stage as %s: %w: choose speaker or host", role, ErrRole)
	}
	if role == Host && e.MediaOnly {
		return fmt.Errorf("member %q: %w", string(e.ID), ErrMediaOnly)
	}
	return nil
}

// checkStagePlace returns an error if there is no place on stage for a member:
// their own, a reserved one, or a free one.
func (r *Room) checkStagePlace(e *entry) error {
	if e.Role.OnStage() || e.HasInvitation() {
		return nil
	}
	return r.checkFreePlace()
}

// promote gives a higher role to a member for whom there is a place.
func (r *Room) promote(e *entry, role Role, by MemberID, reason Reason, now time.Time) (events []Event) {
	if e.HasInvitation() {
		events = append(events, r.closeInvitation(e, Accepted, by, now))
	}
	was := e.Role
	if !was.OnStage() {
		r.freeSeat(e)
		r.stage = append(r.stage, e)
		r.hands = without(r.hands, e)
		e.HandRaisedAt = time.Time{}
		// Who brings somebody to the stage wants to hear them.
		r.remember(e.Identity, now, func(s *Standing) { s.Muted, s.MutedBy = false, Operator })
	}
	r.setRole(e, role, by, now)
	ev := r.event(Promoted, e, by, now)
	ev.Was, ev.Reason = was, reason
	return append(events, ev)
}

// Demote sends a person from the stage to the audience. A host or the operator
// may, and everyone may step down themselves. It takes a seat: if all halls are
// full it is refused with [ErrFull], and the person can be removed, or
// leave, instead. A mute ends with the time on stage; only if they step down
// themselves, one by somebody else is there again when they join on stage. Other
// sessions of the same token on stage end.
func (r *Room) Demote(by, id MemberID, now time.Time) ([]Event, error) {
	e, err := r.remembered(by, id, true, now)
	if err != nil {
		return nil, err
	}
	if !e.Role.OnStage() {
		return nil, fmt.Errorf("member %q: %w", string(id), ErrNotOnStage)
	}
	hall, err := r.freeHall()
	if err != nil {
		return nil, err
	}
	was, own := e.Role, r.samePerson(by, e)
	r.stage = without(r.stage, e)
	e.Muted, e.MutedBy = false, Operator
	if own && by != id {
		e.Role = Listener // another session of their own, which decides nothing
	} else {
		r.setRole(e, Listener, by, now)
	}
	r.takeSeat(e, hall)
	ev := r.event(Demoted, e, by, now)
	ev.Was = was
	events := []Event{ev}
	if own {
		return r.updateHost(now, events), nil
	}
	r.remember(e.Identity, now, func(s *Standing) { s.Muted, s.MutedBy = false, Operator })
	for _, other := range r.sessions(e) {
		if other.Role.OnStage() {
			events = append(events, r.remove(other, by, ReasonReplaced, now)...)
		}
	}
	return r.updateHost(now, append(events, r.endInvites(e, by, now)...)), nil
}

// Mute silences a person on stage. Everyone may mute themselves, a host or the
// operator anyone. A host's mute replaces a person's own, but not the other way
// round.
func (r *Room) Mute(by, id MemberID, now time.Time) ([]Event, error) {
	e, err := r.remembered(by, id, true, now)
	if err != nil {
		return nil, err
	}
	if !e.Role.OnStage() {
		return nil, fmt.Errorf("member %q: %w", string(id), ErrNotOnStage)
	}
	if e.Muted && (by == id || e.MutedBy != id) {
		return nil, nil
	}
	return r.muteAll(e, true, by, now), nil
}

// Unmute lets a person on stage be heard again. A host or the operator may
// always; a speaker may undo their own mute, and anyone else's only if
// [Rules.SelfUnmute] allows it.
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
	if by == id && !r.mayUnmute(e.Member) {
		return nil, fmt.Errorf("muted by another: %w: ask a host", ErrForbidden)
	}
	return r.muteAll(e, false, by, now), nil
}

// muteAll mutes or unmutes a member, and what somebody else does, in all sessions of
// the same token.
func (r *Room) muteAll(e *entry, muted bool, by MemberID, now time.Time) []Event {
	kind, all := Unmuted, []*entry{e}
	if muted {
		kind = Muted
	}
	if !r.samePerson(by, e) {
		all = append(all, r.sessions(e)...)
	}
	var events []Event
	for _, s := range all {
		if s.Role.OnStage() && (s == e || s.Muted != muted) {
			r.setMuted(s, muted, by, now)
			events = append(events, r.event(kind, s, by, now))
		}
	}
	return events
}

// MayUnmute reports whether a person who is muted may undo it themselves.
func (r *Room) MayUnmute(id MemberID) bool {
	e, ok := r.members[id]
	return ok && e.Muted && r.mayUnmute(e.Member)
}

func (r *Room) mayUnmute(m Member) bool {
	return m.Role == Host || m.MutedBy == m.ID || r.cfg.SelfUnmute
}
