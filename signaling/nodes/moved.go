package nodes

import (
	"context"
	"encoding/json"
	"time"
)

const (
	// movedFor is for how long a room that was handed over may have media left at the node before.
	movedFor = claimWait + 5*time.Second
	// maxMoved is how many rooms may wait to be read again. More are read when the store tells of them.
	maxMoved = 4096
	// readAgain is the pause after a room could not be read, and readTries how often it is tried.
	readAgain = 250 * time.Millisecond
	readTries = 20
)

// tellAdopted tells the other nodes that this one has a room now. The store tells them, too, but
// not while its servers choose who of them leads, which takes seconds.
func (n *Nodes) tellAdopted(id string) {
	if err := n.cluster.Tell(kindAdopted, []byte(id)); err != nil {
		n.cfg.Log.Warn("other nodes were not told where a room is", "room", id, "error", err)
	}
}

// hearAdopted is told by another node that it has a room. It does not wait.
func (n *Nodes) hearAdopted(id string) {
	select {
	case n.moved <- id:
	default:
	}
}

// readMoved reads the rooms again that others have taken over, until this node leaves.
func (n *Nodes) readMoved() {
	for {
		select {
		case <-n.stop:
			return
		case id := <-n.moved:
			n.readRoom(id)
		}
	}
}

// readRoom reads a room again. While the store's servers choose who of them leads it can't be read.
func (n *Nodes) readRoom(id string) {
	var err error
	for range readTries {
		if err = n.cfg.Store.RefreshRoom(context.Background(), id); err == nil {
			return
		}
		select {
		case <-n.stop:
			return
		case <-time.After(readAgain):
		}
	}
	n.cfg.Log.Warn("a room that another node has taken over could not be read", "room", id, "error", err)
}

// cutting is that people have nothing any more of a room that has moved, at the node that had it before.
type cutting struct {
	Room     string   `json:"room"`
	Accounts []string `json:"accounts"`
}

// sharesMoved notes that a room's people may still have media at the node that had it before.
func (n *Nodes) sharesMoved(id string) {
	l, err := n.rooms.Find(id)
	if err != nil {
		return
	}
	if r, ok := l.Media.Relay().(*relay); ok {
		r.moved.Store(&movedRoom{id, n.cfg.Clock().Add(movedFor)})
	}
}

// movedRoom is a room that was another node's, and until when that one may have media of it.
type movedRoom struct {
	id    string
	until time.Time
}

// CutEarlier implements [liveroom.Relay].
func (r *relay) CutEarlier(accounts []string) {
	n, moved := r.nodes, r.moved.Load()
	if moved == nil || n.cfg.Clock().After(moved.until) {
		return
	}
	if !n.tellAndWait(context.Background(), kindCut, cutting{moved.id, accounts}, "ended what people still had of a room that has moved") {
		r.moved.Store(nil) // that node is gone, or silent by now: nobody waits for it again
	}
}

// cutEarlier does what another node tells of people in a room that was this one's.
func (n *Nodes) cutEarlier(data []byte) {
	var c cutting
	if json.Unmarshal(data, &c) == nil {
		n.rooms.CutEarlier(c.Room, c.Accounts)
	}
}
