package room

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// MaxRemembered is how many people a room remembers of each kind: those who were put
// out, and those whose role or mute somebody has changed. What it remembers is one record
// of the store.
const MaxRemembered = 8_000

// Claim is what somebody shows who may be in the room or not: who they are, and what
// their token or their account gives them. What they may do now, the room says.
type Claim struct {
	Identity
	// Role is the highest role that they are given; zero: none, for the room is hidden
	// from them.
	Role Role
	// Owner reports whether they made the room.
	Owner bool
	// InvitedBy is who invited them, see [JoinRequest].
	InvitedBy string
	Sponsors  []Sponsor
}

// Sponsor is an account that brought another into the club, and when that came. Whoever came by an
// invite to the room needs none.
type Sponsor struct {
	Account string
	At      time.Time
}

// Standing is what the room has decided about a person and remembers when they are
// gone: their token does not know of it.
type Standing struct {
	// Person is the person's account, or the token family of one without an account.
	Person string
	// Role is the role in which they may be in the room at most; zero: as their token
	// says.
	Role Role
	// Lowered reports whether somebody else took a role from them, and nobody has made
	// them host since.
	Lowered bool `json:",omitempty"`
	// Muted reports whether somebody else muted them on stage; MutedBy is who.
	Muted   bool     `json:",omitempty"`
	MutedBy MemberID `json:",omitempty"`
}

// person returns what a person is remembered by; empty: they cannot be recognised.
func (i Identity) person() string {
	if i.Account != "" {
		return i.Account
	}
	return i.TokenFamily
}

// Allowed returns the highest role that a person may have in the room now. It is the
// one answer to what somebody may do, in the room or not, and whatever way they came:
// a host may do what hosts may do, any role may see the room. The error is
// [ErrBlocked] for those who were put out, and [ErrHidden] for those who may not see
// the room.
func (r *Room) Allowed(c Claim) (Role, error) {
	if r.Blocked(c.Identity) || r.cutOff(c.Identity, c.InvitedBy) || r.sentBack(c.Sponsors) {
		return 0, fmt.Errorf("room %q: %w", r.cfg.Name, ErrBlocked)
	}
	s := r.standing(c.Identity)
	switch {
	case s.Role != 0 && (!c.keeps(s) || r.steppedDown(s)) && (c.Role != 0 || s.Role.OnStage()):
		return s.Role, nil
	case c.Role != 0:
		return c.Role, nil
	case c.Account != "" && r.accounts[c.Account] != nil:
		return Listener, nil // they were in when it was hidden
	}
	return 0, fmt.Errorf("room %q: %w", r.cfg.Name, ErrHidden)
}

// keeps reports whether a standing does not bind a person: what the owner of a room
// gave up themselves, they can take back.
func (c Claim) keeps(s Standing) bool { return c.Owner && !s.Lowered }

// steppedDown reports whether a person is in the room in the role that they were left
// with: until they leave, they have stepped down.
func (r *Room) steppedDown(s Standing) bool {
	e, ok := r.accounts[s.Person]
	return ok && !e.MediaOnly && e.Role <= s.Role
}

// InviteEnded reports whether an invite to the room admits nobody any more: somebody
// who came by it or who made it was put out, or it is to the stage and somebody else
// has taken a role from who made it.
func (r *Room) InviteEnded(invite string, maker Claim, role Role) bool {
	if slices.ContainsFunc(r.blocks, func(b Block) bool { return b.Invite != "" && b.Invite == invite }) {
		return true
	}
	if r.Blocked(maker.Identity) || r.cutOff(Identity{}, maker.InvitedBy) {
		return true
	}
	return role.OnStage() && r.standing(maker.Identity).Lowered
}

// Regrant gives a person the role of an invite that was made after the room gave
// them a lower one. It reports whether it has changed anything.
func (r *Room) Regrant(who Identity, role Role, made time.Time) bool {
	s := r.standing(who)
	if s.Role == 0 || s.Role >= role || !made.After(r.decided[s.Person]) {
		return false
	}
	s.Role, s.Lowered = role, s.Lowered && role != Host
	r.standings[s.Person] = s
	return true
}

// cutOff reports whether a person came by invites of somebody who has been put out
// since, and has never been in the room: a second token that somebody made for
// themselves is put out with them.
func (r *Room) cutOff(who Identity, invitedBy string) bool {
	if invitedBy == "" {
		return false
	}
	if _, seen := r.seen[who.person()]; seen || r.standing(who).Role != 0 {
		return false
	}
	return slices.ContainsFunc(strings.Fields(invitedBy), func(key string) bool {
		return r.Blocked(Identity{Account: key, TokenFamily: key})
	})
}

