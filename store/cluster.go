package store

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/earshot-audio/earshot/room"
	"github.com/earshot-audio/earshot/store/kv"
)

const (
	// secretsBucket holds what all servers of a cluster need to know, and nobody else may.
	secretsBucket = "secrets"
	// shareFor is how long a change is tried that other servers are in the way of, or that none takes.
	shareFor = 2 * time.Second
	// rememberRemoved is how long it is remembered that a record was removed.
	rememberRemoved = time.Minute
	// rewatchWait is the pause before a bucket is watched again.
	rewatchWait = 250 * time.Millisecond
	// watchTry is how long it may take to begin to watch one.
	watchTry = 4 * time.Second
)

// ErrNotOwner says that another server of the cluster has the room.
var ErrNotOwner = errors.New("another server has the room")

// roomRecord is a stored room. A program that does not know its node drops it, which
// frees the room for the next cluster: so it needs no version of its own.
type roomRecord struct {
	room.State
	// Node is the server of a cluster that has the room; empty: none has.
	Node string `json:"node,omitempty"`
}

// cluster is what a server of a cluster knows of the others' changes. Each write names the
// last revision of its record, so that of two servers that change one the second is
// refused; and each server watches what the others write. It is safe for concurrent use.
type cluster struct {
	node    string
	ctx     context.Context // of the watching
	stop    context.CancelFunc
	running sync.WaitGroup

	mu      sync.Mutex
	again   context.Context // ends when everything is to be watched anew
	anew    context.CancelFunc
	owned   map[string]bool
	changed func(room string)
}

func newCluster(node string) *cluster {
	c := &cluster{node: node, owned: map[string]bool{}, changed: func(string) {}}
	c.ctx, c.stop = context.WithCancel(context.Background())
	c.again, c.anew = context.WithCancel(c.ctx)
	return c
}

// reconnected has everything watched anew, for the connection has been away, or the server that
// told of what is written.
func (c *cluster) reconnected() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.anew()
	c.again, c.anew = context.WithCancel(c.ctx)
}

// watching returns a context that ends when everything is to be watched anew.
func (c *cluster) watching() context.Context {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.again
}

func (c *cluster) close() {
	if c == nil {
		return
	}
	c.stop()
	c.running.Wait()
}

// own notes whether this server has a room.
func (c *cluster) own(room string, owns bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if owns {
		c.owned[room] = true
	} else {
		delete(c.owned, room)
	}
}

func (c *cluster) owns(room string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.owned[room]
}

// follow keeps the copies in memory up to date with what the other servers write.
func (s *Store) follow() {
	c := s.cluster
	s.rooms.changed = func(r roomRecord) {
		c.mu.Lock()
		changed := c.changed
		c.mu.Unlock()
		changed(r.Config.Name)
	}
	for name, t := range s.tables() {
		t.share(c, s.buckets[name])
	}
}

// share makes the table one that other servers write to, and follows what they write.
func (t *table[T]) share(c *cluster, b kv.JetStream) {
	t.shared = true
	c.running.Go(func() { t.follow(c, b) })
}

// OnRoom sets what is called when a stored room has changed, or may have: from one
// goroutine. Without a cluster it is never called.
func (s *Store) OnRoom(changed func(room string)) {
	if s.cluster == nil {
		return
	}
	s.cluster.mu.Lock()
	defer s.cluster.mu.Unlock()
	s.cluster.changed = changed
}

// Owner returns the server that has a room; empty: none has. There may be no such room.
func (s *Store) Owner(room string) (node string, there bool) {
	r, there := s.rooms.get(keyOf(room))
	return r.Node, there && !r.Ended
}

// Owners returns the server of each room.
func (s *Store) Owners() map[string]string {
	owners := map[string]string{}
	s.rooms.each(func(r roomRecord) {
		if !r.Ended {
			owners[r.Config.Name] = r.Node
		}
	})
	return owners
}

// OwnedBy returns how many rooms of the store an account made.
func (s *Store) OwnedBy(account string) (count int) {
	s.rooms.each(func(r roomRecord) {
		if r.Config.Owner == account && !r.Ended {
			count++
		}
	})
	return count
}

// Claim gives this server a room that another had, or none. Of several servers that claim
// one at once one gets it; to the others it is [ErrNotOwner]. From then on no write of the
// earlier owner succeeds.
func (s *Store) Claim(ctx context.Context, id, from string) (room.State, error) {
	r, err := s.rooms.change(ctx, keyOf(id), func(r roomRecord, there bool) (roomRecord, error) {
		switch {
		case !there || r.Ended:
			return r, fmt.Errorf("room: %w", ErrNotFound)
		case r.Node != from:
			return r, ErrNotOwner
		}
		r.Node = s.cluster.node
		return r, nil
	})
	if err != nil {
		return room.State{}, err
	}
	s.cluster.own(id, true)
	return r.State, nil
}

// Release gives a room of this server back, in its last state, for another to claim. From
// then on this server cannot write it.
func (s *Store) Release(ctx context.Context, last room.State) error {
	id := last.Config.Name
	_, err := s.rooms.change(ctx, keyOf(id), func(r roomRecord, there bool) (roomRecord, error) {
		if !there || r.Ended || r.Node != s.cluster.node {
			return r, ErrNotOwner
		}
		return roomRecord{State: last}, nil
	})
	return err
}

