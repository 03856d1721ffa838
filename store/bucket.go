package store

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// stallTimeout is how long the next record may take to be read. JetStream stops without
// a word at one whose bytes are damaged.
const stallTimeout = 5 * time.Second

// record is one stored value of a bucket.
type record struct {
	key      string
	data     []byte
	revision uint64
}

// bucket holds records by key. A write returns when it will outlive the process,
// if the bucket does. Implementations are safe for concurrent use.
type bucket interface {
	// put writes a record whose last revision is given (0: there must be none) and
	// returns its new one. errConflict: the revision is another.
	put(ctx context.Context, key string, data []byte, revision uint64) (uint64, error)
	// remove removes a record. A missing one is no error.
	remove(ctx context.Context, key string) error
	// get reads one record. ErrNotFound: there is none.
	get(ctx context.Context, key string) (record, error)
	// each calls see for all records, in the order of their last writing.
	each(ctx context.Context, see func(record) error) error
	// latest returns the last records, or those whose key begins with a prefix
	// ("prefix.>"), in the order of their last writing. What it costs follows the limit.
	latest(ctx context.Context, filter string, limit int) ([]record, error)
}

// jetstreamBucket is a bucket in JetStream.
type jetstreamBucket struct {
	store  jetstream.KeyValue
	stream jetstream.Stream // holds the bucket
}

// walkMost is how many messages are read one by one from the end of a bucket. A consumer
// reads many at once, but the server looks at all keys to make one.
const walkMost = 64

func (b jetstreamBucket) put(ctx context.Context, key string, data []byte, revision uint64) (uint64, error) {
	var now uint64
	var err error
	if revision == 0 {
		// Create also takes a key whose last record is a removal.
		now, err = b.store.Create(ctx, key, data)
	} else {
		now, err = b.store.Update(ctx, key, data, revision)
	}
	if errors.Is(err, jetstream.ErrKeyExists) || errors.Is(err, jetstream.ErrKeyRevisionMismatch) {
		return 0, errConflict
	}
	return now, err
}

func (b jetstreamBucket) remove(ctx context.Context, key string) error {
	return b.store.Purge(ctx, key)
}

func (b jetstreamBucket) get(ctx context.Context, key string) (record, error) {
	entry, err := b.store.Get(ctx, key)
	if errors.Is(err, jetstream.ErrKeyNotFound) {
		return record{}, ErrNotFound
	}
	if err != nil {
		return record{}, err
	}
	return record{key: key, data: entry.Value(), revision: entry.Revision()}, nil
}

func (b jetstreamBucket) each(ctx context.Context, see func(record) error) error {
	return b.from(ctx, 0, jetstream.AllKeys, see)
}

