package nodes

import "context"

// maxMoved is how many rooms may wait to be read again. More are read when the store tells of them.
const maxMoved = 4096

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
			if err := n.cfg.Store.RefreshRoom(context.Background(), id); err != nil {
				n.cfg.Log.Warn("a room that another node has taken over could not be read", "room", id, "error", err)
			}
		}
	}
}
