package room

import (
	"fmt"
	"slices"
	"time"
)

// State is what must outlive the process: who is on stage, in which role, and
// what has been decided. The audience is not in it; their tokens bring them back.
// It is a value of its own.
type State struct {
	Config  Config
	Created time.Time
	Ended   bool
	// Stage is who is on stage, those longest there first.
	Stage        []Member
	Blocks       []Block       `json:"Bars"`
	Reservations []Reservation `json:"Holds"`
	// Standings is what the room remembers of people, present or not.
	Standings []Standing `json:",omitempty"`
}

// State returns the state as it is now.
func (r *Room) State() State {
	return State{Config: r.cfg, Created: r.created, Ended: r.ended, Stage: r.Stage(), Blocks: r.Blocks(), Reservations: r.Reservations(), Standings: r.Standings()}
}

// Restore makes a room from its state. The people on stage are disconnected from
// now on, and have [Config.ReconnectWindow] to reconnect; if there was a host
// among them, the grace period runs. Members without signaling are gone, since
// their media session has ended.
func Restore(s State, now time.Time) (*Room, error) {
	r, err := New(s.Config, now)
	if err != nil {
		return nil, err
	}
	if s.Created.IsZero() {
		return nil, fmt.Errorf("%w: it was never created", ErrConfig)
	}
	r.created, r.ended = s.Created, s.Ended
	r.blocks, r.reservations = slices.Clone(s.Blocks), slices.Clone(s.Reservations)
	for _, known := range s.Standings {
		r.standings[known.Person], r.decided[known.Person] = known, now
	}
	for _, m := range s.Stage {
		switch {
		case m.MediaOnly:
			continue
		case m.ID == "" || !m.Role.OnStage() || r.members[m.ID] != nil || len(r.stage) >= r.cfg.Stage:
			return nil, fmt.Errorf("%w: %q cannot be on its stage as %s", ErrConfig, string(m.ID), m.Role)
		}
		e := &entry{Member: m, seq: r.nextSeq}
		r.nextSeq++
		r.add(e)
		r.setDisconnected(e, now)
		r.hadHost = r.hadHost || m.Role == Host
	}
	if r.ended && len(r.members) > 0 {
		return nil, fmt.Errorf("%w: it has ended with people in it", ErrConfig)
	}
	r.updateHost(now, nil)
	return r, nil
}
