package store

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/earshot-audio/earshot/internal/reach"
	"github.com/earshot-audio/earshot/store/kv"
	"github.com/earshot-audio/earshot/store/ledger"
	"github.com/earshot-audio/earshot/store/stateserver"
)

const (
	openTimeout    = time.Minute
	connectTimeout = 5 * time.Second
	// auditBucket holds the audit log, and auditRetention is how long audit entries are kept.
	auditBucket    = "audit"
	auditRetention = 90 * 24 * time.Hour
	// ownerSubject is where the process that owns an external store answers.
	ownerSubject = "earshot.store.owner"
	ownerTimeout = 300 * time.Millisecond
	// reconnectWait and pingInterval are how soon an external server is noticed that is
	// back, or gone.
	reconnectWait = 250 * time.Millisecond
	pingInterval  = 2 * time.Second
)

// Config says where a store is.
type Config struct {
	// Dir holds the files of the embedded server. It is made if there is none.
	Dir string
	// URL is that of an external NATS server with JetStream; then Dir is not
	// used. It may hold credentials: it is never logged.
	URL string
	// Peer is the server of this node that keeps the store together with those of others; then
	// neither Dir nor URL is used. It is closed after the store.
	Peer *stateserver.Peer
	// Repair opens a damaged directory with what is left in it, after a copy of it has
	// been made in it.
	Repair bool
	// Node is the id of this server, new at each start, if several share the external
	// store as a cluster; empty: this server owns it alone.
	Node string
	// Importing says that this server is about to [Store.Import]. Others of the cluster wait for it.
	Importing bool
	// Log is where the store writes what goes wrong. Default: nowhere.
	Log *slog.Logger
	// leaseTTL is how long the lease of an external store lasts; zero: 10 s.
	leaseTTL time.Duration
	// maxAuditBytes is how large the audit log may be; zero: [maxAuditBytes].
	maxAuditBytes int
}

// Store is safe for concurrent use. Close it after everything that uses it. Its
// methods are grouped by file: rooms, invites, their redemption, accounts, plans, the
// audit log. They share the connection and the checkpoint.
type Store struct {
	log      *slog.Logger
	embedded *stateserver.Embedded // nil with an external server
	peer     *stateserver.Peer     // nil unless the nodes keep the store themselves
	conn     *nats.Conn
	lease    *kv.Lease // nil: the directory is locked
	dir      string    // of the embedded server; empty: there is none
	health   *kv.Health
	ledger   *ledger.Ledger
	buckets  map[string]kv.JetStream
	rooms    *table[roomRecord]
	invites  *table[Invite]
	accounts *table[Account]
	plans    *table[Plan]
	pictures kv.Bucket // which are too large for a copy in memory
	audit    *auditLog

	cluster *cluster // nil: this server owns the store

	imported func() // says to others that an import is over; nil: there is none

	redemptions redemptions
	forgetting  sync.Mutex // held while ended invites are forgotten
}

// Open opens a store, and makes it the first time. It fails, and says what to do,
// if the directory cannot be written, has no room, is damaged or is used by
// another process, or if the external server cannot be reached or has no
// JetStream.
func Open(ctx context.Context, cfg Config) (_ *Store, err error) {
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	ctx, cancel := context.WithTimeout(ctx, openTimeout)
	defer cancel()
	s := &Store{log: cfg.Log, health: kv.NewHealth(), buckets: map[string]kv.JetStream{}}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.Close())
		}
	}()
	js, err := s.connect(ctx, cfg)
	if err != nil {
		return nil, err
	}
	var fences []*kv.Fenced
	open := func(name string, keep time.Duration) kv.Bucket {
		if err != nil {
			return nil
		}
		var held kv.JetStream
		if held, err = s.streamOf(ctx, js, name, keep); err != nil {
			return nil
		}
		if s.lease == nil {
			return held
		}
		if s.lease.Shared && s.lease.Joined {
			return s.sharedBucket(name, held)
		}
		var b *kv.Fenced
		if b, err = kv.Fence(ctx, js, name, held, s.lease); err == nil {
			fences = append(fences, b)
		}
		if s.lease.Shared {
			return s.sharedBucket(name, held)
		}
		return b
	}
	opened := openEach(s.tableNames(), open)
	s.pictures = open("pictures", 0)
	audit := open(auditBucket, auditRetention)
	if err != nil {
		return nil, err
	}
	switch {
	case cfg.Node != "":
		if err := s.lease.Renew(ctx); err != nil { // to open replicas may take longer than it lasts
			return nil, fmt.Errorf("share the lease of the store: %w", err)
		}
		s.lease.Keep(s.inspector(s.inspectTables))
	case s.lease != nil:
		s.lease.Keep(s.inspector(func(ctx context.Context) error { return kv.InspectAll(ctx, fences) }))
	}
	largest := cmp.Or(cfg.maxAuditBytes, maxAuditBytes)
	s.audit = newAuditLog(audit, s.log, s.health, largest, func(ctx context.Context, announce func(uint64) error) (uint64, error) {
		return dropOldest(ctx, s.buckets[auditBucket], largest, announce)
	})
	if err := s.load(ctx, func(name string) kv.Bucket { return opened[name] }); err != nil {
		if errors.Is(err, kv.ErrStalled) && s.embedded != nil {
			err = damaged(cfg.Dir, err.Error())
		}
		return nil, err
	}
	if err := s.dropUnreadable(ctx, cfg); err != nil {
		return nil, err
	}
	if s.embedded != nil {
		if err := s.verify(ctx, cfg); err != nil {
			return nil, err
		}
		s.dir = cfg.Dir // from now on Close writes a checkpoint there
	}
	if err := s.joinOthers(ctx, cfg); err != nil {
		return nil, err
	}
	return s, nil
}

