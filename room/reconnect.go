package room

import (
	"fmt"
	"time"
)

// disconnection is the time from the loss of a member's connection to its end.
type disconnection struct {
	member *entry
	since  time.Time
}

// isOver reports whether the member has reconnected, or is gone.
func (r *Room) isOver(a disconnection) bool {
	return r.members[a.member.ID] != a.member || !a.member.DisconnectedAt.Equal(a.since)
}

// Disconnect records that a person's connection is lost. They keep their seat,
// role and hand for [Config.ReconnectWindow]; then they are removed. A person
// without signaling can't reconnect: [ErrMediaOnly].
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

// Reconnect records that a person is connected again.
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

// Identify returns the member with an identity: the one with its account, or
// else a disconnected person on stage who joined with its token.
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

// firstDisconnection returns the disconnection that times out first. It removes
// those that are over; each was added once, so this is amortised.
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

// removeDisconnected removes members who were disconnected for too long.
func (r *Room) removeDisconnected(now time.Time) (events []Event) {
	for {
		a, ok := r.firstDisconnection()
		if !ok || a.since.Add(r.cfg.ReconnectWindow).After(now) {
			return events
		}
		events = append(events, r.remove(a.member, a.member.ID, ReasonLost, now)...)
	}
}
