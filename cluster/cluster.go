package cluster

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

const (
	// DefaultTTL is how long a node's entry lasts after its last renewal. NATS servers may
	// take nine seconds to elect another leader, in which nobody can renew.
	DefaultTTL = 15 * time.Second
	// cutOffAfter is the part of the TTL after which a node that could not renew stops.
	cutOffAfter = 0.8
	// renewals is how often an entry is renewed within its TTL.
	renewals = 15

	connectTimeout = 5 * time.Second
	openTimeout    = 30 * time.Second
	reconnectWait  = 50 * time.Millisecond
	// pingInterval is how often the NATS server is asked for a sign of life: one that hangs is left
	// before the lease ends.
	pingInterval = 250 * time.Millisecond
	nodesBucket  = "earshot-nodes"
)

// A Server is the NATS server in this process, which keeps what the nodes share together with those of other nodes.
type Server interface {
	// Connect makes a connection to it.
	Connect(options ...nats.Option) (*nats.Conn, error)
	// OpenBucket opens a bucket on all of the servers, and makes it the first time.
	OpenBucket(ctx context.Context, js jetstream.JetStream, cfg jetstream.KeyValueConfig) (jetstream.KeyValue, error)
}

// Config is what a [Cluster] is made of. All fields but TTL are required, and URL or Server.
type Config struct {
	// URL is that of the NATS server, or of several of one cluster with commas between them.
	// It may hold credentials: it is never logged.
	URL string
	// Server is used in place of one at the URL; nil: there is none.
	Server Server
	// Before is the ID of the node that this one was before it was started again, if it is known to be
	// gone; empty: it is not.
	Before string
	Self   Node
	// Load returns what is on this node.
	Load func() Load
	// Handler serves the requests that other nodes pass on. Their remote address is the client's.
	Handler http.Handler
	// Told is called for what another node tells all, one after the other. What it returns, unless it is nil, is
	// called in a goroutine of its own, before who told is answered: what takes long must not hold up others.
	Told func(kind string, data []byte) (slow func())
	// Changed is called when a node has come or gone, and when this one is cut off or back.
	// It must not block.
	Changed func()
	// Returned is called when this node may speak for its rooms, at first and after it might not. It
	// lets go of those that another has, and returns when it has. Until then this one does not speak.
	Returned func(ctx context.Context) error
	// TTL is how long a node's entry lasts; zero: [DefaultTTL].
	TTL time.Duration
	Log *slog.Logger
}

// Cluster is this node's view of the nodes. Make it with [Join] and end it with
// [Cluster.Leave]. It is safe for concurrent use. Its methods are grouped by file: who is
// there (presence.go), for how long this node speaks (lease.go), and what the nodes say to one another (pass.go). They share
// the connection.
type Cluster struct {
	cfg    Config
	conn   *nats.Conn
	bucket jetstream.KeyValue
	orders *teller

	ctx     context.Context
	stop    context.CancelFunc
	running sync.WaitGroup
	again   chan struct{} // holds one if the nodes are to be read anew
	began   time.Time
	speaks  atomic.Int64 // until when this node may speak for its rooms, by its clock

	mu       sync.Mutex
	lease    leaseState
	self     Node
	nodes    map[string]seen
	renewed  time.Time // before the last renewal that succeeded
	wasCut   bool
	asked    map[*int]question
	beats    map[string]time.Duration      // when each other node was last heard
	serving  map[string]context.CancelFunc // requests of other nodes, by their reply subject
	renewing sync.Mutex                    // held while the entry is written
}

// seen is a node and when this one learned of its last renewal.
type seen struct {
	Node
	at time.Time
}

