package fanout

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// rooms are stages that share one shard, which is at work on a frame in the first room
// until goOn is called.
func rooms(t *testing.T, n int, cfg Config, shards ShardsConfig) (all []*stage, voices []*voice, goOn func()) {
	t.Helper()
	first, _, v, goOn := blocked(t, cfg, shards)
	all, voices = []*stage{first}, []*voice{v}
	cfg.Now, cfg.Shards = first.clock.Now, &Shards{list: []*shard{first.router.lanes[0].shard}}
	cfg.Slots, cfg.MaxAge = max(cfg.Slots, 1), time.Hour
	for range n - 1 {
		r, err := New(cfg)
		require.NoError(t, err)
		t.Cleanup(r.Close)
		s := &stage{t: t, router: r, clock: first.clock}
		all, voices = append(all, s), append(voices, s.voice(1))
	}
	return all, voices, goOn
}

// awaitDone waits until so many packets of all rooms are sent or lost.
func awaitDone(t *testing.T, all []*stage, packets uint64) {
	t.Helper()
	require.Eventually(t, func() bool {
		var done uint64
		all[0].tick() // the shard was busy until the clock's last tick, and rests for as long
		for _, s := range all {
			st := s.router.Stats()
			done += st.Sent + st.Failed
		}
		return done == packets
	}, patience, time.Millisecond)
}

// What waits in all rooms leaves in one batch, and is counted room by room.
func TestRoomsShareABatch(t *testing.T) {
	batch := &fakeBatch{room: 100}
	all, voices, goOn := rooms(t, 5, Config{}, ShardsConfig{NewSendBatch: func(int) SendBatch { return batch }})
	for i, s := range all {
		for range i + 1 {
			_, err := s.router.Subscribe(batchingEar{}, SubscribeOptions{Sections: 1, Since: s.clock.Now().Add(time.Hour)})
			require.NoError(t, err)
		}
	}
	for _, v := range voices {
		v.say("x", 30)
	}
	goOn()
	awaitDone(t, all, 2+1+2+3+4+5) // the ear that blocked it hears two frames
	assert.Equal(t, []int{1 + 2 + 3 + 4 + 5}, batch.all())
	for i, s := range all {
		sent := uint64(i + 1)
		if i == 0 {
			sent += 2
		}
		assert.Equal(t, sent, s.router.Stats().Sent, "room %d", i)
	}
}

// What the batch of all rooms could not send is counted for the rooms whose packets
// those were.
func TestWhatIsLostCountsForItsRoom(t *testing.T) {
	batch := &fakeBatch{room: 7}
	all, voices, goOn := rooms(t, 2, Config{}, ShardsConfig{NewSendBatch: func(int) SendBatch { return batch }})
	for _, s := range all {
		for range 5 {
			_, err := s.router.Subscribe(batchingEar{}, SubscribeOptions{Sections: 1, Since: s.clock.Now().Add(time.Hour)})
			require.NoError(t, err)
		}
	}
	for _, v := range voices {
		v.say("x", 30)
	}
	goOn()
	awaitDone(t, all, 2+5+5)
	assert.Equal(t, []int{10}, batch.all())
	assert.Zero(t, all[0].router.Stats().Failed)
	assert.EqualValues(t, 3, all[1].router.Stats().Failed)
	assert.EqualValues(t, 2, all[1].router.Stats().Sent)
}

// A room that speaks faster than it is sent fills its own queue, and takes nothing of
// another's.
func TestRoomsHaveQueuesOfTheirOwn(t *testing.T) {
	all, voices, goOn := rooms(t, 2, Config{Queue: 10}, ShardsConfig{})
	ear := all[1].ear(SubscribeOptions{Sections: 1})
	for i := range 100 {
		voices[0].say(fmt.Sprint(i), 30)
	}
	voices[1].say("other", 30)
	goOn()
	for _, s := range all {
		s.flush()
		assert.Zero(t, s.router.backlogged())
	}
	assert.Equal(t, []string{"other"}, ear.payloads())
	assert.EqualValues(t, 91, all[0].router.Stats().Overflow, "one of ten places is that of the frame under way")
	assert.Zero(t, all[1].router.Stats().Overflow)
}

// A room that ends takes nothing from those that share its shards: what waits for them
// is sent, and what waits for the one that ended is not.
func TestRoomEndsAndTheOthersGoOn(t *testing.T) {
	all, voices, goOn := rooms(t, 2, Config{}, ShardsConfig{})
	ears := []*fakeEar{all[0].ear(SubscribeOptions{Sections: 1, Since: all[0].clock.Now().Add(time.Hour)}), all[1].ear(SubscribeOptions{Sections: 1})}
	for _, v := range voices {
		v.say("1", 30)
	}
	ended := make(chan struct{})
	go func() { all[0].router.Close(); close(ended) }()
	require.Eventually(t, all[0].router.lanes[0].closing.Load, patience, time.Millisecond)
	select {
	case <-ended:
		t.Fatal("Close returned while a Send was under way")
	default:
	}
	goOn()
	<-ended
	voices[1].say("2", 30)
	all[1].flush()
	assert.Empty(t, ears[0].payloads())
	assert.Equal(t, []string{"1", "2"}, ears[1].payloads())
	assert.Zero(t, all[0].router.backlogged())
}

// A room's hold is its own.
func TestRoomsHoldApart(t *testing.T) {
	all, voices, goOn := rooms(t, 2, Config{}, ShardsConfig{})
	goOn()
	all[0].flush()
	all[0].router.SetHold(100 * time.Millisecond)
	held, other := all[0].ear(SubscribeOptions{Sections: 1, Since: all[0].clock.Now().Add(time.Hour)}), all[1].ear(SubscribeOptions{Sections: 1})
	for i := range 4 {
		voices[0].say(fmt.Sprint(i), 30)
		voices[1].say(fmt.Sprint(i), 30)
		all[1].flush()
		assert.Len(t, other.all(), i+1)
		all[0].tick()
	}
	assert.Empty(t, held.all())
	all[0].router.SetHold(0)
	all[0].flush()
	assert.Equal(t, []int{4}, held.bundles)
}

// Ears of many small rooms are spread evenly, too.
func TestEarsOfSmallRoomsAreSpreadEvenly(t *testing.T) {
	s := newStage(t, Config{}, ShardsConfig{Count: 4})
	shards := &Shards{}
	for _, l := range s.router.lanes {
		shards.list = append(shards.list, l.shard)
	}
	for range 40 {
		r, err := New(Config{Shards: shards})
		require.NoError(t, err)
		t.Cleanup(r.Close)
		_, err = r.Subscribe(&fakeEar{}, SubscribeOptions{Sections: 1})
		require.NoError(t, err)
	}
	for _, one := range shards.list {
		assert.EqualValues(t, 10, one.ears.Load())
	}
}
