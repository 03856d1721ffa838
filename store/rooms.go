package store

import (
	"cmp"
	"context"
	"encoding/json"
	"slices"
	"time"
)

// Room is a room as it is kept. It is a value.
type Room struct {
	ID string `json:"id"`
	// Title is what people call it.
	Title string `json:"title"`
	// Owner is the account that made it; empty for the operator.
	Owner string `json:"owner,omitempty"`
	// Slots is how many voices it passes on at once.
	Slots   int             `json:"slots"`
	Created time.Time       `json:"created"`
	State   json.RawMessage `json:"state,omitempty"`
}

// Keep writes a room in the place of what was kept of it, together with the audit
// entries that were noted before. When it returns without an error all of it is
// on the disk.
func (s *Store) Keep(ctx context.Context, r Room) error {
	_, err := s.rooms.change(ctx, keyOf(r.ID), func(Room, bool) (Room, error) { return r, nil })
	if err != nil {
		return err
	}
	return s.trail.flush(ctx)
}

// Drop forgets a room that has ended, and the invites to it.
func (s *Store) Drop(ctx context.Context, id string) error {
	if err := s.rooms.remove(ctx, keyOf(id)); err != nil {
		return err
	}
	if err := s.forget(ctx, func(i Invite) bool { return i.Room == id }); err != nil {
		return err
	}
	return s.trail.flush(ctx)
}

// Rooms returns the rooms that have not ended, the oldest first.
func (s *Store) Rooms() []Room {
	all := s.rooms.all()
	slices.SortFunc(all, func(a, b Room) int {
		return cmp.Or(a.Created.Compare(b.Created), cmp.Compare(a.ID, b.ID))
	})
	return all
}
