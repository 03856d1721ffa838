package fanout

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestOwnMicIsLeftOut(t *testing.T) {
	s := newStage(t, Config{Slots: 1})
	own := s.ear(SubscribeOptions{Sections: 1, Owner: 1})
	other := s.ear(SubscribeOptions{Sections: 1})
	a, b := s.voice(1), s.voice(2)
	s.run(50, map[*voice]uint8{a: 20, b: 50}, a, b)
	s.flush()
	assert.Equal(t, map[uint32]int{2: 50}, own.talkers(), "the loudest of the others")
	assert.Equal(t, map[uint32]int{1: 50}, other.talkers())
}

func TestSubscribeWithMoreSectionsThanSlotsLeavesTheRestEmpty(t *testing.T) {
	s := newStage(t, Config{Slots: 2})
	ear := s.ear(SubscribeOptions{Sections: 5})
	for i := range 4 {
		s.voice(uint32(i+1)).say("x", 30)
	}
	s.flush()
	assert.Equal(t, 2, len(ear.all()))
	assert.Equal(t, uint64(2), s.router.Stats().Unheard)
}

func TestSetOwnerLeavesSectionsUnbroken(t *testing.T) {
	s := newStage(t, Config{Slots: 2})
	ear := &fakeEar{}
	sub, err := s.router.Subscribe(ear, SubscribeOptions{Sections: 2})
	require.NoError(t, err)
	a, b, c := s.voice(1), s.voice(2), s.voice(3)
	talk := func(frames int) {
		for range frames {
			a.say("a", 30)
			b.say("b", 30)
			c.say("c", 60)
			s.tick()
		}
		s.flush()
	}
	talk(20)
	assert.Equal(t, map[uint32]int{1: 20, 2: 20}, ear.talkers())
	for round, owner := range []uint32{1, 0, 2, 1, 0} {
		sub.SetOwner(owner)
		before := ear.talkers()
		talk(20)
		after := ear.talkers()
		heard := 0
		for talker, n := range after {
			if n > before[talker] {
				heard++
				assert.NotEqual(t, owner, talker, "round %d", round)
			}
		}
		assert.Equal(t, 2, heard, "round %d: both sections are in use", round)
	}
	for section := range 2 {
		packets := ear.in(section)
		require.Equal(t, 120, len(packets))
		for i := 1; i < len(packets); i++ {
			require.Equal(t, packets[i-1].Seq+1, packets[i].Seq, "packet %d", i)
			require.Equal(t, packets[i-1].Timestamp+frameTicks, packets[i].Timestamp, "packet %d", i)
		}
	}
	assert.Equal(t, 1, len(s.router.mixes), "mixes that nobody hears are forgotten")
	sub.SetOwner(3)
	assert.Equal(t, 2, len(s.router.mixes))
	sub.Close()
	assert.Equal(t, 1, len(s.router.mixes))
}

func TestSetOwnerAfterALatePacketRepeatsNoSequenceNumber(t *testing.T) {
	s := newStage(t, Config{Slots: 1})
	ear := &fakeEar{}
	sub, err := s.router.Subscribe(ear, SubscribeOptions{Sections: 1})
	require.NoError(t, err)
	a := s.voice(1)
	a.say("0", 30)
	late := *a
	a.lose()
	a.say("2", 30)
	late.say("1", 30)
	sub.SetOwner(9)
	a.say("3", 30)
	late.say("2 again", 30)
	s.flush()
	assert.Equal(t, []string{"0", "2", "1", "3"}, ear.payloads())
	var seqs []int
	for _, p := range ear.all() {
		seqs = append(seqs, int(p.Seq))
	}
	assert.Equal(t, []int{0, 2, 1, 3}, seqs)
}

func TestMixMadeAfterRestartBeginsWithTheNewSource(t *testing.T) {
	s := newStage(t, Config{Slots: 1})
	a := s.voice(1)
	a.say("old", 30)
	a.mic.Restart()
	a.seq += 30
	a.say("1", 30)
	a.say("2", 30)
	ear := s.ear(SubscribeOptions{Sections: 1, Owner: 9})
	s.flush()
	require.Equal(t, []string{"1", "2"}, ear.payloads())
	assert.Equal(t, ear.all()[0].Seq+1, ear.all()[1].Seq)
}