// streamOf opens a bucket, and makes it the first time.
func (s *Store) streamOf(ctx context.Context, js jetstream.JetStream, name string, keep time.Duration) (kv.JetStream, error) {
	held, err := s.openBucket(ctx, js, jetstream.KeyValueConfig{
		Bucket: "earshot-" + name, History: 1, TTL: keep, Storage: jetstream.FileStorage,
	})
	var stream jetstream.Stream
	if err == nil {
		stream, err = js.Stream(ctx, "KV_"+held.Bucket())
	}
	if err != nil {
		return kv.JetStream{}, fmt.Errorf("open the %s of the store: %w; it needs a NATS server with JetStream, and room on its disk", name, err)
	}
	s.buckets[name] = kv.JetStream{KV: held, Stream: stream}
	return s.buckets[name], nil
}

// Memory returns a store that ends with the process, for a server that keeps
// nothing.
func Memory() *Store {
	s := &Store{log: slog.New(slog.DiscardHandler), health: kv.NewHealth()}
	// Loading nothing from memory cannot fail.
	_ = s.load(context.Background(), func(string) kv.Bucket { return kv.NewMemory(0) })
	s.pictures = kv.NewMemory(0)
	s.audit = newAuditLog(kv.NewMemory(MaxEntries), s.log, s.health, maxAuditBytes, nil)
	return s
}

// connect reaches the server, an embedded one or the one at the URL, and becomes the
// owner of what it keeps.
func (s *Store) connect(ctx context.Context, cfg Config) (js jetstream.JetStream, err error) {
	own := cfg.URL == "" && cfg.Peer == nil
	if own {
		if err := checkVersion(cfg.Dir); err != nil {
			return nil, err
		}
	}
	if cfg.Repair && own {
		if err := prepareRepair(cfg); err != nil {
			return nil, err
		}
	}
	options := []nats.Option{
		nats.Name("earshot"), nats.Timeout(connectTimeout), nats.MaxReconnects(-1), nats.ReconnectWait(reconnectWait),
		nats.PingInterval(pingInterval), nats.MaxPingsOutstanding(2),
		// What cannot be sent now is refused now, and does not come late.
		nats.ReconnectBufSize(-1),
	}
	if own {
		if s.embedded, err = stateserver.Embed(cfg.Dir, cfg.Log, s.health.Fail); err != nil {
			return nil, err
		}
		options = append(options, s.embedded.Connect())
	}
	if cfg.Node != "" {
		s.cluster = newCluster(cfg.Node)
		options = append(options, nats.ReconnectHandler(func(*nats.Conn) { s.cluster.reconnected() }))
	}
	s.peer = cfg.Peer
	if s.peer != nil {
		s.conn, err = s.peer.Connect(options...)
	} else {
		s.conn, err = nats.Connect(cfg.URL, options...)
	}
	if err != nil {
		return nil, fmt.Errorf("reach the NATS server of the store: %w", err)
	}
	if s.cluster != nil {
		if _, err := s.conn.Subscribe(leaderElected, func(*nats.Msg) { s.cluster.reconnected() }); err != nil {
			return nil, fmt.Errorf("open the store: %w", err)
		}
	}
	if js, err = jetstream.New(s.conn, jetstream.WithDefaultTimeout(kv.OperationTimeout)); err != nil {
		return nil, fmt.Errorf("open the store: %w", err)
	}
	if own {
		return js, nil // its directory is locked
	}
	if s.peer == nil && reach.Plain(s.conn) {
		s.log.Warn("the connection to the NATS server is not encrypted: whoever is on the way reads and changes rooms, accounts and invites; use TLS (--nats tls://...)")
	}
	if s.conn.MaxPayload() < stateserver.MaxRecord {
		s.log.Warn("the NATS server takes no record of a room with very many bans: give it max_payload: 8MB", "max_payload", s.conn.MaxPayload())
	}
	return js, s.own(ctx, js, cfg)
}