// Join makes this node one of the cluster, and returns when it knows the others.
func Join(ctx context.Context, cfg Config) (_ *Cluster, err error) {
	if cfg.TTL == 0 {
		cfg.TTL = DefaultTTL
	}
	ctx, cancel := context.WithTimeout(ctx, openTimeout)
	defer cancel()
	c := &Cluster{cfg: cfg, self: cfg.Self, nodes: map[string]seen{}, asked: map[*int]question{}, beats: map[string]time.Duration{}, serving: map[string]context.CancelFunc{}, again: make(chan struct{}, 1), began: time.Now()}
	c.orders = newTeller(answerSubject+cfg.Self.ID+".", c.speaking, c.sendOrders)
	c.lease = leaseState{quorum: newQuorum(cfg.Self.ID), lapsed: true}
	c.ctx, c.stop = context.WithCancel(context.Background())
	defer func() {
		if err != nil {
			c.close()
		}
	}()
	connect, open := byURL(cfg.URL)
	if cfg.Server != nil {
		connect, open = cfg.Server.Connect, cfg.Server.OpenBucket
	}
	// What a node tells all does not come back to it.
	c.conn, err = connect(nats.NoEcho(), nats.Name("earshot node "+cfg.Self.ID), nats.Timeout(connectTimeout), nats.MaxReconnects(-1),
		nats.ReconnectWait(reconnectWait), nats.PingInterval(pingInterval), nats.MaxPingsOutstanding(2), nats.ReconnectBufSize(-1),
		nats.ReconnectHandler(func(*nats.Conn) { c.readAnew() }))
	if err != nil {
		return nil, fmt.Errorf("reach the NATS server of the cluster: %w", err)
	}
	js, err := jetstream.New(c.conn, jetstream.WithDefaultTimeout(connectTimeout))
	if err != nil {
		return nil, fmt.Errorf("join the cluster: %w", err)
	}
	// On the disk, and not in memory: a NATS server that is started again must not make all
	// nodes look gone.
	entries := jetstream.KeyValueConfig{Bucket: nodesBucket, History: 1, TTL: cfg.TTL, Storage: jetstream.FileStorage}
	if c.bucket, err = open(ctx, js, entries); err != nil {
		return nil, fmt.Errorf("open the nodes of the cluster: %w; it needs a NATS server with JetStream, and room on its disk", err)
	}
	if err := c.subscribe(); err != nil {
		return nil, fmt.Errorf("join the cluster: %w", err)
	}
	if err := c.renew(ctx); err != nil {
		return nil, fmt.Errorf("join the cluster: %w", err)
	}
	if cfg.Before != "" { // else it counts among the nodes until its entry ends, and can't be heard
		if err := c.bucket.Purge(ctx, cfg.Before); err != nil {
			return nil, fmt.Errorf("join the cluster: %w", err)
		}
	}
	known := make(chan struct{})
	c.running.Go(func() { c.watch(known) })
	c.running.Go(c.keep)
	select {
	case <-known:
		c.running.Go(c.beat)
		return c, nil
	case <-ctx.Done():
		return nil, fmt.Errorf("read the nodes of the cluster: %w", ctx.Err())
	}
}

// byURL is how the NATS server at a URL is reached, and a bucket opened there.
func byURL(url string) (
	connect func(...nats.Option) (*nats.Conn, error),
	open func(context.Context, jetstream.JetStream, jetstream.KeyValueConfig) (jetstream.KeyValue, error),
) {
	connect = func(options ...nats.Option) (*nats.Conn, error) { return nats.Connect(url, options...) }
	open = func(ctx context.Context, js jetstream.JetStream, cfg jetstream.KeyValueConfig) (jetstream.KeyValue, error) {
		return js.CreateOrUpdateKeyValue(ctx, cfg)
	}
	return connect, open
}

// Self returns this node.
func (c *Cluster) Self() Node {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.self
}

// Connected reports whether there is a connection to NATS.
func (c *Cluster) Connected() bool { return c.conn.IsConnected() }

// SetDraining says whether this node takes rooms, and returns when the others can know.
func (c *Cluster) SetDraining(ctx context.Context, draining bool) error {
	c.mu.Lock()
	c.self.Draining = draining
	c.mu.Unlock()
	err := c.renew(ctx)
	c.cfg.Changed()
	return err
}

// keep renews the entry until the node leaves.
func (c *Cluster) keep() {
	tick := time.NewTicker(c.cfg.TTL / renewals)
	defer tick.Stop()
	for {
		select {
		case <-c.ctx.Done():
			return
		case <-tick.C:
		}
		c.noteCut() // first: the process may have been stopped for a while
		ctx, cancel := context.WithTimeout(c.ctx, c.cfg.TTL/5)
		err := c.renew(ctx)
		cancel()
		if err != nil && c.ctx.Err() == nil {
			c.cfg.Log.Warn("this node's entry could not be renewed", "error", err)
		}
		c.noteCut()
	}
}

