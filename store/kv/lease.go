package kv

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"
)

const (
	// leaseKey is the key of the lease in its bucket, "earshot-owner".
	leaseKey = "owner"
	// leaseTTL is how long a lease lasts after its last renewal, if nothing else is said.
	leaseTTL = 10 * time.Second
	// SharedHolder is who holds the lease of a store that the servers of a cluster share.
	SharedHolder = "cluster"
	// renewals is how often a lease is renewed within its TTL.
	renewals = 5
)

// Lease is the right of one server to write to an external store. It keeps two servers
// from taking it from one another; what keeps the records safe is that each write names
// its epoch (see [Fenced]). No two machines' clocks are compared: who wants a lease
// watches it for as long as it lasts, and its holder counts from before it asked for the
// renewal. It is safe for concurrent use.
type Lease struct {
	bucket  Bucket
	ttl     time.Duration
	health  *Health
	log     *slog.Logger
	version int    // of the records
	id      string // of this server, new at each start
	// epoch is greater than that of all earlier holders.
	epoch uint64
	// Shared reports that the servers of a cluster hold the lease together, and Joined
	// that another of them held it already. They never give it back: the last of them
	// lets it run out.
	Shared, Joined bool

	stop, stopped chan struct{} // stopped is nil until it is kept

	mu       sync.Mutex
	revision uint64
	until    time.Time
	problem  error // why the last renewal failed
	lost     bool
}

// leaseRecord is what is stored of a lease.
type leaseRecord struct {
	Version int    `json:"version"`
	Holder  string `json:"holder"`
	Epoch   uint64 `json:"epoch"`
	// Free reports that the holder has given it back.
	Free bool `json:"free,omitempty"`
}

// A Claim says who wants a lease, and how.
type Claim struct {
	Holder  string        // this server, by a name that is new at each start
	Shared  bool          // it holds the lease together with those of its cluster
	TTL     time.Duration // how long the lease lasts; zero: 10 s
	Version int           // of the records that this program reads and writes
}

// Acquire takes the lease, once its holder has given it back or let it run out. The error
// is [ErrBusy] if somebody renews it, and [ErrNewer] if a program of a newer version has had it.
func Acquire(ctx context.Context, held Bucket, c Claim, h *Health, log *slog.Logger) (*Lease, error) {
	ttl, shared := cmp.Or(c.TTL, leaseTTL), c.Shared
	l := &Lease{bucket: held, ttl: ttl, health: h, log: log, version: c.Version, id: c.Holder, Shared: shared, stop: make(chan struct{})}
	if shared {
		l.id = SharedHolder
	}
	var seen uint64
	var since time.Time
	for {
		begun := time.Now()
		old, revision, err := l.read(ctx)
		switch {
		case err != nil:
			return nil, fmt.Errorf("read the lease of the store: %w", err)
		case old.Version > c.Version:
			return nil, fmt.Errorf("the store: %w", ErrNewer)
		case shared && old.Holder == SharedHolder:
			l.epoch, l.Joined = old.Epoch, true
			err := l.write(ctx, revision, false)
			if err == nil {
				return l, nil
			}
			if !conflicts(err) {
				return nil, fmt.Errorf("share the lease of the store: %w", err)
			}
			continue // another server of the cluster has renewed it
		case revision == 0 || old.Free || revision == seen && begun.Sub(since) >= ttl:
			// A clock that was set back cannot make an epoch smaller than the last.
			l.epoch = max(old.Epoch+1, uint64(begun.UnixNano()))
			err := l.write(ctx, revision, false)
			if err == nil {
				return l, nil
			}
			if !conflicts(err) {
				return nil, fmt.Errorf("take the lease of the store: %w", err)
			}
			seen = 0 // somebody else was first
		case seen != 0 && revision != seen:
			return nil, fmt.Errorf("the NATS server of the store: %w", ErrBusy)
		case seen == 0:
			log.Info("another server had the store, and may come back: waiting for its lease to run out", "at_most", ttl)
			seen, since = revision, begun
		}
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("wait for the lease of the store: %w", ctx.Err())
		case <-time.After(ttl / 20):
		}
	}
}