func TestSubscribeGetsTheFrameInTheAirAndNothingOlder(t *testing.T) {
	s := newStage(t, Config{Slots: 2})
	a := s.voice(1)
	for i := range 5 {
		a.say(fmt.Sprint(i), 30)
		s.tick()
	}
	s.clock.advance(-5 * time.Millisecond) // 15 ms after the last frame
	now := s.clock.Now()
	none := s.ear(SubscribeOptions{Sections: 2, Since: now.Add(-10 * time.Millisecond)})
	one := s.ear(SubscribeOptions{Sections: 2})
	own := s.ear(SubscribeOptions{Sections: 2, Owner: 9})
	some := s.ear(SubscribeOptions{Sections: 2, Since: now.Add(-60 * time.Millisecond)})
	deaf := s.ear(SubscribeOptions{Sections: 2, Owner: 1, Since: now.Add(-60 * time.Millisecond)})
	a.say("5", 30)
	s.flush()
	assert.Equal(t, []string{"5"}, none.payloads())
	assert.Equal(t, []string{"4", "5"}, one.payloads())
	assert.Equal(t, []string{"4", "5"}, own.payloads(), "a mix that was made for the joiner knows it too")
	assert.Equal(t, []string{"2", "3", "4", "5"}, some.payloads())
	assert.Empty(t, deaf.payloads())
	for _, e := range []*fakeEar{one, own, some} {
		list := e.all()
		for i := 1; i < len(list); i++ {
			assert.Equal(t, list[i-1].Seq+1, list[i].Seq)
		}
	}
}

func TestSubscribeGetsNothingFromBeforeAMute(t *testing.T) {
	s := newStage(t, Config{Slots: 1})
	s.voice(1).say("secret", 30)
	s.router.Mute(1, true)
	ear := s.ear(SubscribeOptions{Sections: 1})
	own := s.ear(SubscribeOptions{Sections: 1, Owner: 9})
	s.flush()
	assert.Empty(t, ear.payloads())
	assert.Empty(t, own.payloads())
}

// A router that may not speak passes nothing on, and what was said meanwhile does not come later.
func TestRouterThatMayNotSpeakIsSilent(t *testing.T) {
	var speaks atomic.Bool
	s := newStage(t, Config{Slots: 1, Speaks: speaks.Load})
	ear := s.ear(SubscribeOptions{Sections: 1})
	a := s.voice(1)
	for i := range 4 {
		speaks.Store(i%2 == 1)
		a.say(fmt.Sprint(i), 30)
		s.tick()
	}
	s.flush()
	assert.Equal(t, []string{"1", "3"}, ear.payloads())
}

func TestMuteSurvivesANewMic(t *testing.T) {
	s := newStage(t, Config{Slots: 1})
	ear := s.ear(SubscribeOptions{Sections: 1})
	a := s.voice(1)
	a.say("1", 30)
	s.router.Mute(1, true)
	a.say("2", 30)
	a.mic.Close()
	b := s.voice(1)
	b.say("3", 30)
	s.router.Mute(1, false)
	b.say("4", 30)
	s.flush()
	assert.Equal(t, []string{"1", "4"}, ear.payloads())
}

func TestPublishReplacesTheTalkersEarlierMic(t *testing.T) {
	s := newStage(t, Config{Slots: 3})
	ear := s.ear(SubscribeOptions{Sections: 3})
	old := s.voice(1)
	old.say("old", 30)
	fresh := s.voice(1)
	old.say("ghost", 30)
	fresh.say("fresh", 30)
	old.mic.Close()
	fresh.say("still", 30)
	s.flush()
	assert.Equal(t, []string{"old", "fresh", "still"}, ear.payloads())
	assert.Equal(t, 1, s.router.Stats().Mics)
}

func TestRestartLeavesSectionsUnbroken(t *testing.T) {
	s := newStage(t, Config{Slots: 1})
	ear := s.ear(SubscribeOptions{Sections: 1})
	a := s.voice(1)
	a.say("1", 30)
	a.seq -= 30 // another source whose numbers look like late ones
	a.mic.Restart()
	a.say("2", 30)
	s.flush()
	require.Equal(t, []string{"1", "2"}, ear.payloads())
	assert.Equal(t, ear.all()[0].Seq+1, ear.all()[1].Seq)
}

func TestSubscriptionCloseStopsPackets(t *testing.T) {
	s := newStage(t, Config{Slots: 1}, ShardsConfig{Count: 1})
	ear, a := &fakeEar{block: make(chan struct{})}, s.voice(1)
	unblock := sync.OnceFunc(func() { close(ear.block) })
	defer unblock()
	sub, err := s.router.Subscribe(ear, SubscribeOptions{Sections: 1})
	require.NoError(t, err)
	a.say("1", 30)
	require.Eventually(t, func() bool { return ear.began() == 1 }, patience, time.Millisecond)
	a.say("2", 30)
	closed := make(chan struct{})
	go func() { sub.Close(); sub.Close(); close(closed) }()
	select {
	case <-closed:
		t.Fatal("Close returned while a Send was under way")
	case <-time.After(20 * time.Millisecond):
	}
	unblock()
	<-closed
	assert.Equal(t, []string{"1"}, ear.payloads())
	a.say("3", 30)
	s.flush()
	assert.Equal(t, 1, ear.began())
	sub.SetOwner(5)
	assert.Equal(t, 0, s.router.Stats().Ears)
}

