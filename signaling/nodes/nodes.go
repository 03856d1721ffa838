package nodes

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/earshot-audio/earshot/cluster"
	"github.com/earshot-audio/earshot/room"
	"github.com/earshot-audio/earshot/signaling/auth"
	"github.com/earshot-audio/earshot/signaling/liveroom"
	"github.com/earshot-audio/earshot/store"
)

const (
	// settleEvery is how often the node looks for rooms that no node has.
	settleEvery = time.Second
	// passWait is how long another node may take to answer a request.
	passWait = 15 * time.Second
	// endWait is how long a login waits for other nodes to end the account's rooms there.
	endWait = 1200 * time.Millisecond

	// The kinds of what one node tells all.
	kindArrived = "arrived"
	kindLogin   = "login"
)

// Config is what [Join] needs. All fields but TTL are required.
type Config struct {
	// NATS is the URL of the NATS servers, with commas between several.
	NATS string
	// Self is this node. Its ID is that of the store.
	Self  cluster.Node
	Store *store.Store
	Clock func() time.Time
	Log   *slog.Logger
	// Metrics is where the node registers its metrics.
	Metrics prometheus.Registerer
	// TTL is how long a node that says nothing keeps its rooms; zero: the cluster's.
	TTL time.Duration
}

// Nodes is this node's part in the cluster. It is safe for concurrent use. [New] makes it,
// [Nodes.Join] makes this node one of the cluster. Its methods are grouped by file: rooms and
// accounts here, HTTP requests in request.go. They share the view of the cluster.
type Nodes struct {
	cfg     Config
	metrics metrics
	in      chan struct{} // closed when this node is one of the cluster: then what follows is set
	cluster *cluster.Cluster
	rooms   *liveroom.Registry
	auth    *auth.Authenticator

	kick    chan struct{} // holds one if there may be something to settle
	stop    chan struct{}
	running sync.WaitGroup
	closing sync.Once

	mu    sync.Mutex
	stamp uint64 // of the latest arrival that this node knows of
}

// New makes a part in a cluster, to be completed by [Nodes.Join].
func New(cfg Config) (*Nodes, error) {
	n := &Nodes{cfg: cfg, metrics: newMetrics(), in: make(chan struct{}), kick: make(chan struct{}, 1), stop: make(chan struct{})}
	for _, c := range []prometheus.Collector{n.metrics.redirects, n.metrics.passed, n.metrics.takeovers, n.metrics.fenced, &collector{n}} {
		if err := cfg.Metrics.Register(c); err != nil {
			return nil, fmt.Errorf("register metrics: %w", err)
		}
	}
	return n, nil
}

// Join makes this node one of the cluster, with the rooms that are its own now. handler
// serves what other nodes pass on, and url is where clients reach this node, if its
// configuration does not say.
func (n *Nodes) Join(ctx context.Context, url string, rooms *liveroom.Registry, authenticator *auth.Authenticator, handler http.Handler) error {
	n.rooms, n.auth = rooms, authenticator
	n.cfg.Self.URL = cmp.Or(n.cfg.Self.URL, url)
	var err error
	n.cluster, err = cluster.Join(ctx, cluster.Config{
		URL: n.cfg.NATS, Self: n.cfg.Self, Load: rooms.Load, Handler: n.passed(handler),
		Told: n.told, Changed: n.settleSoon, TTL: n.cfg.TTL, Log: n.cfg.Log,
	})
	if err != nil {
		return err
	}
	close(n.in)
	n.cfg.Store.OnRoom(func(id string) {
		if owner, _ := n.cfg.Store.Owner(id); (owner == n.cfg.Self.ID) != n.rooms.Has(id) {
			n.settleSoon()
		}
	})
	n.settle()
	n.running.Go(n.run)
	return nil
}

// ID returns this node's ID.
func (n *Nodes) ID() string { return n.cfg.Self.ID }

// joined reports whether this node is one of the cluster.
func (n *Nodes) joined() bool {
	select {
	case <-n.in:
		return true
	default:
		return false
	}
}

// Leave hands the rooms over and takes this node out of the cluster. It may be called more
// than once.
func (n *Nodes) Leave(ctx context.Context) (err error) {
	n.closing.Do(func() {
		close(n.stop)
		n.running.Wait()
		if !n.joined() {
			return
		}
		n.cfg.Store.OnRoom(func(string) {})
		if !n.cluster.CutOff() {
			err = n.cluster.SetDraining(ctx, true) // no room comes back
		}
		for _, l := range n.rooms.List() {
			n.handOver(ctx, l.ID())
		}
		err = errors.Join(err, n.cluster.Leave(ctx))
	})
	return err
}

// handOver gives a room back to the store, for another node to claim, and lets go of it.
func (n *Nodes) handOver(ctx context.Context, id string) {
	n.rooms.Release(id, func(last room.State) {
		if err := n.cfg.Store.Release(ctx, last); err != nil {
			n.cfg.Log.Warn("a room could not be handed over: another node takes it over later", "room", id, "error", err)
		}
	})
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
	nodes := n.cluster.Nodes()
	self := n.cfg.Self.ID
	gone := map[string]bool{}
	for id, owner := range n.cfg.Store.Owners() {
		here := n.rooms.Has(id)
		switch {
		case here && owner != self:
			n.letGo(id, "claimed")
		case here:
		case owner == self:
			// What ends is taken from the store first: it is there, so it was let go when this
			// node was cut off, and nobody has claimed it.
			n.adopt(id, owner)
		case cluster.Candidate(nodes, id) != self:
		case owner == "" || n.isGone(gone, owner):
			n.adopt(id, owner)
		}
	}
}

