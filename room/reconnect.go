package room

import (
	"fmt"
	"time"
)

// absence is one stretch of somebody's being away.
type disconnection struct {
	member *entry
	since  time.Time
}

// over tells that the person has come back, or is gone.
func (r *Room) isOver(a disconnection) bool {
	return r.members[a.member.ID] != a.member || !a.member.DisconnectedAt.Equal(a.since)
}

// GoAway notes that a person's connection is lost. Their seat, their role and
// their hand are held for [Config.Window]; then they are lost. Somebody who came
// solo has nothing to come back with: [ErrSolo].
func (r *Room) Disconnect(id MemberID, now time.Time) ([]Event, error) {
	if err := r.checkCall(now); err != nil {
		return nil, err
	}
	e, err := r.find(id)
	if err != nil {
		return nil, err
	}
	switch {
	case e.MediaOnly:
		return nil, fmt.Errorf("member %q: %w", string(id), ErrMediaOnly)
	case !e.Connected():
		return nil, nil
	}
	r.setDisconnected(e, now)
	return r.updateHost(now, []Event{r.event(Disconnected, e, id, now)}), nil
}

func (r *Room) setDisconnected(e *entry, now time.Time) {
	e.DisconnectedAt = now
	r.disconnections = append(r.disconnections, disconnection{e, now})
}

// ComeBack notes that a person who was away is there again.
func (r *Room) Reconnect(id MemberID, now time.Time) ([]Event, error) {
	if err := r.checkCall(now); err != nil {
		return nil, err
	}
	e, err := r.find(id)
	if err != nil {
		return nil, err
	}
	if e.Connected() {
		return nil, nil
	}
	e.DisconnectedAt = time.Time{}
	return r.updateHost(now, []Event{r.event(Reconnected, e, id, now)}), nil
}

// Known returns the member whom somebody is: who has their account, or else a
// person on stage who is away and came with their token.
func (r *Room) Identify(identity Identity) (MemberID, bool) {
	if e, ok := r.accounts[identity.Account]; ok && identity.Account != "" {
		return e.ID, true
	}
	if identity.TokenFamily == "" {
		return "", false
	}
	for _, e := range r.stage {
		if e.TokenFamily == identity.TokenFamily && !e.Connected() {
			return e.ID, true
		}
	}
	return "", false
}

// firstAbsence returns the absence that ends first. Those that are over are let
// go: each was entered once, so this costs nothing in the long run.
func (r *Room) firstDisconnection() (disconnection, bool) {
	for len(r.disconnections) > 0 && r.isOver(r.disconnections[0]) {
		r.disconnections = r.disconnections[1:]
	}
	if len(r.disconnections) == 0 {
		r.disconnections = nil
		return disconnection{}, false
	}
	return r.disconnections[0], true
}

// loseAbsent takes out those who have been away for too long.
func (r *Room) removeDisconnected(now time.Time) (events []Event) {
	for {
		a, ok := r.firstDisconnection()
		if !ok || a.since.Add(r.cfg.ReconnectWindow).After(now) {
			return events
		}
		events = append(events, r.remove(a.member, a.member.ID, ReasonLost, now)...)
	}
}