func TestFullShardDropsAndNeverBlocksTheMic(t *testing.T) {
	s := newStage(t, Config{Slots: 1, Queue: 10}, ShardsConfig{Count: 2})
	stuck, free := &fakeEar{block: make(chan struct{})}, &fakeEar{}
	unblock := sync.OnceFunc(func() { close(stuck.block) })
	defer unblock()
	for _, e := range []*fakeEar{stuck, free} { // one a shard
		_, err := s.router.Subscribe(e, SubscribeOptions{Sections: 1})
		require.NoError(t, err)
	}
	a := s.voice(1)
	for i := range 100 {
		a.say(fmt.Sprint(i), 30)
		require.Eventually(t, func() bool { return len(free.all()) == i+1 }, patience, 50*time.Microsecond,
			"the other shard's ears hear every frame")
	}
	assert.Equal(t, uint64(90), s.router.Stats().Overflow)
	// Ears come and go all the same, and are not lost.
	late := make(chan *Subscription)
	go func() {
		sub, _ := s.router.Subscribe(&fakeEar{}, SubscribeOptions{Sections: 1})
		late <- sub
	}()
	sub := <-late
	unblock()
	sub.Close()
	s.flush()
	assert.Equal(t, 10, len(stuck.all()))
	assert.Equal(t, uint64(110), s.router.Stats().Sent)
}

func TestShardDropsPacketsThatAreTooOld(t *testing.T) {
	s := newStage(t, Config{Slots: 1, MaxAge: 100 * time.Millisecond}, ShardsConfig{Count: 1})
	slow := &fakeEar{block: make(chan struct{})}
	_, err := s.router.Subscribe(slow, SubscribeOptions{Sections: 1})
	require.NoError(t, err)
	a := s.voice(1)
	for i := range 20 {
		a.say(fmt.Sprint(i), 30)
		if i == 0 {
			require.Eventually(t, func() bool { return slow.began() == 1 }, patience, time.Millisecond)
		}
		s.tick()
	}
	close(slow.block) // 20 ms after the last of them
	s.flush()
	assert.Equal(t, []string{"0", "15", "16", "17", "18", "19"}, slow.payloads())
	assert.Equal(t, uint64(14), s.router.Stats().Overflow)
}

func TestFailingEarIsCountedAndHarmsNobody(t *testing.T) {
	s := newStage(t, Config{Slots: 1}, ShardsConfig{Count: 1})
	good := s.ear(SubscribeOptions{Sections: 1})
	_, err := s.router.Subscribe(&fakeEar{deaf: true}, SubscribeOptions{Sections: 1})
	require.NoError(t, err)
	s.voice(1).say("1", 30)
	s.flush()
	assert.Equal(t, 1, len(good.all()))
	st := s.router.Stats()
	assert.Equal(t, Stats{Mics: 1, Ears: 2, Pushed: 1, Sent: 1, Failed: 1}, st)
}

func TestSubscribeSpreadsEarsEvenly(t *testing.T) {
	s := newStage(t, Config{}, ShardsConfig{Count: 4})
	for range 42 {
		s.ear(SubscribeOptions{Sections: 1})
	}
	for _, l := range s.router.lanes {
		assert.Contains(t, []int{10, 11}, l.ears)
	}
}

func TestOnActiveSpeakersReportsChanges(t *testing.T) {
	var mu sync.Mutex
	var told [][]uint32
	last := func() []uint32 {
		mu.Lock()
		defer mu.Unlock()
		if len(told) == 0 {
			return nil
		}
		return told[len(told)-1]
	}
	s := newStage(t, Config{Slots: 2, OnActiveSpeakers: func(talkers []uint32) {
		mu.Lock()
		defer mu.Unlock()
		told = append(told, talkers)
	}})
	is := func(want ...uint32) func() bool { return func() bool { return assert.ObjectsAreEqual(want, last()) } }
	a, b := s.voice(9), s.voice(2)
	a.say("x", 30)
	require.Eventually(t, is(9), patience, time.Millisecond)
	b.say("x", 30)
	require.Eventually(t, is(2, 9), patience, time.Millisecond)
	s.router.Mute(9, true)
	require.Eventually(t, is(2), patience, time.Millisecond)
	s.clock.advance(2 * talkTimeout)
	require.Eventually(t, func() bool { return last() != nil && len(last()) == 0 }, patience, time.Millisecond,
		"who sends nothing any more is no talker")
	b.say("x", 30)
	require.Eventually(t, is(2), patience, time.Millisecond)
	for range 50 {
		b.say("x", 30)
	}
	mu.Lock()
	assert.Equal(t, 5, len(told), "no change, no news: %v", told)
	mu.Unlock()
}

