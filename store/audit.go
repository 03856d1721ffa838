package store

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/earshot-audio/earshot/store/kv"
)

// AuditEntry is one entry of the audit log: who did what, to whom, where.
type AuditEntry struct {
	At time.Time `json:"at"`
	// Actor is the account or the member that did it, or "operator".
	Actor string `json:"who"`
	// Action is what was done, such as "invite.redeem" or "member.removed".
	Action string `json:"did"`
	// Room is the room's id; empty for what concerns the club.
	Room string `json:"room,omitempty"`
	// Target is the account, member or invite that it was done to.
	Target string `json:"whom,omitempty"`
	// Detail is for people.
	Detail string `json:"detail,omitempty"`
}

const (
	// MaxEntries is how many entries are read at once at most.
	MaxEntries   = 10_000
	clubAuditKey = "0" // where a room's key would be; no base32 text
	auditWait    = 10 * time.Second
	// maxAuditBytes is how large the log may be on the disk, some 200,000 entries. Then
	// its oldest eighth is dropped.
	maxAuditBytes = 64 << 20
)

// auditLog writes the audit entries in order, from one goroutine that ends with
// close. In memory, where writing does not wait, there is no goroutine. It is safe
// for concurrent use.
type auditLog struct {
	bucket   kv.Bucket
	log      *slog.Logger
	inMemory bool
	health   *kv.Health
	// drop drops the oldest entries of a log that is too large, and returns how many; nil
	// in memory. It is asked each time that a 64th of that has been written. announce is
	// called before anything is dropped.
	drop     func(ctx context.Context, announce func(entries uint64) error) (dropped uint64, err error)
	maxBytes int
	unseen   int // bytes written since it was asked

	mu        sync.Mutex
	queue     []AuditEntry
	added     uint64 // entries noted so far
	written   uint64 // how many of them are done: written, or lost and logged
	writeErr  error  // why the last lost one was lost
	changed   *sync.Cond
	closed    bool
	lastStamp int64 // the time stamp of the last key; all differ
	done      chan struct{}
}

func newAuditLog(b kv.Bucket, log *slog.Logger, h *kv.Health, maxBytes int, drop func(context.Context, func(uint64) error) (uint64, error)) *auditLog {
	t := &auditLog{bucket: b, log: log, health: h, maxBytes: maxBytes, drop: drop, unseen: maxBytes, done: make(chan struct{})}
	t.changed = sync.NewCond(&t.mu)
	if _, t.inMemory = b.(*kv.Memory); t.inMemory {
		close(t.done)
	} else {
		go t.run()
	}
	return t
}

// Audit adds an entry to the audit log. It does not wait: the entry is on the disk
// after the next [Store.PutRoom] or [Store.Flush].
func (s *Store) Audit(e AuditEntry) {
	t := s.audit
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed {
		return
	}
	t.added++
	if t.inMemory {
		t.lastStamp, _ = t.write(max(t.lastStamp+1, e.At.UnixNano()), e) // a record in memory cannot fail
		t.written++
		return
	}
	t.queue = append(t.queue, e)
	t.changed.Broadcast()
}

// Flush returns when every added entry is on the disk.
func (s *Store) Flush(ctx context.Context) error { return s.audit.flush(ctx) }

func (t *auditLog) flush(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, auditWait)
	defer cancel()
	stop := context.AfterFunc(ctx, func() {
		t.mu.Lock()
		defer t.mu.Unlock()
		t.changed.Broadcast()
	})
	defer stop()
	t.mu.Lock()
	defer t.mu.Unlock()
	upTo := t.added
	for t.written < upTo && ctx.Err() == nil {
		t.changed.Wait()
	}
	switch {
	case t.written < upTo:
		return fmt.Errorf("write the audit log: %w", ctx.Err())
	case t.writeErr != nil:
		err := t.writeErr
		t.writeErr = nil
		return fmt.Errorf("write the audit log: %w", err)
	}
	return nil
}

func (t *auditLog) run() {
	defer close(t.done)
	t.mu.Lock()
	defer t.mu.Unlock()
	for {
		for len(t.queue) == 0 && !t.closed {
			t.changed.Wait()
		}
		if len(t.queue) == 0 {
			return
		}
		e := t.queue[0]
		t.queue = t.queue[1:]
		t.lastStamp = max(t.lastStamp+1, e.At.UnixNano())
		stamp := t.lastStamp
		t.mu.Unlock()
		stamp, err := t.write(stamp, e)
		t.mu.Lock()
		t.lastStamp = stamp
		if err != nil {
			t.writeErr = err
			t.log.Error("an audit entry was lost", "error", err, "actor", e.Actor, "action", e.Action, "room", e.Room, "target", e.Target)
		}
		t.written++
		t.changed.Broadcast()
		if t.unseen > t.maxBytes/64 {
			t.mu.Unlock()
			t.bound()
			t.mu.Lock()
		}
	}
}