// sentBack reports whether an account came to the club by an invite of somebody who had been banned
// here before, or by one of an account that did: nobody comes back with another account.
func (r *Room) sentBack(sponsors []Sponsor) bool {
	return slices.ContainsFunc(sponsors, func(s Sponsor) bool {
		return slices.ContainsFunc(r.blocks, func(b Block) bool { return b.Account == s.Account && b.At.Before(s.At) })
	})
}

// checkMemory returns [ErrRemembered] if the room cannot remember what somebody else
// decides about a member.
func (r *Room) checkMemory(e *entry) error {
	person := e.person()
	if _, known := r.standings[person]; known || person == "" || len(r.standings) < MaxRemembered {
		return nil
	}
	return fmt.Errorf("member %q: %w", string(e.ID), ErrRemembered)
}

// standing returns what the room remembers of a person; its Person is empty if they
// cannot be recognised.
func (r *Room) standing(who Identity) Standing {
	s := r.standings[who.person()]
	s.Person = who.person()
	return s
}

// remember changes what the room remembers of a person.
func (r *Room) remember(who Identity, now time.Time, change func(*Standing)) {
	s := r.standing(who)
	if _, known := r.standings[s.Person]; s.Person == "" || !known && len(r.standings) >= MaxRemembered {
		return // only what people do themselves: others were refused
	}
	change(&s)
	r.standings[s.Person], r.decided[s.Person] = s, now
	if s == (Standing{Person: s.Person}) {
		delete(r.standings, s.Person)
	}
}

// Appoint makes an account a host whenever it comes, until somebody takes that from it.
func (r *Room) Appoint(account string, now time.Time) {
	r.remember(Identity{Account: account}, now, func(s *Standing) { s.Role, s.Lowered = Host, false })
}

// setRole gives a member another role, and remembers it.
func (r *Room) setRole(e *entry, role Role, by MemberID, now time.Time) {
	was := e.Role
	e.Role = role
	r.remember(e.Identity, now, func(s *Standing) {
		s.Role = role
		switch {
		case role == Host:
			s.Lowered = false
		case role < was && by != e.ID:
			s.Lowered = true
		}
	})
}

// setMuted mutes or unmutes a member, and remembers what others did.
func (r *Room) setMuted(e *entry, muted bool, by MemberID, now time.Time) {
	e.Muted, e.MutedBy = muted, by
	if !muted {
		e.MutedBy = Operator
	}
	if muted && r.samePerson(by, e) {
		return
	}
	r.remember(e.Identity, now, func(s *Standing) { s.Muted, s.MutedBy = muted, e.MutedBy })
}

// sessions returns the other members who are the same person: a token without an
// account may be in the room more than once.
func (r *Room) sessions(e *entry) (others []*entry) {
	if e.Account != "" || e.TokenFamily == "" {
		return nil
	}
	for _, o := range r.byJoinOrder() {
		if o != e && o.Account == "" && o.TokenFamily == e.TokenFamily {
			others = append(others, o)
		}
	}
	return others
}

// samePerson reports whether the member by is the person of e.
func (r *Room) samePerson(by MemberID, e *entry) bool {
	actor, ok := r.members[by]
	return ok && (actor == e || actor.person() != "" && actor.person() == e.person())
}

// endInvites ends what a person has offered others who was put out or lost the role
// of host: invitations to the stage, and places there that are reserved for guests.
func (r *Room) endInvites(e *entry, by MemberID, now time.Time) (events []Event) {
	for _, invited := range slices.Clone(r.invited) {
		if invited.Invitation.By == e.ID {
			events = append(events, r.closeInvitation(invited, Withdrawn, by, now))
		}
	}
	for _, h := range slices.Clone(r.reservations) {
		if person := h.Inviter.person(); person != "" && person == e.person() {
			i := r.findReservation(h.Key)
			r.reservations = slices.Delete(r.reservations, i, i+1)
			events = append(events, r.reservationEvent(ReservationReleased, h, now))
		}
	}
	return events
}

// Standings lists what the room remembers of people, in the order of their names.
func (r *Room) Standings() []Standing {
	list := make([]Standing, 0, len(r.standings))
	for _, person := range slices.Sorted(maps.Keys(r.standings)) {
		list = append(list, r.standings[person])
	}
	return list
}
