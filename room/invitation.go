package room

import (
	"fmt"
	"strconv"
	"time"
)

// Invitation invites a listener to the stage, and reserves a place there.
type Invitation struct {
	// Role is speaker or host.
	Role Role
	// By is who invites.
	By MemberID
	// Until is when it expires.
	Until time.Time
}

// Outcome is how an [Invitation] ended.
type Outcome uint8

const (
	Accepted Outcome = iota + 1
	Declined
	// Withdrawn: by a host, or because the person is gone.
	Withdrawn
	// Expired: there was no answer in time.
	Expired
)

var outcomeNames = [...]string{Accepted: "accepted", Declined: "declined", Withdrawn: "withdrawn", Expired: "lapsed"}

// String returns the outcome as the protocol spells it, "" for the zero value
// and "outcome(N)" for anything else.
func (o Outcome) String() string {
	if int(o) < len(outcomeNames) {
		return outcomeNames[o]
	}
	return "outcome(" + strconv.Itoa(int(o)) + ")"
}

// InviteToStage invites a listener to the stage, as speaker or host, and reserves
// a place for them until they answer or [Config.InvitationTimeout] is over. Only a
// host or the operator may. A second invitation replaces the first.
func (r *Room) InviteToStage(by, id MemberID, role Role, now time.Time) ([]Event, error) {
	e, err := r.remembered(by, id, false, now)
	if err != nil {
		return nil, err
	}
	if err := r.checkStageRole(e, role); err != nil {
		return nil, err
	}
	switch {
	case e.Role.OnStage():
		return nil, fmt.Errorf("member %q: %w", string(id), ErrOnStage)
	case e.MediaOnly:
		return nil, fmt.Errorf("member %q: %w", string(id), ErrMediaOnly)
	case e.HasInvitation():
		r.invited = without(r.invited, e)
	default:
		if err := r.checkFreePlace(); err != nil {
			return nil, err
		}
	}
	e.Invitation = Invitation{Role: role, By: by, Until: now.Add(r.cfg.InvitationTimeout)}
	r.invited = append(r.invited, e)
	return []Event{r.event(StageInvited, e, by, now)}, nil
}

// AcceptStage accepts an invitation to the stage; [ErrNotInvited] if there is
// none.
func (r *Room) AcceptStage(id MemberID, now time.Time) ([]Event, error) {
	e, err := r.invitee(id, id, now)
	if err != nil {
		return nil, err
	}
	in := e.Invitation
	events := []Event{r.closeInvitation(e, Accepted, id, now)}
	// The reserved place is free now, and nobody can have taken it meanwhile.
	return r.updateHost(now, append(events, r.promote(e, in.Role, in.By, 0, now)...)), nil
}

// DeclineStage turns an invitation down, or withdraws another's, which only a
// host or the operator may. [ErrNotInvited] if there is none.
func (r *Room) DeclineStage(by, id MemberID, now time.Time) ([]Event, error) {
	e, err := r.invitee(by, id, now)
	if err != nil {
		return nil, err
	}
	outcome := Declined
	if by != id {
		outcome = Withdrawn
	}
	return []Event{r.closeInvitation(e, outcome, by, now)}, nil
}

func (r *Room) invitee(by, id MemberID, now time.Time) (*entry, error) {
	e, err := r.target(by, id, true, now)
	if err != nil {
		return nil, err
	}
	if !e.HasInvitation() {
		return nil, fmt.Errorf("member %q: %w", string(id), ErrNotInvited)
	}
	return e, nil
}

// closeInvitation ends an invitation, which must be there.
func (r *Room) closeInvitation(e *entry, outcome Outcome, by MemberID, now time.Time) Event {
	e.Invitation = Invitation{}
	r.invited = without(r.invited, e)
	ev := r.event(StageInviteClosed, e, by, now)
	ev.Outcome = outcome
	return ev
}

// expireInvitations ends the invitations that were not answered in time. They are
// in the order in which they expire, since all have the same timeout.
func (r *Room) expireInvitations(now time.Time) (events []Event) {
	for len(r.invited) > 0 && !r.invited[0].Invitation.Until.After(now) {
		events = append(events, r.closeInvitation(r.invited[0], Expired, Operator, now))
	}
	return events
}