// bound drops the oldest entries if the log is too large, and says so in the log first: if
// that cannot be written, because another server owns the log now, nothing is dropped. Only
// the goroutine that writes calls it.
func (t *auditLog) bound() {
	t.unseen = 0
	ctx, cancel := t.health.Operation(context.Background())
	defer cancel()
	dropped, err := t.drop(ctx, func(entries uint64) error {
		e := AuditEntry{At: time.Now().UTC(), Actor: "server", Action: "audit.drop", Detail: fmt.Sprintf("the %d oldest entries", entries)}
		t.mu.Lock()
		stamp := max(t.lastStamp+1, e.At.UnixNano())
		t.mu.Unlock()
		stamp, err := t.write(stamp, e)
		t.mu.Lock()
		t.lastStamp = stamp
		t.mu.Unlock()
		return err
	})
	switch {
	case err != nil:
		t.log.Error("the audit log may grow too large", "error", err)
	case dropped > 0:
		t.log.Warn("dropped the oldest entries of the audit log, which is as large as it may be", "dropped", dropped, "bytes", t.maxBytes)
	}
}

// dropOldest drops the oldest eighth of a log that is larger than maxBytes, after announce
// has said how many entries that is. It names the last of them, so that one that comes late
// drops nothing else.
func dropOldest(ctx context.Context, b kv.JetStream, maxBytes int, announce func(entries uint64) error) (dropped uint64, err error) {
	state, err := b.State(ctx)
	if err != nil || state.Bytes <= uint64(maxBytes) {
		return 0, err
	}
	entries := (state.LastSeq-state.FirstSeq)/8 + 1
	if err := announce(entries); err != nil {
		return 0, err
	}
	return entries, b.Stream.Purge(ctx, jetstream.WithPurgeSequence(state.FirstSeq+entries))
}

// write writes an entry under the given time stamp or the next free one, since a
// clock may have been set back. It returns the one that it used.
func (t *auditLog) write(stamp int64, e AuditEntry) (int64, error) {
	data, err := encode(e)
	if err != nil {
		return stamp, err
	}
	t.unseen += len(data)
	ctx, cancel := t.health.Operation(context.Background())
	defer cancel()
	for {
		_, err := t.bucket.Put(ctx, fmt.Sprintf("%s.%020d", auditKey(e.Room), stamp), data, 0)
		if !errors.Is(err, kv.ErrConflict) {
			return stamp, t.health.Explain(err)
		}
		stamp++
	}
}

func (t *auditLog) close() {
	t.mu.Lock()
	t.closed = true
	t.changed.Broadcast()
	t.mu.Unlock()
	<-t.done
}

func auditKey(room string) string {
	if room == "" {
		return clubAuditKey
	}
	return keyOf(room)
}

// AuditLog returns the latest entries of a room, or of everything if no room is
// given, the oldest first; at most limit.
func (s *Store) AuditLog(ctx context.Context, room string, limit int) ([]AuditEntry, error) {
	if limit < 1 || limit > MaxEntries {
		return nil, fmt.Errorf("%d entries cannot be read at once: 1 to %d", limit, MaxEntries)
	}
	filter := ""
	if room != "" {
		filter = auditKey(room) + ".>"
	}
	ctx, cancel := context.WithTimeout(ctx, kv.OperationTimeout)
	defer cancel()
	if err := s.audit.flush(ctx); err != nil {
		return nil, err
	}
	records, err := s.audit.bucket.Latest(ctx, filter, limit)
	if err != nil {
		return nil, fmt.Errorf("read the audit log: %w", err)
	}
	entries := make([]AuditEntry, len(records))
	for n, r := range records {
		switch err := decode(r.Data, &entries[n]); {
		case errors.Is(err, ErrNewer):
			return nil, fmt.Errorf("read the audit log: the entry %q: %w", r.Key, err)
		case err != nil: // the others can be read
			entries[n] = AuditEntry{Actor: "server", Action: "audit.unreadable", Detail: "the entry " + r.Key}
		}
	}
	return entries, nil
}
