package fanout

import (
	"fmt"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// fakeBatch takes the packets of batchingEars until its shard flushes it.
type fakeBatch struct {
	mu      sync.Mutex
	waiting int
	flushed []int     // how many packets each Flush found
	room    int       // how many packets one Flush can send
	lost    []*uint64 // of each packet that waits
	counter *uint64
}

func (o *fakeBatch) CountLost(lost *uint64) { o.counter = lost }

func (o *fakeBatch) Flush() {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.waiting == 0 {
		return
	}
	o.flushed = append(o.flushed, o.waiting)
	for _, lost := range o.lost[min(o.room, o.waiting):] {
		*lost++
	}
	o.waiting, o.lost = 0, nil
}

func (o *fakeBatch) all() []int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return append([]int(nil), o.flushed...)
}

// batchingEar sends through its shard's batch.
type batchingEar struct{}

func (batchingEar) Send(out SendBatch, packets []Packet) int {
	o := out.(*fakeBatch)
	o.mu.Lock()
	defer o.mu.Unlock()
	for range packets {
		o.waiting++
		o.lost = append(o.lost, o.counter)
	}
	return 0
}

// withBatches is a stage whose shards have a batch each.
func withBatches(t *testing.T, shards, room int) (*stage, []*fakeBatch) {
	t.Helper()
	batches := make([]*fakeBatch, shards)
	return newStage(t, Config{Slots: 2}, ShardsConfig{Count: shards, NewSendBatch: func(shard int) SendBatch {
		batches[shard] = &fakeBatch{room: room}
		return batches[shard]
	}}), batches
}

func TestShardFlushesItsBatchOncePerPacket(t *testing.T) {
	s, batches := withBatches(t, 2, 100)
	for range 10 {
		_, err := s.router.Subscribe(batchingEar{}, SubscribeOptions{Sections: 2})
		require.NoError(t, err)
	}
	s.flush()
	v := s.voice(1)
	before := len(batches[0].all())
	for i := range 3 {
		v.say(fmt.Sprint(i), 30)
		s.tick()
		s.flush()
	}
	assert.Equal(t, []int{5, 5, 5}, batches[0].all()[before:])
	assert.Equal(t, []int{5, 5, 5}, batches[1].all()[before:])
	assert.Equal(t, uint64(30), s.router.Stats().Sent)
}

func TestPacketsDroppedByFlushCountAsFailed(t *testing.T) {
	s, _ := withBatches(t, 1, 7)
	for range 10 {
		_, err := s.router.Subscribe(batchingEar{}, SubscribeOptions{Sections: 1})
		require.NoError(t, err)
	}
	s.voice(1).say("x", 30)
	s.flush()
	assert.Equal(t, uint64(7), s.router.Stats().Sent)
	assert.Equal(t, uint64(3), s.router.Stats().Failed)
}

func TestSubscribeFlushesTheBacklogAtOnce(t *testing.T) {
	s, batches := withBatches(t, 1, 100)
	s.voice(1).say("in the air", 30)
	s.flush()
	_, err := s.router.Subscribe(batchingEar{}, SubscribeOptions{Sections: 1})
	require.NoError(t, err)
	s.flush()
	flushed := batches[0].all()
	require.NotEmpty(t, flushed)
	assert.Equal(t, 1, flushed[len(flushed)-1])
	assert.Equal(t, uint64(1), s.router.Stats().Sent)
}

func TestPrefetchPrecedesEverySend(t *testing.T) {
	const ears = 3*prefetchStride + 1
	prefetched, sent := 0, 0 // by the only shard
	s := newStage(t, Config{Slots: 2}, ShardsConfig{Count: 1, Prefetch: func(sections uint64, sinks []Sink) {
		assert.EqualValues(t, 1, sections)
		assert.Equal(t, prefetched, sent)
		assert.LessOrEqual(t, len(sinks), prefetchStride)
		prefetched += len(sinks)
	}})
	for range ears {
		_, err := s.router.Subscribe(sentCounter{&sent}, SubscribeOptions{Sections: 2})
		require.NoError(t, err)
	}
	s.voice(1).say("x", 30)
	s.flush()
	assert.Equal(t, ears, prefetched)
	assert.Equal(t, ears, sent)
}

// sentCounter counts its packets.
type sentCounter struct{ sent *int }

func (e sentCounter) Send(SendBatch, []Packet) int {
	*e.sent++
	return 0
}
