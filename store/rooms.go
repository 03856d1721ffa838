package store

import (
	"cmp"
	"context"
	"slices"

	"github.com/earshot-audio/earshot/room"
)

// PutRoom writes a room's state in place of the stored one, and the audit entries
// that were added before. A room that has ended is removed, with its invites. When
// PutRoom returns without an error, all of it is on the disk. In a cluster it is
// [ErrNotOwner] for a room that another server has.
func (s *Store) PutRoom(r room.State) error {
	ctx, id := context.Background(), r.Config.Name
	if s.cluster == nil && r.Ended {
		return s.deleteRoom(ctx, id)
	}
	_, err := s.rooms.change(ctx, keyOf(id), func(old roomRecord, there bool) (roomRecord, error) {
		if s.cluster == nil {
			return roomRecord{State: r}, nil
		}
		if there && old.Node != s.cluster.node || !there && s.cluster.owns(id) {
			return old, ErrNotOwner
		}
		return roomRecord{State: r, Node: s.cluster.node}, nil
	})
	if err != nil {
		return err
	}
	if s.cluster != nil {
		s.cluster.own(id, !r.Ended)
	}
	if r.Ended { // in a cluster it is this server's to remove now
		return s.deleteRoom(ctx, id)
	}
	return s.audit.flush(ctx)
}

func (s *Store) deleteRoom(ctx context.Context, id string) error {
	if err := s.rooms.remove(ctx, keyOf(id)); err != nil {
		return err
	}
	if err := s.removeInvites(ctx, func(i Invite) bool { return i.Room == id }); err != nil {
		return err
	}
	return s.audit.flush(ctx)
}

// Rooms returns the rooms that have not ended, the oldest first.
func (s *Store) Rooms() []room.State {
	var all []room.State
	s.rooms.each(func(r roomRecord) { all = append(all, r.State) })
	slices.SortFunc(all, func(a, b room.State) int {
		return cmp.Or(a.Created.Compare(b.Created), cmp.Compare(a.Config.Name, b.Config.Name))
	})
	return all
}
