package store

import (
	"cmp"
	"context"
	"slices"

	"github.com/earshot-audio/earshot/room"
)

// Keep writes a room in the place of what was kept under its name, together with
// the audit entries that were noted before; one that has ended is forgotten, and
// so are the invites to it. When it returns without an error all of it is on the
// disk.
func (s *Store) Keep(r room.State) error {
	ctx, id := context.Background(), r.Config.Name
	if r.Ended {
		return s.drop(ctx, id)
	}
	_, err := s.rooms.change(ctx, keyOf(id), func(room.State, bool) (room.State, error) { return r, nil })
	if err != nil {
		return err
	}
	return s.trail.flush(ctx)
}

func (s *Store) drop(ctx context.Context, id string) error {
	if err := s.rooms.remove(ctx, keyOf(id)); err != nil {
		return err
	}
	if err := s.forget(ctx, func(i Invite) bool { return i.Room == id }); err != nil {
		return err
	}
	return s.trail.flush(ctx)
}

// Rooms returns the rooms that have not ended, the oldest first.
func (s *Store) Rooms() []room.State {
	all := s.rooms.all()
	slices.SortFunc(all, func(a, b room.State) int {
		return cmp.Or(a.Created.Compare(b.Created), cmp.Compare(a.Config.Name, b.Config.Name))
	})
	return all
}
