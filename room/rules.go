package room

import (
	"fmt"
	"time"
)

// HandPolicy says who may raise a hand. The zero value is [HandsEveryone].
type HandPolicy uint8

const (
	// HandsEveryone: everybody in the audience.
	HandsEveryone HandPolicy = iota
	// HandsInvited: everybody who joined with an invite to the room.
	HandsInvited
	// HandsOff: nobody.
	HandsOff
)

// Visibility says who may come in. The zero value is [Open].
type Visibility uint8

const (
	// Open: everybody whom the caller lets in.
	Open Visibility = iota
	// MembersOnly: everybody with an account of the club, and everybody with an
	// invite to the room.
	MembersOnly
	// Closed: everybody with an invite to the room.
	Closed
)

// Rules are what hosts can set while the room runs.
type Rules struct {
	Hands HandPolicy
	// SelfUnmute lets speakers undo a mute that a host or the operator put on
	// them. Hosts always can; anyone can undo their own.
	SelfUnmute bool
	Visibility Visibility
	// AudienceHold is how long the audience's packets may wait for others, to leave
	// together; 0: not at all.
	AudienceHold time.Duration `json:",omitempty"`
}

// Rules returns the rules as they are now.
func (r *Room) Rules() Rules { return r.cfg.Rules }

// SetRules changes the rules. Only a host or the operator may. Hands of those
// who may no longer raise one go down; who is in the room stays.
func (r *Room) SetRules(by MemberID, rules Rules, now time.Time) ([]Event, error) {
	if err := r.checkCall(now); err != nil {
		return nil, err
	}
	if err := r.checkModerator(by, by, false); err != nil {
		return nil, err
	}
	if err := rules.check(); err != nil {
		return nil, err
	}
	if rules == r.cfg.Rules {
		return nil, nil
	}
	r.cfg.Rules = rules
	events := []Event{{Kind: RulesSet, Room: r.cfg.Name, Rules: rules, By: by, At: now}}
	for _, e := range append([]*entry(nil), r.hands...) {
		if r.checkHandPolicy(e) != nil {
			events = append(events, r.lower(e, by, now))
		}
	}
	return events, nil
}

func (s Rules) check() error {
	if s.Hands > HandsOff || s.Visibility > Closed {
		return fmt.Errorf("%w: there is no such rule", ErrConfig)
	}
	if s.AudienceHold < 0 {
		return fmt.Errorf("%w: packets can't be held for %v", ErrConfig, s.AudienceHold)
	}
	return nil
}

// checkHandPolicy returns an error if a member may not raise a hand.
func (r *Room) checkHandPolicy(e *entry) error {
	switch {
	case r.cfg.Hands == HandsOff:
		return fmt.Errorf("%w: nobody may", ErrHandPolicy)
	case r.cfg.Hands == HandsInvited && !e.Invited:
		return fmt.Errorf("%w: only those who were invited to the room may", ErrHandPolicy)
	}
	return nil
}

// checkVisibility returns [ErrHidden] if the room does not exist for a person.
func (r *Room) checkVisibility(n JoinRequest) error {
	switch {
	case n.Invited, r.cfg.Visibility == Open:
	case r.cfg.Visibility == MembersOnly && n.ClubMember:
	default:
		return fmt.Errorf("room %q: %w", r.cfg.Name, ErrHidden)
	}
	return nil
}
