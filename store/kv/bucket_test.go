package kv

import (
	"log/slog"
	"slices"
	"testing"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/earshot-audio/earshot/store/stateserver"
)

// openJetStream makes a bucket of an embedded server.
func openJetStream(t *testing.T) JetStream {
	t.Helper()
	embedded, err := stateserver.Embed(t.TempDir(), slog.New(slog.DiscardHandler), func(err error) { t.Error(err) })
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, embedded.Close()) })
	conn, err := nats.Connect("", embedded.Connect())
	require.NoError(t, err)
	t.Cleanup(conn.Close)
	js, err := jetstream.New(conn)
	require.NoError(t, err)
	held, err := js.CreateKeyValue(t.Context(), jetstream.KeyValueConfig{Bucket: "test", History: 1, Storage: jetstream.FileStorage})
	require.NoError(t, err)
	stream, err := js.Stream(t.Context(), "KV_test")
	require.NoError(t, err)
	return JetStream{KV: held, Stream: stream}
}

// A bucket keeps its contract wherever it is.
func TestBucket(t *testing.T) {
	for where, open := range map[string]func(*testing.T) Bucket{
		"in memory": func(*testing.T) Bucket { return NewMemory(100) },
		"JetStream": func(t *testing.T) Bucket { return openJetStream(t) },
		"JetStream, shared by a cluster": func(t *testing.T) Bucket {
			return NewShared(openJetStream(t), nil, nil, false)
		},
	} {
		t.Run(where, func(t *testing.T) {
			ctx, b := t.Context(), open(t)
			keys := func(records []Record) (all []string) {
				for _, r := range records {
					all = append(all, r.Key)
				}
				return all
			}
			each := func() (all []string) {
				require.NoError(t, b.Each(ctx, func(r Record) error { all = append(all, r.Key); return nil }))
				return all
			}
			put := func(key, data string, over uint64) uint64 {
				revision, err := b.Put(ctx, key, []byte(data), over)
				require.NoError(t, err)
				return revision
			}

			_, err := b.Get(ctx, "room.a")
			require.ErrorIs(t, err, ErrNotFound)
			require.NoError(t, b.Remove(ctx, "room.a"), "a missing record is no error")
			assert.Empty(t, each())

			first := put("room.a", "one", 0)
			_, err = b.Put(ctx, "room.a", []byte("two"), 0)
			require.ErrorIs(t, err, ErrConflict, "it is there already")
			second := put("room.a", "two", first)
			assert.Greater(t, second, first)
			_, err = b.Put(ctx, "room.a", []byte("three"), first)
			require.ErrorIs(t, err, ErrConflict, "somebody else was first")
			r, err := b.Get(ctx, "room.a")
			require.NoError(t, err)
			assert.Equal(t, Record{Key: "room.a", Data: []byte("two"), Revision: second}, r)

			put("club.b", "b", 0)
			put("room.c", "c", 0)
			assert.Equal(t, []string{"room.a", "club.b", "room.c"}, each(), "in the order of their last writing")
			for limit, want := range map[int][]string{1: {"room.c"}, 2: {"room.a", "room.c"}, 3: {"room.a", "room.c"}} {
				latest, err := b.Latest(ctx, "room.>", limit)
				require.NoError(t, err)
				assert.Equal(t, want, keys(latest), "the last %d of a prefix", limit)
			}
			latest, err := b.Latest(ctx, "", 2)
			require.NoError(t, err)
			assert.Equal(t, []string{"club.b", "room.c"}, keys(latest))

			require.NoError(t, b.Remove(ctx, "room.a"))
			_, err = b.Get(ctx, "room.a")
			require.ErrorIs(t, err, ErrNotFound)
			assert.False(t, slices.Contains(each(), "room.a"))
			put("room.a", "again", 0)
		})
	}
}

func TestMemoryDropsTheOldest(t *testing.T) {
	b := NewMemory(2)
	for _, key := range []string{"a", "b", "c"} {
		_, err := b.Put(t.Context(), key, nil, 0)
		require.NoError(t, err)
	}
	_, err := b.Get(t.Context(), "a")
	require.ErrorIs(t, err, ErrNotFound)
	latest, err := b.Latest(t.Context(), "", 10)
	require.NoError(t, err)
	assert.Len(t, latest, 2)
}

func TestHealthEndsOperationsWhenTheServerFails(t *testing.T) {
	h := NewHealth()
	require.NoError(t, h.Check())
	ctx, done := h.Operation(t.Context())
	defer done()
	require.NoError(t, ctx.Err())
	h.Fail(assert.AnError)
	<-ctx.Done()
	require.ErrorIs(t, h.Check(), ErrFailed)
	require.ErrorIs(t, h.Check(), assert.AnError)
	h.Fail(ErrLost)
	require.NotErrorIs(t, h.Check(), ErrLost, "the first error counts")
	require.ErrorIs(t, h.Explain(ctx.Err()), ErrFailed, "why an operation failed")
	assert.NoError(t, h.Explain(nil), "what succeeded has succeeded")
}
