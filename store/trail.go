package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"
)

// Entry is one line of the audit trail: who did what, to whom, where.
type Entry struct {
	At time.Time `json:"at"`
	// Who is the account or the member that did it, or "operator".
	Who string `json:"who"`
	// Did is the deed, as "invite.redeem" or "member.removed".
	Did string `json:"did"`
	// Room is the room's id; empty for what concerns the club.
	Room string `json:"room,omitempty"`
	// Whom is the account, member or invite that it was done to.
	Whom string `json:"whom,omitempty"`
	// Detail is for people.
	Detail string `json:"detail,omitempty"`
}

const (
	// MaxEntries is the longest piece of the trail that is read at once.
	MaxEntries = 10_000
	clubKey    = "0" // where a room's key would be; no base32 text
	trailWait  = 10 * time.Second
)

// trail writes the audit entries one after the other, from one goroutine, which
// ends with close; in memory, where writing does not wait, without one. Safe for
// concurrent use.
type trail struct {
	bucket bucket
	log    *slog.Logger
	direct bool
	health *health

	mu      sync.Mutex
	queue   []Entry
	noted   uint64 // entries noted so far
	written uint64 // of those, how many are decided: written, or lost and logged
	failed  error  // what the last lost one was lost to
	changed *sync.Cond
	closed  bool
	last    int64 // the time stamp of the last key, which are all different
	done    chan struct{}
}

func newTrail(b bucket, log *slog.Logger, h *health) *trail {
	t := &trail{bucket: b, log: log, health: h, done: make(chan struct{})}
	t.changed = sync.NewCond(&t.mu)
	if _, t.direct = b.(*memory); t.direct {
		close(t.done)
	} else {
		go t.run()
	}
	return t
}

// Note adds an entry to the audit trail. It does not wait: the entry is on the
// disk after the next [Store.Keep] or [Store.Flush].
func (s *Store) Note(e Entry) {
	t := s.trail
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed {
		return
	}
	t.noted++
	if t.direct {
		t.last, _ = t.write(max(t.last+1, e.At.UnixNano()), e) // a record in memory cannot fail
		t.written++
		return
	}
	t.queue = append(t.queue, e)
	t.changed.Broadcast()
}

// Flush returns when all that was noted is on the disk.
func (s *Store) Flush(ctx context.Context) error { return s.trail.flush(ctx) }

func (t *trail) flush(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, trailWait)
	defer cancel()
	stop := context.AfterFunc(ctx, func() {
		t.mu.Lock()
		defer t.mu.Unlock()
		t.changed.Broadcast()
	})
	defer stop()
	t.mu.Lock()
	defer t.mu.Unlock()
	upTo := t.noted
	for t.written < upTo && ctx.Err() == nil {
		t.changed.Wait()
	}
	switch {
	case t.written < upTo:
		return fmt.Errorf("write the audit trail: %w", ctx.Err())
	case t.failed != nil:
		err := t.failed
		t.failed = nil
		return fmt.Errorf("write the audit trail: %w", err)
	}
	return nil
}

func (t *trail) run() {
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
		t.last = max(t.last+1, e.At.UnixNano())
		stamp := t.last
		t.mu.Unlock()
		stamp, err := t.write(stamp, e)
		t.mu.Lock()
		t.last = stamp
		if err != nil {
			t.failed = err
			t.log.Error("an audit entry was lost", "err", err, "who", e.Who, "did", e.Did, "room", e.Room, "whom", e.Whom)
		}
		t.written++
		t.changed.Broadcast()
	}
}

// write writes an entry under the given time stamp or the next that is free: a
// clock may have been set back. It returns the one it took.
func (t *trail) write(stamp int64, e Entry) (int64, error) {
	data, err := json.Marshal(e)
	if err != nil {
		return stamp, err
	}
	ctx, cancel := t.health.limit(context.Background(), patience)
	defer cancel()
	for {
		_, err := t.bucket.put(ctx, fmt.Sprintf("%s.%020d", trailKey(e.Room), stamp), data, 0)
		if !errors.Is(err, errConflict) {
			return stamp, t.health.explain(err)
		}
		stamp++
	}
}

func (t *trail) close() {
	t.mu.Lock()
	t.closed = true
	t.changed.Broadcast()
	t.mu.Unlock()
	<-t.done
}

func trailKey(room string) string {
	if room == "" {
		return clubKey
	}
	return keyOf(room)
}

// Trail returns the latest entries of a room's audit trail, or of everything if
// no room is given, the oldest first; at most limit.
func (s *Store) Trail(ctx context.Context, room string, limit int) ([]Entry, error) {
	if limit < 1 || limit > MaxEntries {
		return nil, fmt.Errorf("%d entries cannot be read at once: 1 to %d", limit, MaxEntries)
	}
	filter := ""
	if room != "" {
		filter = trailKey(room) + ".>"
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	var entries []Entry
	err := errors.Join(s.trail.flush(ctx), s.trail.bucket.each(ctx, filter, func(r record) error {
		var e Entry
		if err := json.Unmarshal(r.data, &e); err != nil {
			return fmt.Errorf("the audit entry %q: %w", r.key, err)
		}
		if entries = append(entries, e); len(entries) >= 2*limit {
			entries = slices.Clone(entries[len(entries)-limit:])
		}
		return nil
	}))
	if err != nil {
		return nil, fmt.Errorf("read the audit trail: %w", err)
	}
	return entries[max(0, len(entries)-limit):], nil
}
