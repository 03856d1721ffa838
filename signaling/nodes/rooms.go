package nodes

import (
	"context"
	"errors"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/earshot-audio/earshot/cluster"
	"github.com/earshot-audio/earshot/room"
	"github.com/earshot-audio/earshot/signaling/liveroom"
	"github.com/earshot-audio/earshot/store"
)

// settleEvery is how often the node looks for rooms that no node has.
const settleEvery = time.Second

const (
	// claimWait is how long a room that is handed over plays on until another node has claimed it,
	// and claimLook how often that is looked at.
	claimWait = 3 * time.Second
	claimLook = 2 * time.Millisecond
	// handOvers is how many rooms are handed over, or looked at, at once.
	handOvers = 16
)

// handOverAll hands all rooms over, and returns when their people have gone.
func (n *Nodes) handOverAll(ctx context.Context) {
	var all errgroup.Group
	all.SetLimit(handOvers)
	rooms := n.rooms.List()
	gone := make([]<-chan struct{}, len(rooms))
	for i, l := range rooms {
		all.Go(func() error {
			gone[i] = n.handOver(ctx, l.ID())
			return nil
		})
	}
	_ = all.Wait() // each says by itself what fails
	for _, g := range gone {
		select {
		case <-g:
		case <-ctx.Done():
		}
	}
}

// handOver gives a room back to the store, and lets go of it as soon as another node has claimed it:
// whoever is told then that it has moved finds it there. gone is closed when they have gone.
func (n *Nodes) handOver(ctx context.Context, id string) (gone <-chan struct{}) {
	return n.rooms.Release(id, func(last room.State) string {
		if err := n.cfg.Store.Release(ctx, last); err != nil {
			n.cfg.Log.Warn("a room could not be handed over: another node takes it over later", "room", id, "error", err)
			return ""
		}
		next, known := n.cluster.Find(n.awaitClaim(ctx, id))
		if !known {
			return ""
		}
		return socketURL(next.URL)
	})
}

// awaitClaim returns the node that claims a room; empty: none does in time. While it waits nothing
// changes in the room, neither here nor anywhere else.
func (n *Nodes) awaitClaim(ctx context.Context, id string) (owner string) {
	ctx, cancel := context.WithTimeout(ctx, claimWait)
	defer cancel()
	look := time.NewTicker(claimLook)
	defer look.Stop()
	for len(n.heard()) > 1 {
		if owner, there := n.cfg.Store.Owner(id); !there || owner != "" {
			return owner
		}
		select {
		case <-ctx.Done():
			return ""
		case <-look.C:
		}
	}
	return ""
}

// nodesChanged is called when nodes have come or gone, or this one is cut off or back.
func (n *Nodes) nodesChanged() {
	n.cfg.Store.WatchAnew()
	n.settleSoon()
}

func (n *Nodes) settleSoon() {
	select {
	case n.kick <- struct{}{}:
	default:
	}
}

func (n *Nodes) run() {
	tick := time.NewTicker(settleEvery)
	defer tick.Stop()
	for {
		select {
		case <-n.stop:
			return
		case <-tick.C:
		case <-n.kick:
		}
		n.settle()
	}
}

// settle claims the rooms that no node has and that fall to this one, and lets go of those
// that are another's.
func (n *Nodes) settle() {
	if n.cluster.CutOff() {
		for _, l := range n.rooms.List() {
			n.letGo(l.ID(), "cut_off")
		}
		return
	}
	nodes := n.heard()
	self := n.cfg.Self.ID
	gone := map[string]bool{}
	for id, owner := range n.cfg.Store.Owners() {
		adopting := n.isAdopting(id) // first: when it is done the room is here
		here := n.rooms.Has(id)
		switch {
		case here && owner != self:
			n.letGo(id, "claimed")
		case here, adopting:
		case owner == self:
			// What ends is taken from the store first: it is there, so it was let go when this
			// node was cut off, and nobody has claimed it.
			if !n.adopt(id, owner) {
				return
			}
		case cluster.Candidate(nodes, id) != self:
		case owner == "" || n.isGone(gone, owner):
			if !n.adopt(id, owner) {
				return
			}
		}
	}
}

