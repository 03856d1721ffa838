package room

import (
	"fmt"
	"slices"
	"time"
)

// Bar keeps somebody out who was removed or banned.
type Bar struct {
	// Member and Name are what the person was called in the room.
	Member MemberID
	Name   string
	// Identity is what does not come in again: of who was removed the token, of
	// who was banned the account, too.
	Identity
	By MemberID
	At time.Time
}

// Remove puts a person out, and keeps the token out with which they came. Only a
// host or the operator may, and nobody themselves: that is leaving.
func (r *Room) Remove(by, id MemberID, now time.Time) ([]Event, error) {
	return r.putOut(by, id, ReasonRemoved, now)
}

// Ban is [Room.Remove] for good: the person's account is kept out as well.
func (r *Room) Ban(by, id MemberID, now time.Time) ([]Event, error) {
	return r.putOut(by, id, ReasonBanned, now)
}

func (r *Room) putOut(by, id MemberID, reason Reason, now time.Time) ([]Event, error) {
	e, err := r.target(by, id, false, now)
	if err != nil {
		return nil, err
	}
	if by == id {
		return nil, fmt.Errorf("member %q: %w: leave instead", string(id), ErrForbidden)
	}
	bar := Bar{Member: id, Name: e.Name, Identity: e.Identity, By: by, At: now}
	if reason == ReasonRemoved {
		bar.Account = ""
	}
	// Who came without a token can't be told from a newcomer.
	if bar.Identity != (Identity{}) {
		r.bars = append(r.bars, bar)
	}
	return r.depart(by, id, reason, now)
}

// Unban lets somebody come back who was removed or banned; id is what they had
// in the room. Only a host or the operator may. [ErrNotMember]: nobody of that id
// was put out.
func (r *Room) Unban(by, id MemberID, now time.Time) ([]Event, error) {
	if err := r.check(now); err != nil {
		return nil, err
	}
	if err := r.allow(by, by, false); err != nil {
		return nil, err
	}
	i := slices.IndexFunc(r.bars, func(b Bar) bool { return b.Member == id })
	if i < 0 {
		return nil, fmt.Errorf("member %q: %w", string(id), ErrNotMember)
	}
	bar := r.bars[i]
	r.bars = slices.Delete(r.bars, i, i+1)
	return []Event{{Kind: Unbarred, Room: r.cfg.Name, Bar: bar, By: by, At: now}}, nil
}

// Bars lists who is kept out, in the order in which they were put out.
func (r *Room) Bars() []Bar { return slices.Clone(r.bars) }

// Barred reports whether somebody is kept out.
func (r *Room) Barred(who Identity) bool {
	return slices.ContainsFunc(r.bars, func(b Bar) bool {
		return (b.Pass != "" && b.Pass == who.Pass) || (b.Account != "" && b.Account == who.Account)
	})
}
