package kv

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

// Record is one stored value of a bucket.
type Record struct {
	Key      string
	Data     []byte
	Revision uint64
}

// Bucket holds records by key. A write returns when it will outlive the process,
// if the bucket does. Implementations are safe for concurrent use.
type Bucket interface {
	// Put writes a record whose last revision is given (0: there must be none) and
	// returns its new one. [ErrConflict]: the revision is another.
	Put(ctx context.Context, key string, data []byte, revision uint64) (uint64, error)
	// Remove removes a record. A missing one is no error.
	Remove(ctx context.Context, key string) error
	// Get reads one record. [ErrNotFound]: there is none.
	Get(ctx context.Context, key string) (Record, error)
	// Each calls see for all records, in the order of their last writing.
	Each(ctx context.Context, see func(Record) error) error
	// Latest returns the last records, or those whose key begins with a prefix
	// ("prefix.>"), in the order of their last writing. What it costs follows the limit.
	Latest(ctx context.Context, filter string, limit int) ([]Record, error)
}

// JetStream is a bucket in JetStream.
type JetStream struct {
	KV     jetstream.KeyValue
	Stream jetstream.Stream // holds the bucket
}

// walkMost is how many messages are read one by one from the end of a bucket. A consumer
// reads many at once, but the server looks at all keys to make one.
const walkMost = 64

// Put implements [Bucket].
func (b JetStream) Put(ctx context.Context, key string, data []byte, revision uint64) (uint64, error) {
	var now uint64
	var err error
	if revision == 0 {
		// Create also takes a key whose last record is a removal.
		now, err = b.KV.Create(ctx, key, data)
	} else {
		now, err = b.KV.Update(ctx, key, data, revision)
	}
	if errors.Is(err, jetstream.ErrKeyExists) || errors.Is(err, jetstream.ErrKeyRevisionMismatch) {
		return 0, ErrConflict
	}
	return now, err
}

// Remove implements [Bucket].
func (b JetStream) Remove(ctx context.Context, key string) error {
	return b.KV.Purge(ctx, key)
}

// Get implements [Bucket].
func (b JetStream) Get(ctx context.Context, key string) (Record, error) {
	entry, err := b.KV.Get(ctx, key)
	if errors.Is(err, jetstream.ErrKeyNotFound) {
		return Record{}, ErrNotFound
	}
	if err != nil {
		return Record{}, err
	}
	return Record{Key: key, Data: entry.Value(), Revision: entry.Revision()}, nil
}

// Each implements [Bucket].
func (b JetStream) Each(ctx context.Context, see func(Record) error) error {
	return b.from(ctx, 0, jetstream.AllKeys, see)
}

// Latest implements [Bucket].
func (b JetStream) Latest(ctx context.Context, filter string, limit int) ([]Record, error) {
	state, err := b.State(ctx)
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
		var found []Record
		err := b.from(ctx, start, filter, func(r Record) error {
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
func (b JetStream) walk(ctx context.Context, prefix string, state jetstream.StreamState, limit int) (found []Record, complete bool, err error) {
	if limit > walkMost {
		return nil, false, nil
	}
	for seq := state.LastSeq; seq >= max(state.FirstSeq, 1) && state.LastSeq-seq < walkMost; seq-- {
		m, err := b.Stream.GetMsg(ctx, seq)
		if errors.Is(err, jetstream.ErrMsgNotFound) {
			return nil, false, nil // it was removed, or a replica does not have it yet
		}
		if err != nil {
			return nil, false, err
		}
		key := strings.TrimPrefix(m.Subject, "$KV."+b.KV.Bucket()+".")
		if !strings.HasPrefix(key, prefix) || m.Header.Get(operationHeader) != "" {
			continue
		}
		if found = append(found, Record{Key: key, Data: m.Data, Revision: seq}); len(found) == limit {
			slices.Reverse(found)
			return found, true, nil
		}
	}
	slices.Reverse(found)
	return found, state.LastSeq-state.FirstSeq < walkMost, nil
}

// State returns the state of the stream that holds the bucket.
func (b JetStream) State(ctx context.Context) (jetstream.StreamState, error) {
	now, err := b.Stream.Info(ctx)
	if err != nil {
		return jetstream.StreamState{}, err
	}
	return now.State, nil
}

// from calls see for the records from a revision on (0: from the first).
func (b JetStream) from(ctx context.Context, revision uint64, filter string, see func(Record) error) error {
	options := []jetstream.WatchOpt{jetstream.IgnoreDeletes()}
	if revision > 0 {
		options = append(options, jetstream.ResumeFromRevision(revision))
	}
	watcher, err := b.KV.Watch(ctx, filter, options...)
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
			return ErrStalled
		case <-ctx.Done():
			return ctx.Err()
		case entry, ok := <-watcher.Updates():
			if !ok {
				return errors.New("the connection to the store was lost")
			}
			if entry == nil {
				return nil // all there were
			}
			if err := see(Record{Key: entry.Key(), Data: entry.Value(), Revision: entry.Revision()}); err != nil {
				return err
			}
		}
	}
}

// Memory is a bucket that ends with the process. With a limit, it removes the
// oldest record when one more is added.
type Memory struct {
	limit int

	mu      sync.Mutex
	last    uint64
	records map[string]Record
	made    []string // with a limit: the keys in the order of their making
}

// NewMemory returns an empty bucket, with a limit unless that is 0.
func NewMemory(limit int) *Memory {
	return &Memory{limit: limit, records: make(map[string]Record)}
}

// Put implements [Bucket].
func (b *Memory) Put(_ context.Context, key string, data []byte, revision uint64) (uint64, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.records[key].Revision != revision {
		return 0, ErrConflict
	}
	b.last++
	if revision == 0 && b.limit > 0 {
		if b.made = append(b.made, key); len(b.made) > b.limit {
			delete(b.records, b.made[0])
			b.made = b.made[1:]
		}
	}
	b.records[key] = Record{Key: key, Data: data, Revision: b.last}
	return b.last, nil
}

// Remove implements [Bucket].
func (b *Memory) Remove(_ context.Context, key string) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.records, key)
	b.made = slices.DeleteFunc(b.made, func(made string) bool { return made == key })
	return nil
}

// Get implements [Bucket].
func (b *Memory) Get(_ context.Context, key string) (Record, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	r, ok := b.records[key]
	if !ok {
		return Record{}, fmt.Errorf("%q: %w", key, ErrNotFound)
	}
	return r, nil
}

// Latest implements [Bucket].
func (b *Memory) Latest(_ context.Context, filter string, limit int) (found []Record, err error) {
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

// Each implements [Bucket].
func (b *Memory) Each(_ context.Context, see func(Record) error) error {
	b.mu.Lock()
	found := slices.Collect(maps.Values(b.records))
	b.mu.Unlock()
	slices.SortFunc(found, func(a, b Record) int { return cmp.Compare(a.Revision, b.Revision) })
	for _, r := range found {
		if err := see(r); err != nil {
			return err
		}
	}
	return nil
}
