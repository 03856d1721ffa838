package room

import (
	"fmt"
	"slices"
	"time"
)

// Reservation keeps a place on stage for an invited guest who has not joined yet.
type Reservation struct {
	// Key is what the guest brings, in [JoinRequest.Reservation]. It must not be empty.
	Key string
	// Name is what the invite calls the guest; it may be empty.
	Name string
	// Role is speaker or host.
	Role Role
	// Until is when the reservation expires.
	Until time.Time
	// Inviter is who invited the guest; zero: the operator.
	Inviter Identity `json:",omitzero"`
}

// Reserve reserves a place on stage. The error is [ErrStageFull] if none is free,
// [ErrRole] if the role needs none, and [ErrTime] if the reservation would have
// expired already. It replaces an earlier reservation of the same key.
func (r *Room) Reserve(h Reservation, now time.Time) ([]Event, error) {
	if err := r.checkCall(now); err != nil {
		return nil, err
	}
	switch {
	case h.Key == "":
		return nil, fmt.Errorf("reserve a place: %w", ErrID)
	case !h.Role.OnStage() || !h.Role.Valid():
		return nil, fmt.Errorf("reserve a place for a %s: %w", h.Role, ErrRole)
	case !h.Until.After(now):
		return nil, fmt.Errorf("reserve a place until %s: %w", h.Until, ErrTime)
	}
	if i := r.findReservation(h.Key); i >= 0 {
		r.reservations[i] = h
	} else {
		if err := r.checkFreePlace(); err != nil {
			return nil, err
		}
		r.reservations = append(r.reservations, h)
	}
	return []Event{r.reservationEvent(PlaceReserved, h, now)}, nil
}

// ReleaseReservation ends a reservation. An unknown key changes nothing.
func (r *Room) ReleaseReservation(key string, now time.Time) ([]Event, error) {
	if err := r.checkCall(now); err != nil {
		return nil, err
	}
	i := r.findReservation(key)
	if i < 0 {
		return nil, nil
	}
	h := r.reservations[i]
	r.reservations = slices.Delete(r.reservations, i, i+1)
	return []Event{r.reservationEvent(ReservationReleased, h, now)}, nil
}

// Reservations lists the reservations, the oldest first.
func (r *Room) Reservations() []Reservation { return slices.Clone(r.reservations) }

func (r *Room) findReservation(key string) int {
	if key == "" {
		return -1
	}
	return slices.IndexFunc(r.reservations, func(h Reservation) bool { return h.Key == key })
}

// expireReservations ends the reservations whose time is over.
func (r *Room) expireReservations(now time.Time) (events []Event) {
	for i := 0; i < len(r.reservations); {
		if h := r.reservations[i]; h.Until.After(now) {
			i++
		} else {
			r.reservations = slices.Delete(r.reservations, i, i+1)
			events = append(events, r.reservationEvent(ReservationExpired, h, now))
		}
	}
	return events
}

func (r *Room) reservationEvent(kind Kind, h Reservation, now time.Time) Event {
	return Event{Kind: kind, Room: r.cfg.Name, Reservation: h, By: Operator, At: now}
}
