package nodes

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/earshot-audio/earshot/room"
	"github.com/earshot-audio/earshot/signaling/liveroom"
)

const (
	// endWait is how long a login waits for other nodes to end the account's rooms there.
	endWait = 1200 * time.Millisecond

	// The kinds of what one node tells all.
	kindArrived = "arrived"
	kindLogin   = "login"
	kindDeleted = "deleted"
	kindAdopted = "adopted"
	kindCut     = "cut"
)

// OwnedBy implements [liveroom.Cluster].
func (n *Nodes) OwnedBy(account string) int { return n.cfg.Store.OwnedBy(account) }

// NewArrival implements [liveroom.Cluster].
func (n *Nodes) NewArrival() liveroom.Arrival {
	n.mu.Lock()
	defer n.mu.Unlock()
	// Later than all that it knows of, whatever the nodes' clocks say (Lamport).
	n.stamp = max(n.stamp+1, uint64(max(n.cfg.Clock().UnixMicro(), 0)))
	return liveroom.Arrival{Stamp: n.stamp, Server: n.cfg.Self.ID}
}

// arrival is an account that has come into a room somewhere.
type arrival struct {
	Account string `json:"account"`
	Room    string `json:"room"`
	liveroom.Arrival
}

// Arriving implements [liveroom.Cluster].
func (n *Nodes) Arriving(account, into string, a liveroom.Arrival) {
	if n.joined() { // before that nobody is let in
		n.tellAndWait(context.Background(), kindArrived, arrival{account, into, a}, "ended what an account had there")
	}
}

// Arrived implements [liveroom.Cluster].
func (n *Nodes) Arrived(account, into string, a liveroom.Arrival) {
	data, err := json.Marshal(arrival{account, into, a})
	if err == nil {
		err = n.cluster.Tell(kindArrived, data)
	}
	if err != nil {
		n.cfg.Log.Warn("other nodes were not told who is here", "error", err)
	}
}

// login is that an account has logged in: what it has with tokens of another family ends.
type login struct {
	Account string `json:"account"`
	Keep    string `json:"keep"`
}

// LoggedIn ends what an account has on other nodes, and returns when they have done so.
// Nodes that do not answer in time learn of the login from the store.
func (n *Nodes) LoggedIn(ctx context.Context, account, keep string) {
	n.tellAndWait(ctx, kindLogin, login{account, keep}, "ended an account's earlier login")
}

// tellAndWait tells all other nodes something, and returns when they have said that they did it. It warns
// of those that have not.
func (n *Nodes) tellAndWait(ctx context.Context, kind string, what any, did string) {
	data, err := json.Marshal(what)
	if err != nil {
		n.cfg.Log.Error("encode what other nodes are told", "kind", kind, "error", err)
		return
	}
	if silent := n.cluster.TellAndWait(ctx, kind, data, endWait); len(silent) > 0 {
		n.cfg.Log.Warn("nodes have not said that they "+did, "nodes", silent)
	}
}

// deletion is that an account is gone.
type deletion struct {
	Account string `json:"account"`
	Name    string `json:"name"`
}

// Deleted has other nodes forget a deleted account, and returns when they have done so.
// Nodes that do not answer in time learn from the store that it is gone, but what their
// rooms remember of it stays until those end.
func (n *Nodes) Deleted(ctx context.Context, account, name string) {
	n.tellAndWait(ctx, kindDeleted, deletion{account, name}, "forgot a deleted account")
}

// told carries out what another node tells all, or returns what carries it out.
func (n *Nodes) told(kind string, data []byte) (slow func()) {
	switch kind {
	case kindArrived:
		var a arrival
		if json.Unmarshal(data, &a) != nil {
			return nil
		}
		n.mu.Lock()
		n.stamp = max(n.stamp, a.Stamp)
		n.mu.Unlock()
		return n.rooms.ArrivedElsewhere(a.Account, a.Room, a.Arrival)
	case kindLogin:
		var l login
		if json.Unmarshal(data, &l) != nil {
			return nil
		}
		if err := n.cfg.Store.RefreshAccount(context.Background(), l.Account); err != nil {
			n.cfg.Log.Warn("an account's login could not be read", "error", err)
		}
		n.rooms.EndAccount(l.Account, l.Keep)
	case kindDeleted:
		var d deletion
		if json.Unmarshal(data, &d) != nil {
			return nil
		}
		n.forget(d)
	case kindAdopted:
		n.hearAdopted(string(data))
	case kindCut:
		n.cutEarlier(data)
	}
	return nil
}

// forget ends what a deleted account has here.
func (n *Nodes) forget(d deletion) {
	err := n.cfg.Store.RefreshAccount(context.Background(), d.Account)
	n.rooms.EndAccount(d.Account, "")
	for _, l := range n.rooms.List() {
		if l.OwnedBy(d.Account) {
			err = errors.Join(err, l.EndIf(func(*room.Room) error { return nil }))
		}
	}
	if err := errors.Join(err, n.rooms.Forget(d.Account, d.Name)); err != nil {
		n.cfg.Log.Warn("a deleted account could not be forgotten", "error", err)
	}
}
