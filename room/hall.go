package room

import (
	"fmt"
	"slices"
)

// Halls returns how many audience seats are taken in each hall: first in the
// room itself, then in the overflow halls there have been so far.
func (r *Room) Halls() []int { return slices.Clone(r.halls) }

// freeHall returns the first hall with a free seat.
func (r *Room) freeHall() (int, error) {
	for i, taken := range r.halls {
		if taken < r.cfg.Capacity {
			return i, nil
		}
	}
	if len(r.halls) < r.cfg.Halls {
		return len(r.halls), nil
	}
	if r.cfg.Halls == 1 {
		return 0, fmt.Errorf("%w: all %d seats are taken", ErrFull, r.cfg.Capacity)
	}
	return 0, fmt.Errorf("%w: all %d seats of %d halls are taken", ErrFull, r.cfg.Capacity*r.cfg.Halls, r.cfg.Halls)
}

// takeSeat gives a member a seat in a hall that has one.
func (r *Room) takeSeat(e *entry, hall int) {
	if hall == len(r.halls) {
		r.halls = append(r.halls, 0)
	}
	e.Hall = hall
	r.halls[hall]++
	r.sit(e)
}

// freeSeat frees the seat of a member in the audience.
func (r *Room) freeSeat(e *entry) {
	r.halls[e.Hall]--
	r.stand(e)
	e.Hall = 0
}

// checkFreePlace returns [ErrStageFull] if every place on stage is taken or
// reserved.
func (r *Room) checkFreePlace() error {
	reserved := len(r.invited) + len(r.reservations)
	if len(r.stage)+reserved < r.cfg.Stage {
		return nil
	}
	if reserved > 0 {
		return fmt.Errorf("%w: all %d places are taken, %d of them held for guests", ErrStageFull, r.cfg.Stage, reserved)
	}
	return fmt.Errorf("%w: all %d places are taken", ErrStageFull, r.cfg.Stage)
}
