package room

import (
	"fmt"
	"time"
)

// absence is one stretch of somebody's being away.
type absence struct {
	who   *entry
	since time.Time
}

// over tells that the person has come back, or is gone.
func (r *Room) over(a absence) bool {
	return r.members[a.who.ID] != a.who || !a.who.Away.Equal(a.since)
}

// GoAway notes that a person's connection is lost. Their seat, their role and
// their hand are held for [Config.Window]; then they are lost. Somebody who came
// solo has nothing to come back with: [ErrSolo].
func (r *Room) GoAway(id MemberID, now time.Time) ([]Event, error) {
	if err := r.check(now); err != nil {
		return nil, err
	}
	e, err := r.find(id)
	if err != nil {
		return nil, err
	}
	switch {
	case e.Solo:
		return nil, fmt.Errorf("member %q: %w", string(id), ErrSolo)
	case !e.Present():
		return nil, nil
	}
	r.vanish(e, now)
	return r.settle(now, []Event{r.event(WentAway, e, id, now)}), nil
}

func (r *Room) vanish(e *entry, now time.Time) {
	e.Away = now
	r.absences = append(r.absences, absence{e, now})
}

// ComeBack notes that a person who was away is there again.
func (r *Room) ComeBack(id MemberID, now time.Time) ([]Event, error) {
	if err := r.check(now); err != nil {
		return nil, err
	}
	e, err := r.find(id)
	if err != nil {
		return nil, err
	}
	if e.Present() {
		return nil, nil
	}
	e.Away = time.Time{}
	return r.settle(now, []Event{r.event(CameBack, e, id, now)}), nil
}

// Known returns the member whom somebody is: who has their account, or else a
// person on stage who is away and came with their token.
func (r *Room) Known(who Identity) (MemberID, bool) {
	if e, ok := r.accounts[who.Account]; ok && who.Account != "" {
		return e.ID, true
	}
	if who.Pass == "" {
		return "", false
	}
	for _, e := range r.stage {
		if e.Pass == who.Pass && !e.Present() {
			return e.ID, true
		}
	}
	return "", false
}

// firstAbsence returns the absence that ends first. Those that are over are let
// go: each was entered once, so this costs nothing in the long run.
func (r *Room) firstAbsence() (absence, bool) {
	for len(r.absences) > 0 && r.over(r.absences[0]) {
		r.absences = r.absences[1:]
	}
	if len(r.absences) == 0 {
		r.absences = nil
		return absence{}, false
	}
	return r.absences[0], true
}

// loseAbsent takes out those who have been away for too long.
func (r *Room) loseAbsent(now time.Time) (events []Event) {
	for {
		a, ok := r.firstAbsence()
		if !ok || a.since.Add(r.cfg.Window).After(now) {
			return events
		}
		events = append(events, r.drop(a.who, a.who.ID, ReasonLost, now)...)
	}
}
