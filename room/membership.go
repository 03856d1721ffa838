package room

import (
	"fmt"
	"slices"
	"time"
)

// Join adds a person. Whether they may have the role is the caller's business (a
// token, an invite, open mode), but what the room has decided about them counts more:
// it takes a role above the one that they were left with for [ErrForbidden], and a mute
// is there again. Whether there is a place is the room's. The error
// is [ErrFull] for a listener without a seat, [ErrStageFull] for a speaker or host
// without a place on stage, [ErrHidden] or [ErrBlocked] if the person may not
// enter, and [ErrAlreadyMember] if the id or the account is present.
//
// It uses up the reservation that was made for the person.
func (r *Room) Join(n JoinRequest, now time.Time) ([]Event, error) {
	if err := r.checkCall(now); err != nil {
		return nil, err
	}
	if n.ID == Operator {
		return nil, fmt.Errorf("join: %w", ErrID)
	}
	if !n.Role.Valid() {
		return nil, fmt.Errorf("join as %s: %w", n.Role, ErrRole)
	}
	if n.Role == Host && n.MediaOnly {
		return nil, fmt.Errorf("join as host: %w", ErrMediaOnly)
	}
	s := r.standing(n.Identity)
	n.Invited = n.Invited || s.Role.OnStage()
	if err := r.checkVisibility(n); err != nil {
		return nil, err
	}
	if r.Blocked(n.Identity) || r.cutOff(n.Identity, n.InvitedBy) || r.sentBack(n.Sponsors) {
		return nil, fmt.Errorf("member %q: %w", string(n.ID), ErrBlocked)
	}
	if s.Role != 0 && n.Role > s.Role && !(Claim{Owner: n.Owner}).keeps(s) {
		return nil, fmt.Errorf("join as %s, being %s here: %w", n.Role, s.Role, ErrForbidden)
	}
	if _, ok := r.members[n.ID]; ok || (n.Account != "" && r.accounts[n.Account] != nil) {
		return nil, fmt.Errorf("member %q: %w", string(n.ID), ErrAlreadyMember)
	}
	e := &entry{Member: Member{
		ID: n.ID, Name: n.Name, Role: n.Role, Identity: n.Identity, Invited: n.Invited, MediaOnly: n.MediaOnly, JoinedAt: now,
	}, seq: r.nextSeq}
	reserved := r.findReservation(n.Reservation)
	if n.OrListener && reserved < 0 && r.checkFreePlace() != nil {
		e.Role = Listener
	}
	if !e.Role.OnStage() {
		hall, err := r.freeHall()
		if err != nil {
			return nil, err
		}
		r.takeSeat(e, hall)
	} else if reserved < 0 {
		if err := r.checkFreePlace(); err != nil {
			return nil, err
		}
	}
	var events []Event
	if reserved >= 0 {
		events = append(events, r.reservationEvent(ReservationReleased, r.reservations[reserved], now))
		r.reservations = slices.Delete(r.reservations, reserved, reserved+1)
	}
	if s.Muted && e.Role.OnStage() {
		e.Muted, e.MutedBy = true, s.MutedBy
	}
	if n.InvitedBy != "" && s.Person != "" {
		r.seen[s.Person] = struct{}{}
	}
	r.nextSeq++
	r.add(e)
	return r.updateHost(now, append(events, r.event(Joined, e, n.ID, now))), nil
}

// add adds a member who has a place.
func (r *Room) add(e *entry) {
	r.members[e.ID] = e
	if e.Account != "" {
		r.accounts[e.Account] = e
	}
	if e.Role.OnStage() {
		r.stage = append(r.stage, e)
	}
}

// Leave removes a person who leaves on purpose. An empty room goes on; a room
// without a host gets another, see [Room.Tick].
func (r *Room) Leave(id MemberID, now time.Time) ([]Event, error) {
	return r.leave(id, id, ReasonLeft, now)
}

// TimeOut removes a person whose connection is lost for good.
func (r *Room) TimeOut(id MemberID, now time.Time) ([]Event, error) {
	return r.leave(id, id, ReasonLost, now)
}

// Replace removes a person whose account has joined elsewhere.
func (r *Room) Replace(id MemberID, now time.Time) ([]Event, error) {
	return r.leave(id, id, ReasonReplaced, now)
}

func (r *Room) leave(by, id MemberID, reason Reason, now time.Time) ([]Event, error) {
	if err := r.checkCall(now); err != nil {
		return nil, err
	}
	e, err := r.find(id)
	if err != nil {
		return nil, err
	}
	return r.remove(e, by, reason, now), nil
}

// remove removes a member.
func (r *Room) remove(e *entry, by MemberID, reason Reason, now time.Time) (events []Event) {
	if e.HasInvitation() {
		events = append(events, r.closeInvitation(e, Withdrawn, by, now))
	}
	ev := r.event(Left, e, by, now)
	ev.Reason = reason
	if !e.Role.OnStage() {
		r.freeSeat(e)
	}
	delete(r.members, e.ID)
	if e.Account != "" {
		delete(r.accounts, e.Account)
	}
	r.stage = without(r.stage, e)
	r.hands = without(r.hands, e)
	return r.updateHost(now, append(events, ev))
}

// End ends the room at a host's or the operator's wish. The events are a [Left]
// for everyone in it, in the order in which they came in, then [Ended].
func (r *Room) End(by MemberID, now time.Time) ([]Event, error) {
	if err := r.checkCall(now); err != nil {
		return nil, err
	}
	if err := r.checkModerator(by, by, false); err != nil {
		return nil, err
	}
	return r.end(by, ReasonEnded, now), nil
}

// Close ends the room as the server does, when it shuts down or when nobody has
// been there for long. Its events are those of [Room.End] by the operator; a
// room that has ended already has none.
func (r *Room) Close(now time.Time) []Event {
	if r.ended {
		return nil
	}
	return r.end(Operator, ReasonEnded, now)
}

func (r *Room) end(by MemberID, reason Reason, now time.Time) []Event {
	all := r.byJoinOrder()
	events := make([]Event, 0, len(all)+1)
	for _, e := range all {
		ev := r.event(Left, e, by, now)
		ev.Reason = reason
		events = append(events, ev)
	}
	r.ended, r.grace = true, time.Time{}
	clear(r.members)
	clear(r.accounts)
	r.stage, r.hands, r.invited, r.disconnections, r.reservations = nil, nil, nil, nil, nil
	r.halls, r.audience = make([]int, 1), nil
	return append(events, Event{Kind: Ended, Room: r.cfg.Name, By: by, Reason: reason, At: now})
}
