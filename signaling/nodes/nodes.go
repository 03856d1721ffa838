package nodes

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/earshot-audio/earshot/cluster"
	"github.com/earshot-audio/earshot/room/rtc"
	"github.com/earshot-audio/earshot/signaling/auth"
	"github.com/earshot-audio/earshot/signaling/liveroom"
	"github.com/earshot-audio/earshot/store"
	"github.com/earshot-audio/earshot/store/stateserver"
)

// Config is what [Join] needs. All fields but TTL are required, and NATS or Peer.
type Config struct {
	// NATS is the URL of the NATS servers, with commas between several.
	NATS string
	// Peer is the NATS server in this process, in place of NATS; nil: there is none.
	Peer *stateserver.Peer
	// Before is the ID that this node had before it was started again; empty: nobody knows.
	Before string
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
// [Nodes.Join] makes this node one of the cluster. Its methods are grouped by file: the rooms
// that this node has or takes over (rooms.go) and those that others do (moved.go), the way to those of others (way.go), HTTP
// requests (request.go), and accounts (accounts.go). They share the view of the cluster.
type Nodes struct {
	cfg     Config
	metrics metrics
	in      chan struct{} // closed when this node is one of the cluster: then what follows is set
	cluster *cluster.Cluster
	rooms   *liveroom.Registry
	auth    *auth.Authenticator
	halls   *halls
	load    load

	moved   chan string   // rooms that other nodes have taken over
	kick    chan struct{} // holds one if there may be something to settle
	back    chan struct{} // holds one if this node speaks again, and others may not know who is here
	stop    chan struct{}
	running sync.WaitGroup
	closing sync.Once

	mu    sync.Mutex
	stamp uint64 // of the latest arrival that this node knows of
	// adopting are the rooms that are this node's, and will be made here in a moment.
	adopting map[string]bool
	// adopted is until when another node may have media of rooms that this one has taken over.
	adopted map[string]time.Time
}

// New makes a part in a cluster, to be completed by [Nodes.Join].
func New(cfg Config) (*Nodes, error) {
	n := &Nodes{cfg: cfg, metrics: newMetrics(), in: make(chan struct{}), moved: make(chan string, maxMoved), kick: make(chan struct{}, 1), back: make(chan struct{}, 1), stop: make(chan struct{}), adopting: map[string]bool{}, adopted: map[string]time.Time{}}
	for _, c := range []prometheus.Collector{n.metrics.redirects, n.metrics.passed, n.metrics.takeovers, n.metrics.fenced, n.metrics.trunkDelay, n.metrics.trunkGaps, n.metrics.trunkLate, n.metrics.hallsGone, n.metrics.remoteEars, &collector{n}} {
		if err := cfg.Metrics.Register(c); err != nil {
			return nil, fmt.Errorf("register metrics: %w", err)
		}
	}
	return n, nil
}

// Join makes this node one of the cluster, with the rooms that are its own now. handler
// serves what other nodes pass on, and url is where clients reach this node, if its
// configuration does not say.
func (n *Nodes) Join(ctx context.Context, url string, rooms *liveroom.Registry, media *rtc.Engine, authenticator *auth.Authenticator, handler http.Handler) error {
	n.rooms, n.auth, n.halls = rooms, authenticator, newHalls(n, media)
	n.cfg.Self.URL = cmp.Or(n.cfg.Self.URL, url)
	part := cluster.Config{
		URL: n.cfg.NATS, Before: n.cfg.Before, Self: n.cfg.Self, Load: n.loadNow, Handler: n.passed(handler),
		Told: n.told, Changed: n.nodesChanged, Returned: n.returned, TTL: n.cfg.TTL, Log: n.cfg.Log,
	}
	if n.cfg.Peer != nil { // else it would be a Server that is not nil
		part.Server = n.cfg.Peer
	}
	var err error
	if n.cluster, err = cluster.Join(ctx, part); err != nil {
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
	n.running.Go(n.readMoved)
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

// Drain has this node take no more rooms, and has its ears of other nodes' rooms moved. It returns
// when they are gone, or when some do not go.
func (n *Nodes) Drain(ctx context.Context) error {
	if !n.joined() || n.cluster.CutOff() {
		return nil
	}
	err := n.cluster.SetDraining(ctx, true)
	n.halls.clear(ctx)
	return err
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
		n.handOverAll(ctx)
		n.halls.close()
		err = errors.Join(err, n.cluster.Leave(ctx))
	})
	return err
}

// Ready returns why this node takes nobody; nil: it does.
func (n *Nodes) Ready() error {
	switch {
	case !n.joined():
		return errJoining
	case n.cluster.CutOff(), !n.cluster.Speaks():
		return errCutOff
	case n.cluster.Self().Draining:
		return errDraining
	}
	return nil
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