// read returns the stored lease; revision 0: there is none.
func (l *Lease) read(ctx context.Context) (record leaseRecord, revision uint64, err error) {
	r, err := l.bucket.Get(ctx, leaseKey)
	if errors.Is(err, ErrNotFound) {
		return record, 0, nil
	}
	if err != nil {
		return record, 0, err
	}
	return record, r.Revision, json.Unmarshal(r.Data, &record)
}

// write writes the lease over a revision.
func (l *Lease) write(ctx context.Context, over uint64, free bool) error {
	begun := time.Now()
	data, err := json.Marshal(leaseRecord{Version: l.version, Holder: l.id, Epoch: l.epoch, Free: free})
	if err != nil {
		return err
	}
	revision, err := l.bucket.Put(ctx, leaseKey, data, over)
	if err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.revision, l.until, l.problem = revision, begun.Add(l.ttl), nil
	return nil
}

// Keep renews the lease until it is lost or given back, and calls renewed after each time.
func (l *Lease) Keep(renewed func(context.Context)) {
	l.stopped = make(chan struct{})
	go l.run(renewed)
}

func (l *Lease) run(renewed func(context.Context)) {
	defer close(l.stopped)
	next := time.NewTimer(l.ttl / renewals)
	defer next.Stop()
	for {
		select {
		case <-l.stop:
			return
		case <-next.C:
		}
		next.Reset(l.ttl / renewals)
		ctx, cancel := context.WithTimeout(context.Background(), l.ttl/renewals)
		err := l.Renew(ctx)
		cancel()
		switch {
		case errors.Is(err, ErrLost):
			l.lose()
			return
		case err != nil:
			l.mu.Lock()
			l.problem = err
			l.mu.Unlock()
			l.log.Warn("the lease of the store could not be renewed", "error", err)
			next.Reset(l.ttl / renewals / 4) // nobody writes before it is
		default:
			ctx, cancel := context.WithTimeout(context.Background(), OperationTimeout)
			renewed(ctx)
			cancel()
		}
	}
}

// Renew renews the lease now. The error is [ErrLost] if it is another server's.
func (l *Lease) Renew(ctx context.Context) error {
	l.mu.Lock()
	over := l.revision
	l.mu.Unlock()
	for {
		err := l.write(ctx, over, false)
		if !conflicts(err) {
			return err
		}
		// Somebody else's, or a renewal of this server's whose answer was lost, or of
		// another of its cluster.
		is, revision, err := l.read(ctx)
		switch {
		case err != nil:
			return err
		case revision == 0 && l.Shared: // nobody's
		case is.Holder != l.id:
			return ErrLost
		}
		over = revision
	}
}

func conflicts(err error) bool { return errors.Is(err, ErrConflict) }

// lose ends the store: it takes no more writes.
func (l *Lease) lose() {
	l.mu.Lock()
	first := !l.lost
	l.lost = true
	l.mu.Unlock()
	if first {
		l.log.Error("another server has taken over the store: this one keeps nothing any more, and is not ready; stop it")
		l.health.Fail(ErrLost)
	}
}

// Check returns why nothing may be written now: [ErrLost] or [ErrLapsed]. A nil lease may
// always write.
func (l *Lease) Check() error {
	if l == nil {
		return nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case l.lost:
		return ErrLost
	case time.Now().After(l.until) && errors.Is(l.problem, ErrLapsed):
		return l.problem
	case time.Now().After(l.until) && l.problem != nil:
		return fmt.Errorf("%w: %w", ErrLapsed, l.problem)
	case time.Now().After(l.until):
		return ErrLapsed
	}
	return nil
}

// Close gives the lease back, so that the next server need not wait.
func (l *Lease) Close() error {
	if l == nil {
		return nil
	}
	if l.stopped != nil {
		close(l.stop)
		<-l.stopped
	}
	if l.Shared || l.Check() != nil {
		return nil // it is somebody else's, or cannot be reached
	}
	ctx, cancel := context.WithTimeout(context.Background(), l.ttl/renewals)
	defer cancel()
	l.mu.Lock()
	over := l.revision
	l.mu.Unlock()
	if err := l.write(ctx, over, true); err != nil && !conflicts(err) {
		return fmt.Errorf("give the lease of the store back: %w", err)
	}
	return nil
}
