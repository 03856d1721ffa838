package liveroom

import (
	"log/slog"
	"time"

	"github.com/earshot-audio/earshot/room"
	"github.com/earshot-audio/earshot/signaling/wire"
)

// Persister saves the rooms that must outlive the process. Its methods may be
// called from any goroutine; the calls for one room come one after the other.
type Persister interface {
	// PutRoom saves a room's state, replacing what was saved under its name, and
	// returns when it is safe: the change that led to it has not been acknowledged
	// before. A room that has ended need not be restored. After an error the client
	// is told that its request failed, and the room is saved again soon.
	PutRoom(room.State) error
}

// errNotSaved refuses a request whose outcome might not outlive the process. The
// change has been carried out, and is saved as soon as that is possible.
var errNotSaved = wire.NewError(wire.CodeUnavailable, "the change could not be kept; try again")

// saveRetry is how long after a failure a room is saved again.
const saveRetry = time.Second

// saver saves one room. The room's lock guards it.
type saver struct {
	persister Persister // nil: rooms end with the process
	log       *slog.Logger
	// unsaved reports that the last attempt failed, or that the room is new.
	unsaved bool
}

// save saves the room after a change, if there is anything to save.
func (s *saver) save(rules *room.Room, events []room.Event) error {
	if s.persister == nil || (!s.unsaved && !lasting(events)) {
		return nil
	}
	if err := s.persister.PutRoom(rules.State()); err != nil {
		s.log.Error("save a room", "room", rules.Config().Name, "error", err)
		s.unsaved = true
		return errNotSaved
	}
	s.unsaved = false
	return nil
}

// next returns the earlier of a time and that of the next attempt to save; zero:
// neither.
func (s *saver) next(at, now time.Time) time.Time {
	if retry := now.Add(saveRetry); s.unsaved && (at.IsZero() || retry.Before(at)) {
		return retry
	}
	return at
}

// lasting reports whether a change has to outlive the process. Listeners who join
// and leave do not: their tokens bring them back.
func lasting(events []room.Event) bool {
	for _, e := range events {
		switch e.Kind {
		case room.Disconnected, room.Reconnected, room.HandRaised, room.HandLowered, room.Applauded, room.StageInvited, room.StageInviteClosed:
		case room.Joined:
			if e.Member.Role.OnStage() {
				return true
			}
		case room.Left:
			if e.Member.Role.OnStage() || e.Reason == room.ReasonRemoved || e.Reason == room.ReasonBanned {
				return true
			}
		default:
			return true
		}
	}
	return false
}