// renew writes this node's entry.
func (c *Cluster) renew(ctx context.Context) error {
	c.renewing.Lock()
	defer c.renewing.Unlock()
	load := c.cfg.Load()
	c.mu.Lock()
	c.self.Load = load
	self := c.self
	c.mu.Unlock()
	data, err := json.Marshal(self)
	if err != nil {
		return err
	}
	begun := time.Now()
	if _, err := c.bucket.Put(ctx, self.ID, data); err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.renewed = begun
	return nil
}

// noteCut tells of a change from cut off to connected, or back.
func (c *Cluster) noteCut() {
	c.mu.Lock()
	cut := c.cutOff()
	changed := cut != c.wasCut
	c.wasCut = cut
	c.mu.Unlock()
	if !changed {
		return
	}
	if cut {
		c.cfg.Log.Error("this node is cut off from its NATS server: others take over its rooms")
	} else {
		c.cfg.Log.Info("this node is connected to its NATS server again")
	}
	c.cfg.Changed()
}

func (c *Cluster) readAnew() {
	select {
	case c.again <- struct{}{}:
	default:
	}
}

// watch reads the nodes' entries until the node leaves, and closes known when it has read
// all there are for the first time.
func (c *Cluster) watch(known chan struct{}) {
	for c.ctx.Err() == nil {
		if c.follow(known) {
			known = nil
		}
		select {
		case <-c.ctx.Done():
		case <-time.After(reconnectWait):
		}
	}
}

// follow is one watching. It reports whether it read all there were.
func (c *Cluster) follow(known chan struct{}) (all bool) {
	ctx, cancel := context.WithCancel(c.ctx)
	defer cancel()
	// This node's own entry is among those that come, so that nothing comes only if the server that
	// told of them is gone, or there is none that could.
	quiet := time.AfterFunc(c.quiet(), cancel)
	defer quiet.Stop()
	watcher, err := c.bucket.WatchAll(ctx)
	if err != nil {
		return false
	}
	defer func() { _ = watcher.Stop() }()
	for {
		select {
		case <-ctx.Done():
			return all
		case <-c.again:
			return all
		case entry, ok := <-watcher.Updates():
			switch {
			case !ok:
				return all
			case entry == nil:
				if all = true; known != nil {
					close(known)
					known = nil
				}
			default:
				quiet.Reset(c.quiet())
				c.take(entry)
			}
		}
	}
}

// quiet is how long no entry may come: three times as long as until each is renewed, and not so
// short that a busy machine needs it.
func (c *Cluster) quiet() time.Duration { return max(3*c.cfg.TTL/renewals, 2*time.Second) }

// take takes a node's entry.
func (c *Cluster) take(entry jetstream.KeyValueEntry) {
	var n Node
	if entry.Operation() != jetstream.KeyValuePut {
		c.mu.Lock()
		_, was := c.nodes[entry.Key()]
		delete(c.nodes, entry.Key())
		c.mu.Unlock()
		if was {
			c.cfg.Changed()
		}
		return
	}
	if err := json.Unmarshal(entry.Value(), &n); err != nil || n.ID != entry.Key() {
		return // of a program that is not this one
	}
	c.mu.Lock()
	_, was := c.nodes[n.ID]
	c.nodes[n.ID] = seen{n, time.Now()}
	for id, old := range c.nodes {
		if !c.alive(old) {
			delete(c.nodes, id)
		}
	}
	c.mu.Unlock()
	if !was {
		c.cfg.Changed()
	}
}

// Leave takes this node out of the cluster, and returns when nothing of it runs any more.
func (c *Cluster) Leave(ctx context.Context) error {
	c.stop()
	err := c.bucket.Purge(ctx, c.cfg.Self.ID)
	c.close()
	if err != nil {
		return fmt.Errorf("leave the cluster: %w", err)
	}
	return nil
}

func (c *Cluster) close() {
	c.stop()
	if c.conn != nil {
		c.conn.Close()
	}
	c.running.Wait()
}