// own makes this server the owner of an external store. An owner answers a request, so
// that another that starts is refused at once, also one of v0.1.0, which knows no lease.
func (s *Store) own(ctx context.Context, js jetstream.JetStream, cfg Config) error {
	if answer, err := s.conn.Request(ownerSubject, nil, ownerTimeout); err == nil && (cfg.Node == "" || string(answer.Data) != kv.SharedHolder) {
		return fmt.Errorf("the NATS server of the store: %w", ErrBusy)
	}
	owners, err := s.openBucket(ctx, js, jetstream.KeyValueConfig{Bucket: stateserver.OwnerBucket, History: 1, Storage: jetstream.FileStorage})
	if err != nil {
		return fmt.Errorf("open the lease of the store: %w; it needs a NATS server with JetStream, and room on its disk", err)
	}
	// Of replicas it is read from the one that leads: another that was away says that there is none.
	held := s.sharedBucket(stateserver.OwnerBucket, kv.JetStream{KV: owners})
	if s.lease, err = kv.Acquire(ctx, held, kv.Claim{Holder: NewCode(), Shared: cfg.Node != "", TTL: cfg.leaseTTL, Version: recordVersion}, s.health, cfg.Log); err != nil {
		return err
	}
	var answer []byte // nothing, or that the cluster owns it
	if cfg.Node != "" {
		answer = []byte(kv.SharedHolder)
	}
	if cfg.Importing {
		if s.imported, err = stateserver.AnswerImport(s.conn); err != nil {
			return err
		}
	}
	_, err = s.conn.Subscribe(ownerSubject, func(m *nats.Msg) {
		if s.lease.Check() == nil {
			_ = m.Respond(answer)
		}
	})
	if err != nil {
		return fmt.Errorf("own the store: %w", err)
	}
	return nil
}

// inspector returns a function that has what the server holds inspected, if it has been away since the
// last call.
func (s *Store) inspector(inspect func(context.Context) error) func(context.Context) {
	seen := s.conn.Stats().Reconnects
	return func(ctx context.Context) {
		now := s.conn.Stats().Reconnects
		if now == seen {
			return
		}
		if err := inspect(ctx); err != nil {
			s.log.Error("the NATS server of the store is back", "error", err)
			return // and it is looked at again
		}
		seen = now
	}
}

// Healthy returns nil if the store can be written to, else the reason.
func (s *Store) Healthy() error {
	if s.conn != nil && !s.conn.IsConnected() {
		return errors.New("the store's NATS server cannot be reached")
	}
	if err := s.health.Check(); err != nil {
		return err
	}
	if err := s.lease.Check(); err != nil {
		return err
	}
	if err := s.ledger.Check(); err != nil {
		s.health.Fail(err)
		return s.health.Check()
	}
	switch {
	case s.dir != "":
		return stateserver.ProbeDir(s.dir)
	case s.peer != nil:
		return s.peer.Check()
	}
	return nil
}

// Close writes what is under way and closes the store. Nothing may use it after
// that.
func (s *Store) Close() error {
	s.redemptions.running.Wait()
	s.cluster.close()
	if s.audit != nil {
		s.audit.close()
	}
	var err error
	if s.dir != "" && s.health.Check() == nil && s.ledger.Check() == nil {
		ctx, cancel := context.WithTimeout(context.Background(), kv.OperationTimeout)
		defer cancel()
		var now checkpoint
		if now, err = s.takeCheckpoint(ctx); err == nil {
			err = now.write(s.dir)
		}
	}
	err = errors.Join(err, s.lease.Close())
	if s.conn != nil {
		s.conn.Close()
	}
	if s.embedded != nil {
		err = errors.Join(err, s.embedded.Close(), s.ledger.Close())
	}
	return err
}

// redemptions are the redemptions under way, with a queue for each invite.
type redemptions struct {
	mu      sync.Mutex
	queues  map[string][]*redemption
	running sync.WaitGroup
}