// isGone asks once for each node.
func (n *Nodes) isGone(known map[string]bool, node string) bool {
	gone, asked := known[node]
	if !asked {
		gone = n.cluster.Gone(context.Background(), node)
		known[node] = gone
	}
	return gone
}

// letGo lets go of a room that is another node's, or will be.
func (n *Nodes) letGo(id, reason string) {
	n.metrics.fenced.WithLabelValues(reason).Inc()
	n.cfg.Log.Warn("let go of a room", "room", id, "reason", reason)
	n.rooms.Release(id, func(room.State) {})
}

// adopt claims a room and makes it here.
func (n *Nodes) adopt(id, owner string) {
	saved, err := n.cfg.Store.Claim(context.Background(), id, owner)
	switch {
	case errors.Is(err, store.ErrNotOwner), errors.Is(err, store.ErrNotFound):
		return // another node was first, or the room has ended
	case err == nil:
		err = n.rooms.Adopt(saved)
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
}

// Ready returns why this node takes nobody; nil: it does.
func (n *Nodes) Ready() error {
	switch {
	case !n.joined():
		return errJoining
	case n.cluster.CutOff():
		return errCutOff
	case n.cluster.Self().Draining:
		return errDraining
	}
	return nil
}

// Elsewhere returns the WebSocket URL of the node that has a room, if it is another one and
// lets the token's holder see the room; empty: no other node has it.
func (n *Nodes) Elsewhere(id, token string) (string, error) {
	node, err := n.nodeOf(id)
	if err != nil || node == "" {
		return "", err
	}
	ctx, cancel := context.WithTimeout(context.Background(), passWait)
	defer cancel()
	// Its rules know who may see it, and who was put out.
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, "/api/rooms/"+url.PathEscape(id), http.NoBody)
	if err != nil {
		return "", err
	}
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	r.Header.Set(askHeader, "1")
	answer, err := n.cluster.Pass(ctx, node, r)
	if err != nil {
		return "", errMoving
	}
	if err := refusalOf(answer); err != nil {
		return "", err
	}
	there, ok := n.cluster.Find(node)
	if !ok {
		return "", errMoving
	}
	n.metrics.redirects.WithLabelValues("place").Inc()
	return socketURL(there.URL), nil
}

// nodeOf returns the other node that has a room; empty: no room, or it is here.
func (n *Nodes) nodeOf(id string) (node string, err error) {
	if n.cluster.CutOff() {
		return "", errCutOff
	}
	if n.rooms.Has(id) {
		return "", nil
	}
	owner, there := n.cfg.Store.Owner(id)
	switch {
	case !there:
		return "", nil
	case owner == "" || owner == n.cfg.Self.ID:
		return "", errMoving
	}
	if _, ok := n.cluster.Find(owner); !ok {
		return "", errMoving
	}
	return owner, nil
}

// socketURL returns the URL of a node's WebSockets.
func socketURL(base string) string {
	return "ws" + strings.TrimPrefix(strings.TrimSuffix(base, "/"), "http") + "/ws"
}

// SocketOrigins returns the origins of the nodes' WebSockets, for the page's policy.
func (n *Nodes) SocketOrigins() (origins []string) {
	if !n.joined() {
		return nil
	}
	for _, node := range n.cluster.Nodes() {
		origins = append(origins, strings.TrimSuffix(socketURL(node.URL), "/ws"))
	}
	return origins
}

// OwnOrigin reports whether a page's origin is that of a node or of the club.
func (n *Nodes) OwnOrigin(origin string) bool {
	if !n.joined() {
		return false
	}
	for _, node := range n.cluster.Nodes() {
		for _, own := range []string{node.URL, node.PublicURL} {
			if own != "" && strings.EqualFold(origin, strings.TrimSuffix(own, "/")) {
				return true
			}
		}
	}
	return false
}

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

// arrival is an account that has come in somewhere.
type arrival struct {
	Account string `json:"account"`
	liveroom.Arrival
}

// Arrived implements [liveroom.Cluster].
func (n *Nodes) Arrived(account string, a liveroom.Arrival) {
	data, err := json.Marshal(arrival{account, a})
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
	data, err := json.Marshal(login{account, keep})
	if err != nil {
		return
	}
	if silent := n.cluster.TellAndWait(ctx, kindLogin, data, endWait); len(silent) > 0 {
		n.cfg.Log.Warn("nodes have not said that they ended an account's earlier login", "nodes", silent)
	}
}

// told carries out what another node tells all.
func (n *Nodes) told(kind string, data []byte) {
	switch kind {
	case kindArrived:
		var a arrival
		if json.Unmarshal(data, &a) != nil {
			return
		}
		n.mu.Lock()
		n.stamp = max(n.stamp, a.Stamp)
		n.mu.Unlock()
		n.rooms.ArrivedElsewhere(a.Account, a.Arrival)
	case kindLogin:
		var l login
		if json.Unmarshal(data, &l) != nil {
			return
		}
		if err := n.cfg.Store.RefreshAccount(context.Background(), l.Account); err != nil {
			n.cfg.Log.Warn("an account's login could not be read", "error", err)
		}
		n.rooms.EndAccount(l.Account, l.Keep)
	}
}
