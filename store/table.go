package store

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash/crc32"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/earshot-audio/earshot/store/kv"
	"github.com/earshot-audio/earshot/store/ledger"
)

// maxAttempts is how often a change is tried, if other writes come between its read and
// its write.
const maxAttempts = 20

// table is a bucket of values of one type, with a copy in memory. Values are never
// changed in place: a change puts a new one. It is safe for concurrent use.
type table[T any] struct {
	name   string
	bucket kv.Bucket
	health *kv.Health
	ledger *ledger.Ledger // nil: there is none

	// shared reports that other servers write to the bucket, see [table.follow]. It is set
	// before the table is used.
	shared bool
	// changed is called for each record of a shared bucket that has changed, or may have;
	// nil: nothing is.
	changed func(T)

	mu   sync.RWMutex
	rows map[string]row[T]
	// removed are the records of a shared bucket that were removed lately: what is older
	// than their removal must not come back.
	removed map[string]removal

	// unreadable are the records that the bucket held and that make no value.
	unreadable []unreadable
}

// unreadable is a record that is whole and says nothing.
type unreadable struct {
	bucket kv.Bucket
	key    string
	err    error
}

type row[T any] struct {
	value    T
	revision uint64
	sum      uint32 // of the record
}

// newTable makes a table and reads all that the bucket holds. What a newer version wrote is
// an error; what nobody can read is noted.
func newTable[T any](ctx context.Context, name string, b kv.Bucket, h *kv.Health) (*table[T], error) {
	t := &table[T]{name: name, bucket: b, health: h, rows: make(map[string]row[T])}
	err := b.Each(ctx, func(r kv.Record) error {
		value, err := t.decode(r)
		switch {
		case errors.Is(err, ErrNewer):
			return err
		case err != nil:
			t.unreadable = append(t.unreadable, unreadable{b, r.Key, err})
		default:
			t.rows[r.Key] = row[T]{value, r.Revision, crc32.ChecksumIEEE(r.Data)}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read the %s: %w", name, err)
	}
	return t, nil
}

func (t *table[T]) decode(r kv.Record) (value T, err error) {
	if err := decode(r.Data, &value); err != nil {
		return value, fmt.Errorf("the record %s of the %s: %w", readableKey(r.Key), t.name, err)
	}
	return value, nil
}

// get looks a value up in memory.
func (t *table[T]) get(key string) (T, bool) {
	t.mu.RLock()
	defer t.mu.RUnlock()
	r, ok := t.rows[key]
	return r.value, ok
}

// each calls see for every value, in no order. see must not use the table.
func (t *table[T]) each(see func(T)) {
	t.mu.RLock()
	defer t.mu.RUnlock()
	for _, r := range t.rows {
		see(r.value)
	}
}

// all returns every value, in no order.
func (t *table[T]) all() []T {
	var values []T
	t.each(func(value T) { values = append(values, value) })
	return values
}

// change reads a value, calls change with it and whether it exists, and writes the
// result. It tries again if another write came between (compare and set). If change
// returns an error, nothing is written. It returns what was written.
func (t *table[T]) change(ctx context.Context, key string, change func(value T, there bool) (T, error)) (T, error) {
	var none T
	// A caller that gives up does not end the write: nobody would know whether it is there.
	ctx, cancel := t.health.Operation(context.WithoutCancel(ctx))
	defer cancel()
	begun, fresh := time.Now(), false
	for attempt := 0; attempt < maxAttempts || t.shared && time.Since(begun) < shareFor; attempt++ {
		t.mu.RLock()
		old, there := t.rows[key]
		t.mu.RUnlock()
		value, err := change(old.value, there)
		if err != nil && t.shared && !fresh {
			// It may have been refused for what another server has changed since.
			fresh = true
			if err := t.reload(ctx, key); err != nil {
				return none, t.health.Explain(err)
			}
			continue
		}
		if err != nil {
			return none, err
		}
		data, err := encode(value)
		if err != nil {
			return none, fmt.Errorf("encode a record of the %s: %w", t.name, err)
		}
		revision, err := t.bucket.Put(ctx, key, data, old.revision)
		switch {
		case err == nil:
			sum := crc32.ChecksumIEEE(data)
			t.store(key, row[T]{value, revision, sum})
			if err := t.note(key, ledger.Mark{Kind: ledger.Written, Revision: revision, Sum: sum}); err != nil {
				return none, fmt.Errorf("write to the %s: %w", t.name, err)
			}
			return value, nil
		case errors.Is(err, kv.ErrConflict):
			if err := t.reload(ctx, key); err != nil {
				return none, err
			}
			if attempt > 0 && t.shared { // not all of them at once again
				t.pause(ctx, attempt)
			}
		case t.shared && kv.Unheard(err) && time.Since(begun) < shareFor:
			t.pause(ctx, attempt) // where another server stops in order, the next one leads at once
		default:
			return none, fmt.Errorf("write to the %s: %w", t.name, t.health.Explain(err))
		}
	}
	return none, fmt.Errorf("write to the %s: %w %d times in a row", t.name, kv.ErrConflict, maxAttempts)
}

// store takes a written value into memory, unless a later one is there already.
func (t *table[T]) store(key string, r row[T]) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.rows[key].revision < r.revision && t.removed[key].revision < r.revision {
		t.rows[key] = r
	}
}

// marks adds what the ledger has to say of the records.
func (t *table[T]) marks(into map[string]ledger.Mark) {
	t.mu.RLock()
	defer t.mu.RUnlock()
	for key, r := range t.rows {
		into[t.name+" "+key] = ledger.Mark{Kind: ledger.Written, Revision: r.revision, Sum: r.sum}
	}
}

// damaged returns the records that nobody can read.
func (t *table[T]) damaged() []unreadable { return t.unreadable }

// keepLedger sets the ledger, before the table is used.
func (t *table[T]) keepLedger(l *ledger.Ledger) { t.ledger = l }

// reload reads a value that differs from the one in memory.
func (t *table[T]) reload(ctx context.Context, key string) error {
	r, err := t.bucket.Get(ctx, key)
	if errors.Is(err, ErrNotFound) {
		t.mu.Lock()
		delete(t.rows, key)
		t.mu.Unlock()
		return nil
	}
	if err != nil {
		return fmt.Errorf("read the %s: %w", t.name, err)
	}
	value, err := t.decode(r)
	if err != nil {
		return err
	}
	t.store(key, row[T]{value, r.Revision, crc32.ChecksumIEEE(r.Data)})
	return nil
}

// digest is the digest of all keys and their revisions.
func (t *table[T]) digest() string {
	t.mu.RLock()
	defer t.mu.RUnlock()
	sum := sha256.New()
	for _, key := range slices.Sorted(maps.Keys(t.rows)) {
		fmt.Fprintln(sum, key, t.rows[key].revision)
	}
	return hex.EncodeToString(sum.Sum(nil))
}

// remove removes a value.
func (t *table[T]) remove(ctx context.Context, key string) error {
	ctx, cancel := t.health.Operation(context.WithoutCancel(ctx))
	defer cancel()
	t.mu.RLock()
	last := t.rows[key].revision
	t.mu.RUnlock()
	if err := t.note(key, ledger.Mark{Kind: ledger.Removing, Revision: last}); err != nil {
		return fmt.Errorf("remove from the %s: %w", t.name, err)
	}
	if err := t.bucket.Remove(ctx, key); err != nil {
		return fmt.Errorf("remove from the %s: %w", t.name, t.health.Explain(err))
	}
	t.mu.Lock()
	delete(t.rows, key)
	t.mu.Unlock()
	if err := t.note(key, ledger.Mark{Kind: ledger.Removed, Revision: last}); err != nil {
		return fmt.Errorf("remove from the %s: %w", t.name, err)
	}
	return nil
}

// note notes a record in the ledger. If that fails, the store has failed.
func (t *table[T]) note(key string, m ledger.Mark) error {
	err := t.ledger.Note(t.name, key, m)
	if err != nil {
		t.health.Fail(err)
	}
	return err
}
