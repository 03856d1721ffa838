package fanout

import (
	"fmt"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// fakeOutbox takes the packets of gatheringEars until its shard flushes it.
type fakeOutbox struct {
	mu       sync.Mutex
	waiting  int
	prepared int   // how many ears were announced
	flushed  []int // how many packets each Flush found
	room     int   // how many packets one Flush can send
}

func (o *fakeOutbox) Prepare(_ int, ears []Ear) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.prepared += len(ears)
}

func (o *fakeOutbox) Flush() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	n := o.waiting
	o.waiting = 0
	o.flushed = append(o.flushed, n)
	return max(0, n-o.room)
}

func (o *fakeOutbox) all() []int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return append([]int(nil), o.flushed...)
}

// gatheringEar sends by way of its shard's outbox.
type gatheringEar struct{}

func (gatheringEar) Send(out Outbox, _ int, _ Packet) error {
	o := out.(*fakeOutbox)
	o.mu.Lock()
	defer o.mu.Unlock()
	o.waiting++
	return nil
}

// withOutboxes is a stage whose shards have an outbox each.
func withOutboxes(t *testing.T, shards, room int) (*stage, []*fakeOutbox) {
	t.Helper()
	outs := make([]*fakeOutbox, shards)
	return newStage(t, Config{Slots: 2, Shards: shards, NewOutbox: func(shard int) Outbox {
		outs[shard] = &fakeOutbox{room: room}
		return outs[shard]
	}}), outs
}

func TestAShardFlushesItsOutboxOnceAPacket(t *testing.T) {
	s, outs := withOutboxes(t, 2, 100)
	for range 10 {
		_, err := s.hall.AddEar(gatheringEar{}, Listening{Sections: 2})
		require.NoError(t, err)
	}
	s.flush()
	v := s.voice(1)
	before := len(outs[0].all())
	for i := range 3 {
		v.say(fmt.Sprint(i), 30)
		s.tick()
	}
	s.flush()
	assert.Equal(t, []int{5, 5, 5}, outs[0].all()[before:])
	assert.Equal(t, []int{5, 5, 5}, outs[1].all()[before:])
	assert.Equal(t, uint64(30), s.hall.Stats().Sent)
}

func TestWhatAnOutboxDropsCountsAsFailed(t *testing.T) {
	s, _ := withOutboxes(t, 1, 7)
	for range 10 {
		_, err := s.hall.AddEar(gatheringEar{}, Listening{Sections: 1})
		require.NoError(t, err)
	}
	s.voice(1).say("x", 30)
	s.flush()
	assert.Equal(t, uint64(7), s.hall.Stats().Sent)
	assert.Equal(t, uint64(3), s.hall.Stats().Failed)
}

func TestWhatANewEarHasMissedIsFlushedAtOnce(t *testing.T) {
	s, outs := withOutboxes(t, 1, 100)
	s.voice(1).say("in the air", 30)
	s.flush()
	_, err := s.hall.AddEar(gatheringEar{}, Listening{Sections: 1})
	require.NoError(t, err)
	s.flush()
	flushed := outs[0].all()
	require.NotEmpty(t, flushed)
	assert.Equal(t, 1, flushed[len(flushed)-1])
	assert.Equal(t, uint64(1), s.hall.Stats().Sent)
}