func (b jetstreamBucket) latest(ctx context.Context, filter string, limit int) ([]record, error) {
	state, err := b.state(ctx)
	if err != nil {
		return nil, err
	}
	found, complete, err := b.walk(ctx, strings.TrimSuffix(filter, ">"), state, limit)
	if complete || err != nil {
		return found, err
	}
	if filter == "" {
		filter = jetstream.AllKeys
	}
	// Those of one room may lie far apart: the window grows until it holds enough.
	for window := uint64(limit); ; window *= 4 {
		start := state.FirstSeq
		if state.LastSeq > window {
			start = max(start, state.LastSeq-window+1)
		}
		var found []record
		err := b.from(ctx, start, filter, func(r record) error {
			if found = append(found, r); len(found) >= 2*limit {
				found = slices.Clone(found[len(found)-limit:])
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
		if len(found) >= limit || start == state.FirstSeq {
			return found[max(0, len(found)-limit):], nil
		}
	}
}

// walk reads the last records one by one, and reports whether they are all that was asked
// for.
func (b jetstreamBucket) walk(ctx context.Context, prefix string, state jetstream.StreamState, limit int) (found []record, complete bool, err error) {
	if limit > walkMost {
		return nil, false, nil
	}
	for seq := state.LastSeq; seq >= max(state.FirstSeq, 1) && state.LastSeq-seq < walkMost; seq-- {
		m, err := b.stream.GetMsg(ctx, seq)
		if errors.Is(err, jetstream.ErrMsgNotFound) {
			return nil, false, nil // it was removed, or a replica does not have it yet
		}
		if err != nil {
			return nil, false, err
		}
		key := strings.TrimPrefix(m.Subject, "$KV."+b.store.Bucket()+".")
		if !strings.HasPrefix(key, prefix) || m.Header.Get(operationHeader) != "" {
			continue
		}
		if found = append(found, record{key: key, data: m.Data, revision: seq}); len(found) == limit {
			slices.Reverse(found)
			return found, true, nil
		}
	}
	slices.Reverse(found)
	return found, state.LastSeq-state.FirstSeq < walkMost, nil
}

// state returns the state of the stream that holds the bucket.
func (b jetstreamBucket) state(ctx context.Context) (jetstream.StreamState, error) {
	now, err := b.stream.Info(ctx)
	if err != nil {
		return jetstream.StreamState{}, err
	}
	return now.State, nil
}

// from calls see for the records from a revision on (0: from the first).
func (b jetstreamBucket) from(ctx context.Context, revision uint64, filter string, see func(record) error) error {
	options := []jetstream.WatchOpt{jetstream.IgnoreDeletes()}
	if revision > 0 {
		options = append(options, jetstream.ResumeFromRevision(revision))
	}
	watcher, err := b.store.Watch(ctx, filter, options...)
	if err != nil {
		return err
	}
	defer func() { _ = watcher.Stop() }()
	stalled := time.NewTimer(stallTimeout)
	defer stalled.Stop()
	for {
		stalled.Reset(stallTimeout)
		select {
		case <-stalled.C:
			return errStalled
		case <-ctx.Done():
			return ctx.Err()
		case entry, ok := <-watcher.Updates():
			if !ok {
				return errors.New("the connection to the store was lost")
			}
			if entry == nil {
				return nil // all there were
			}
			if err := see(record{key: entry.Key(), data: entry.Value(), revision: entry.Revision()}); err != nil {
				return err
			}
		}
	}
}

// memoryBucket is a bucket that ends with the process. With a limit, it removes the
// oldest record when one more is added.
type memoryBucket struct {
	limit int

	mu      sync.Mutex
	last    uint64
	records map[string]record
	made    []string // with a limit: the keys in the order of their making
}

func newMemoryBucket(limit int) *memoryBucket {
	return &memoryBucket{limit: limit, records: make(map[string]record)}
}

func (b *memoryBucket) put(_ context.Context, key string, data []byte, revision uint64) (uint64, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.records[key].revision != revision {
		return 0, errConflict
	}
	b.last++
	if revision == 0 && b.limit > 0 {
		if b.made = append(b.made, key); len(b.made) > b.limit {
			delete(b.records, b.made[0])
			b.made = b.made[1:]
		}
	}
	b.records[key] = record{key: key, data: data, revision: b.last}
	return b.last, nil
}

func (b *memoryBucket) remove(_ context.Context, key string) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.records, key)
	b.made = slices.DeleteFunc(b.made, func(made string) bool { return made == key })
	return nil
}

func (b *memoryBucket) get(_ context.Context, key string) (record, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	r, ok := b.records[key]
	if !ok {
		return record{}, fmt.Errorf("%q: %w", key, ErrNotFound)
	}
	return r, nil
}

func (b *memoryBucket) latest(_ context.Context, filter string, limit int) (found []record, err error) {
	prefix := strings.TrimSuffix(filter, ">")
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, key := range slices.Backward(b.made) {
		if strings.HasPrefix(key, prefix) {
			found = append(found, b.records[key])
		}
		if len(found) == limit {
			break
		}
	}
	slices.Reverse(found)
	return found, nil
}

func (b *memoryBucket) each(_ context.Context, see func(record) error) error {
	b.mu.Lock()
	found := slices.Collect(maps.Values(b.records))
	b.mu.Unlock()
	slices.SortFunc(found, func(a, b record) int { return cmp.Compare(a.revision, b.revision) })
	for _, r := range found {
		if err := see(r); err != nil {
			return err
		}
	}
	return nil
}