func TestBadConfigurationIsRefused(t *testing.T) {
	s := newStage(t, Config{})
	shards := &Shards{list: []*shard{s.router.lanes[0].shard}}
	for _, cfg := range []Config{{}, {Slots: -1, Shards: shards}, {Slots: 65, Shards: shards}, {Queue: -1, Shards: shards}, {MaxAge: -1, Shards: shards}, {Hold: -1, Shards: shards}} {
		_, err := New(cfg)
		assert.Error(t, err, "%+v", cfg)
	}
	_, err := NewShards(ShardsConfig{Count: -1})
	assert.Error(t, err)
	assert.Equal(t, DefaultSlots, s.router.Slots())
	_, err = s.router.Publish(0)
	assert.Error(t, err)
	_, err = s.router.Subscribe(&fakeEar{}, SubscribeOptions{})
	assert.Error(t, err)
}

func TestRouterCloseStopsEverything(t *testing.T) {
	h := newRouter(t, Config{OnActiveSpeakers: func([]uint32) {}}, ShardsConfig{})
	ear := &fakeEar{}
	sub, err := h.Subscribe(ear, SubscribeOptions{Sections: 3})
	require.NoError(t, err)
	m, err := h.Publish(1)
	require.NoError(t, err)
	h.Close()
	m.Push(Frame{Payload: []byte("late")})
	m.Close()
	sub.SetOwner(1)
	sub.Close()
	_, err = h.Publish(2)
	assert.ErrorIs(t, err, ErrClosed)
	_, err = h.Subscribe(ear, SubscribeOptions{Sections: 1})
	assert.ErrorIs(t, err, ErrClosed)
	assert.Empty(t, ear.all())
}

func TestSubscribeAndCloseDuringABurstSkipNobody(t *testing.T) {
	h := newRouter(t, Config{Slots: 1, Queue: 1 << 20}, ShardsConfig{Count: 3})
	m, err := h.Publish(1)
	require.NoError(t, err)
	const frames = 2000
	stay := &fakeEar{}
	_, err = h.Subscribe(stay, SubscribeOptions{Sections: 1})
	require.NoError(t, err)
	var ears []*fakeEar
	stop, gone := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(gone)
		for i := 0; ; i++ {
			select {
			case <-stop:
				return
			default:
			}
			ear := &fakeEar{}
			sub, err := h.Subscribe(ear, SubscribeOptions{Sections: 1, Owner: uint32(i % 3 * 2)})
			if err != nil {
				return
			}
			ears = append(ears, ear)
			time.Sleep(time.Millisecond)
			if i%2 == 0 {
				sub.SetOwner(uint32(i % 5 * 2))
				time.Sleep(time.Millisecond)
			}
			sub.Close()
		}
	}()
	at := time.Now()
	for i := range frames {
		m.Push(Frame{Seq: uint16(i), Timestamp: uint32(i * frameTicks), Level: 30,
			Arrived: at.Add(time.Duration(i) * frameDuration)})
		if i%10 == 0 {
			time.Sleep(100 * time.Microsecond)
		}
	}
	require.Eventually(t, func() bool { return len(stay.all()) == frames }, patience, time.Millisecond)
	close(stop)
	<-gone
	for _, e := range append(ears, stay) {
		list := e.all()
		for i := 1; i < len(list); i++ {
			require.Equal(t, list[i-1].Seq+1, list[i].Seq)
			require.Equal(t, list[i-1].Frame.Seq+1, list[i].Frame.Seq, "no frame is skipped or repeated")
		}
	}
	assert.Greater(t, len(ears), 2)
}

func TestSubscriptionDetachStopsPackets(t *testing.T) {
	s := newStage(t, Config{Slots: 1})
	detached, other := &fakeEar{}, s.ear(SubscribeOptions{Sections: 1})
	sub, err := s.router.Subscribe(detached, SubscribeOptions{Sections: 1})
	require.NoError(t, err)
	a := s.voice(1)
	s.run(10, map[*voice]uint8{a: 20}, a)
	s.flush()
	sub.Detach()
	s.run(10, map[*voice]uint8{a: 20}, a)
	s.flush()
	assert.Equal(t, map[uint32]int{1: 10}, detached.talkers())
	assert.Equal(t, map[uint32]int{1: 20}, other.talkers())
	assert.Equal(t, 2, s.router.Stats().Ears, "it is still to be closed")
	sub.Close()
	assert.Equal(t, 1, s.router.Stats().Ears)
}