// Speaks implements [liveroom.Cluster].
func (n *Nodes) Speaks() bool { return n.joined() && n.cluster.Speaks() }

// heard returns the nodes that are not silent.
func (n *Nodes) heard() []cluster.Node {
	return slices.DeleteFunc(n.cluster.Nodes(), func(o cluster.Node) bool { return n.cluster.Silent(o.ID) })
}

// returned lets go of the rooms that others have taken over while this node might not speak.
func (n *Nodes) returned(ctx context.Context) error {
	n.rooms.EndMoved()
	all, ctx := errgroup.WithContext(ctx)
	all.SetLimit(handOvers)
	for _, l := range n.rooms.List() {
		all.Go(func() error {
			err := n.cfg.Store.Confirm(ctx, l.ID())
			if errors.Is(err, store.ErrNotOwner) {
				n.letGo(l.ID(), "claimed")
				return nil
			}
			return err
		})
	}
	err := all.Wait()
	if err == nil {
		select {
		case n.back <- struct{}{}:
		default:
		}
	}
	return err
}

// isGone asks once for each node.
func (n *Nodes) isGone(known map[string]bool, node string) bool {
	gone, asked := known[node]
	if !asked {
		gone = n.cluster.Silent(node) || n.cluster.Gone(context.Background(), node)
		known[node] = gone
	}
	return gone
}

// letGo lets go of a room that is another node's, or will be.
func (n *Nodes) letGo(id, reason string) {
	n.metrics.fenced.WithLabelValues(reason).Inc()
	n.cfg.Log.Warn("let go of a room", "room", id, "reason", reason)
	n.rooms.Release(id, func(room.State) string { return "" })
}

// adopt claims a room and makes it here. It reports whether other rooms may be tried: nothing can be
// claimed while nobody takes writes.
func (n *Nodes) adopt(id, owner string) bool {
	saved, err := n.cfg.Store.Claim(context.Background(), id, owner)
	switch {
	case errors.Is(err, store.ErrNotOwner), errors.Is(err, store.ErrNotFound):
		return true // another node was first, or the room has ended
	case err == nil:
		if _, there := n.cluster.Find(owner); there && owner != n.cfg.Self.ID && !n.cluster.Silent(owner) {
			n.adoptLater(id, owner)
			return true
		}
		err = n.makeAdopted(saved)
	}
	n.noteAdopted(id, owner, err)
	return !errors.Is(err, store.ErrLapsed)
}

// adoptLater makes a claimed room here whose earlier node may be back, when that one knows that the room
// is not its own, or is silent again. Meanwhile others are settled.
func (n *Nodes) adoptLater(id, owner string) {
	n.mu.Lock()
	n.adopting[id] = true
	n.mu.Unlock()
	n.running.Go(func() {
		defer func() {
			n.mu.Lock()
			defer n.mu.Unlock()
			delete(n.adopting, id)
		}()
		wait := time.NewTimer(cluster.LeaseFor)
		defer wait.Stop()
		select {
		case <-n.stop: // another node takes it, when this one is gone
			return
		case <-wait.C:
		}
		// This node may have stood still for longer, and another have claimed the room from it, and changed it.
		saved, err := n.cfg.Store.Claim(context.Background(), id, n.cfg.Self.ID)
		switch {
		case errors.Is(err, store.ErrNotOwner), errors.Is(err, store.ErrNotFound):
			return
		case err == nil:
			err = n.makeAdopted(saved)
		}
		n.noteAdopted(id, owner, err)
	})
}

// isAdopting reports whether a claimed room will be made here.
func (n *Nodes) isAdopting(id string) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.adopting[id]
}

// noteAdopted notes that a room was made here, or could not be.
func (n *Nodes) noteAdopted(id, owner string, err error) {
	if errors.Is(err, liveroom.ErrHere) {
		return // it has been
	}
	if err != nil {
		n.cfg.Log.Error("a room could not be taken over", "room", id, "from", owner, "error", err)
		return
	}
	reason := "node_gone"
	switch owner {
	case "":
		reason = "handed_over"
	case n.cfg.Self.ID:
		reason = "back"
	}
	n.metrics.takeovers.WithLabelValues(reason).Inc()
	n.tellAdopted(id)
}