// RefreshInvite reads the invite with a code again, for another server may have made it
// just now.
func (s *Store) RefreshInvite(ctx context.Context, code string) error {
	ctx, cancel := s.health.Operation(ctx)
	defer cancel()
	return s.health.Explain(s.invites.reload(ctx, digest(code)))
}

// RefreshRoom reads a room again, for another server may have made it just now.
func (s *Store) RefreshRoom(ctx context.Context, id string) error {
	ctx, cancel := s.health.Operation(ctx)
	defer cancel()
	return s.health.Explain(s.rooms.reload(ctx, keyOf(id)))
}

// RefreshAccount reads an account again, for it may have logged in at another server just
// now. Without a cluster memory is right.
func (s *Store) RefreshAccount(ctx context.Context, id string) error {
	if s.cluster == nil {
		return nil
	}
	ctx, cancel := s.health.Operation(ctx)
	defer cancel()
	return s.health.Explain(s.accounts.reload(ctx, id))
}

// Secret returns the secret that the servers of a cluster share under a name. If there is
// none yet it is made; of several servers that make one at once the first one's counts.
func (s *Store) Secret(ctx context.Context, name string, newSecret func() (string, error)) (string, error) {
	ctx, cancel := s.health.Operation(ctx)
	defer cancel()
	secrets, err := s.openSecrets(ctx)
	if err != nil {
		return "", err
	}
	for {
		is, err := secrets.Get(ctx, name)
		if err == nil {
			return string(is.Data), nil
		}
		if !errors.Is(err, ErrNotFound) {
			return "", fmt.Errorf("read the secret %s of the cluster: %w", name, err)
		}
		own, err := newSecret()
		if err != nil {
			return "", err
		}
		_, err = secrets.Put(ctx, name, []byte(own), 0)
		if err == nil {
			return own, nil
		}
		if !errors.Is(err, kv.ErrConflict) { // another server was first
			return "", fmt.Errorf("share the secret %s with the cluster: %w", name, err)
		}
	}
}

// inspectTables fails the store if the server does not have all that it has acknowledged. The error is that it
// could not be asked.
func (s *Store) inspectTables(ctx context.Context) error {
	for name, t := range s.tables() {
		last := t.last() // first: what is acknowledged while the server is asked may not be in its answer
		state, err := s.buckets[name].State(ctx)
		if err != nil {
			return err
		}
		if state.LastSeq < last {
			s.health.Fail(fmt.Errorf("its NATS server has lost %d acknowledged writes of the %s", last-state.LastSeq, name))
			return nil
		}
	}
	return nil
}

// removal is that a record was removed.
type removal struct {
	revision uint64
	at       time.Time
}

// follow watches what is written to the bucket until the watching ends.
func (t *table[T]) follow(c *cluster, b kv.JetStream) {
	for c.ctx.Err() == nil {
		_ = t.watch(c, b) // its server is away, or the watcher has been told to begin anew
		select {
		case <-c.ctx.Done():
		case <-time.After(rewatchWait):
		}
	}
}

func (t *table[T]) watch(c *cluster, b kv.JetStream) error {
	ctx, cancel := context.WithCancel(c.watching())
	defer cancel()
	// While servers choose who of them leads, nobody answers.
	slow := time.AfterFunc(watchTry, cancel)
	watcher, err := b.KV.WatchAll(ctx)
	slow.Stop()
	if err != nil {
		return err
	}
	defer func() { _ = watcher.Stop() }()
	for {
		select {
		case <-ctx.Done():
			return nil
		case entry, ok := <-watcher.Updates():
			if !ok {
				return nil
			}
			if entry == nil {
				continue // all there were
			}
			if value, ok := t.take(entry); ok && t.changed != nil {
				t.changed(value)
			}
		}
	}
}

// take takes a record that was written or removed, by any server, into memory. It returns
// the value: of a removed one the last.
func (t *table[T]) take(entry jetstream.KeyValueEntry) (value T, ok bool) {
	if entry.Operation() == jetstream.KeyValuePut {
		r := kv.Record{Key: entry.Key(), Data: entry.Value(), Revision: entry.Revision()}
		value, err := t.decode(r)
		if err != nil {
			return value, false // of a newer version: this server does not touch it
		}
		t.store(r.Key, row[T]{value: value, revision: r.Revision})
		return value, true
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	old, there := t.rows[entry.Key()]
	if old.revision > entry.Revision() {
		return value, false
	}
	delete(t.rows, entry.Key())
	maps.DeleteFunc(t.removed, func(_ string, r removal) bool { return time.Since(r.at) > rememberRemoved })
	if t.removed == nil {
		t.removed = map[string]removal{}
	}
	t.removed[entry.Key()] = removal{entry.Revision(), time.Now()}
	return old.value, there
}

// last returns the last revision that this server knows of.
func (t *table[T]) last() (revision uint64) {
	t.mu.RLock()
	defer t.mu.RUnlock()
	for _, r := range t.rows {
		revision = max(revision, r.revision)
	}
	return revision
}

// pause waits before another attempt to change a record that other servers change, too.
func (t *table[T]) pause(ctx context.Context, attempt int) {
	select {
	case <-ctx.Done():
	case <-time.After(rand.N(min(time.Duration(attempt)*time.Millisecond, 50*time.Millisecond) + time.Millisecond)):
	}
}
