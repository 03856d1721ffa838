package signaling

import "github.com/earshot-audio/earshot/room"

// Keeper keeps what must outlive the process. Its methods may be called from any
// goroutine; for one room they come one after the other.
type Keeper interface {
	// PutRoom keeps a room's state in the place of what was kept under its name, and
	// returns when it is safe: the change that led to it has not been acknowledged
	// before. A state that has ended need not be given back. An error means that
	// the client is told that its request could not be carried out; the room is
	// kept again soon.
	PutRoom(room.State) error
}
