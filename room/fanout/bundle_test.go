package fanout

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// blocked is a stage with one shard that is at work on the frame "0" for an ear, until
// go on is called: what happens meanwhile is a backlog.
func blocked(t *testing.T, cfg Config, shards ...ShardsConfig) (s *stage, first *fakeEar, v *voice, goOn func()) {
	t.Helper()
	cfg.Slots = max(cfg.Slots, 1)
	shards = append(shards, ShardsConfig{})
	shards[0].Count = 1
	s = newStage(t, cfg, shards[0])
	first = &fakeEar{block: make(chan struct{})}
	_, err := s.router.Subscribe(first, SubscribeOptions{Sections: cfg.Slots})
	require.NoError(t, err)
	v = s.voice(1)
	v.say("0", 30)
	require.Eventually(t, func() bool { return first.began() == 1 }, patience, time.Millisecond)
	s.tick()
	return s, first, v, func() { close(first.block) }
}

func TestShardGivesEachEarAllThatWaitsAtOnce(t *testing.T) {
	s, ear, v, goOn := blocked(t, Config{Slots: 2})
	other := s.voice(2)
	for i := range 3 {
		v.say(fmt.Sprint("a", i), 30)
		other.say(fmt.Sprint("b", i), 30)
		s.tick()
	}
	goOn()
	s.flush()
	assert.Equal(t, []int{1, 6}, ear.bundles)
	assert.Equal(t, []string{"0", "a0", "b0", "a1", "b1", "a2", "b2"}, ear.payloads())
	v.say("alone", 30)
	s.flush()
	assert.Equal(t, []int{1, 6, 1}, ear.bundles, "when nothing waits, nothing is held")
	assert.Equal(t, uint64(8), s.router.Stats().Sent)
	assert.Zero(t, s.router.backlogged())
}

// Those who join or leave while packets wait do not keep them apart.
func TestJoinsAndLeavesAmidABacklogDoNotSplitIt(t *testing.T) {
	s, ear, v, goOn := blocked(t, Config{})
	var joined []*fakeEar
	var subs []*Subscription
	leaver := &fakeEar{}
	leaving, err := s.router.Subscribe(leaver, SubscribeOptions{Sections: 1})
	require.NoError(t, err)
	left := make(chan struct{})
	for i := range 5 {
		v.say(fmt.Sprint("a", i), 30)
		s.tick()
		e := &fakeEar{}
		sub, err := s.router.Subscribe(e, SubscribeOptions{Sections: 1})
		require.NoError(t, err)
		joined, subs = append(joined, e), append(subs, sub)
		if i == 2 {
			go func() { leaving.Close(); close(left) }()
			require.Eventually(t, leaving.closed.Load, patience, time.Millisecond)
		}
	}
	v.say("last", 30)
	goOn()
	<-left
	s.flush()
	assert.Equal(t, []int{1, 6}, ear.bundles)
	assert.NotContains(t, leaver.payloads(), "last")
	for i, e := range joined {
		want := []string{}
		for n := i; n < 5; n++ { // the frame in the air, and what came later
			want = append(want, fmt.Sprint("a", n))
		}
		assert.Equal(t, append(want, "last"), e.payloads(), "who joined after frame %d", i)
	}
	subs[0].Close()
	v.say("more", 30)
	s.flush()
	assert.Contains(t, joined[1].payloads(), "more")
	assert.NotContains(t, joined[0].payloads(), "more")
}

// Packets that get too old behind a slow ear are left out of the bundle, and whoever
// joined among them misses none of the others.
func TestBundleLeavesOutWhatIsTooOld(t *testing.T) {
	s, ear, v, goOn := blocked(t, Config{MaxAge: 100 * time.Millisecond})
	var joined []*fakeEar
	for i := range 10 {
		v.say(fmt.Sprint(i+1), 30)
		joined = append(joined, s.ear(SubscribeOptions{Sections: 1, Since: s.clock.Now().Add(time.Hour)}))
		s.tick()
	}
	goOn() // 20 ms after the last of them
	s.flush()
	assert.Equal(t, []string{"0", "6", "7", "8", "9", "10"}, ear.payloads())
	assert.Equal(t, uint64(5), s.router.Stats().Overflow)
	for i, e := range joined {
		var want []string
		for n := max(6, i+2); n <= 10; n++ {
			want = append(want, fmt.Sprint(n))
		}
		assert.Equal(t, want, e.payloads(), "who joined after frame %d", i+1)
	}
	assert.Zero(t, s.router.backlogged())
}

func TestGroupThatIsLeftByAllForgetsWhatWaits(t *testing.T) {
	s, _, v, goOn := blocked(t, Config{})
	own := &fakeEar{}
	sub, err := s.router.Subscribe(own, SubscribeOptions{Sections: 1, Owner: 9})
	require.NoError(t, err)
	v.say("1", 30)
	gone := make(chan struct{})
	go func() { sub.Close(); close(gone) }()
	require.Eventually(t, sub.closed.Load, patience, time.Millisecond)
	goOn()
	<-gone
	s.flush()
	assert.NotContains(t, own.payloads(), "1")
	assert.Zero(t, s.router.backlogged())
}

func TestHoldGathersTheAudiencesPackets(t *testing.T) {
	s := newStage(t, Config{Slots: 1, Hold: 60 * time.Millisecond}, ShardsConfig{Count: 1})
	ear, own := s.ear(SubscribeOptions{Sections: 1}), s.ear(SubscribeOptions{Sections: 1, Owner: 9})
	v := s.voice(1)
	for i := range 7 {
		v.say(fmt.Sprint(i), 30)
		require.Eventually(t, func() bool { return len(own.all()) == i+1 }, patience, time.Millisecond, "who is on stage waits for nothing")
		s.tick()
	}
	// 0, 20 and 40 ms after the first, and those that came at the same time as its
	// due time, which is 60 ms.
	require.Eventually(t, func() bool { return len(ear.all()) >= 6 }, patience, time.Millisecond)
	for _, n := range ear.bundles {
		assert.LessOrEqual(t, n, 4)
	}
	s.flush()
	assert.Equal(t, own.payloads(), ear.payloads())
	assert.Less(t, len(ear.bundles), len(own.bundles))
}

func TestHoldCanChangeWhilePacketsAreHeld(t *testing.T) {
	s := newStage(t, Config{Slots: 1}, ShardsConfig{Count: 1})
	ear := s.ear(SubscribeOptions{Sections: 1})
	v := s.voice(1)
	heard := func(n int, why string) {
		t.Helper()
		require.Eventually(t, func() bool { return len(ear.all()) == n }, patience, time.Millisecond, why)
	}
	v.say("1", 30)
	heard(1, "nothing is held at first")
	s.router.SetHold(100 * time.Millisecond)
	v.say("2", 30) // the clock stands still, so this is held for ever
	v.say("3", 30)
	s.router.SetHold(200 * time.Millisecond)
	heard(3, "what was held leaves with the change")
	v.say("4", 30)
	s.clock.advance(150 * time.Millisecond)
	v.say("5", 30)
	s.router.SetHold(0)
	heard(5, "and when holding ends")
	v.say("6", 30)
	heard(6, "nothing is held any more")
	s.flush()
	assert.Equal(t, []string{"1", "2", "3", "4", "5", "6"}, ear.payloads())
	assert.Equal(t, []int{1, 2, 2, 1}, ear.bundles)
	assert.Zero(t, s.router.backlogged())
}

// Hold never takes the place of being old: what was held for a while and then waited
// for a shard is still heard.
func TestHeldPacketsAreNotOlderForIt(t *testing.T) {
	s := newStage(t, Config{Slots: 1, Hold: 200 * time.Millisecond, MaxAge: 100 * time.Millisecond}, ShardsConfig{Count: 1})
	ear := s.ear(SubscribeOptions{Sections: 1})
	v := s.voice(1)
	for i := range 12 {
		v.say(fmt.Sprint(i), 30)
		s.tick()
	}
	s.flush()
	assert.Len(t, ear.all(), 12)
	assert.Zero(t, s.router.Stats().Overflow)
}

// What an ear hears does not depend on what leaves together.
func TestBundlesChangeNothingOfWhatIsHeard(t *testing.T) {
	for seed := range uint64(30) {
		play := func(flushEach bool, hold time.Duration) [][]heard {
			r := rand.New(rand.NewPCG(seed, 1))
			s := newStage(t, Config{Slots: 2, Hold: hold}, ShardsConfig{Count: 1})
			var ears []*fakeEar
			var subs []*Subscription
			voices := []*voice{s.voice(1), s.voice(2), s.voice(3)}
			for range 300 {
				s.clock.advance(time.Millisecond) // no two frames come at once: their order would be open
				switch v := voices[r.IntN(3)]; r.IntN(12) {
				case 0:
					e := &fakeEar{}
					sub, err := s.router.Subscribe(e, SubscribeOptions{Sections: 1 + r.IntN(2), Owner: r.Uint32N(3)})
					require.NoError(t, err)
					ears, subs = append(ears, e), append(subs, sub)
				case 1:
					if len(subs) > 0 {
						subs[r.IntN(len(subs))].SetOwner(r.Uint32N(4))
					}
				case 2:
					v.lose()
				case 3:
					s.tick()
					for _, v := range voices {
						v.pause()
					}
				default:
					v.say(fmt.Sprint(r.IntN(1000)), uint8(20+r.IntN(60)))
				}
				if flushEach {
					s.flush()
				}
			}
			s.flush()
			var all [][]heard
			for _, e := range ears {
				list := e.all()
				for i := range list {
					f := *list[i].Frame
					list[i].Frame = &f
				}
				all = append(all, list)
			}
			s.router.Close()
			return all
		}
		require.Equal(t, play(true, 0), play(false, 0), "seed %d", seed)
		require.Equal(t, play(true, 0), play(false, 100*time.Millisecond), "seed %d, held", seed)
	}
}

// slowEar takes a while of the test's clock for each call.
type slowEar struct {
	fakeEar
	clock *clock
	takes time.Duration
}

func (e *slowEar) Send(b SendBatch, packets []Packet) int {
	e.clock.advance(e.takes)
	return e.fakeEar.Send(b, packets)
}

// A shard that was busy for a while gathers packets for as long: else it would take all
// of a machine that others need for what it sends. Who is on stage does not wait.
func TestBusyShardRestsForAsLong(t *testing.T) {
	for _, row := range []struct{ busy, rest time.Duration }{
		{10 * time.Millisecond, 10 * time.Millisecond}, {time.Second, maxRest},
	} {
		s := newStage(t, Config{Slots: 1}, ShardsConfig{Count: 1})
		ear := &slowEar{clock: s.clock, takes: row.busy}
		_, err := s.router.Subscribe(ear, SubscribeOptions{Sections: 1})
		require.NoError(t, err)
		own := s.ear(SubscribeOptions{Sections: 1, Owner: 9})
		v := s.voice(1)
		v.say("0", 30)
		require.Eventually(t, func() bool { return len(ear.all()) == 1 && s.router.backlogged() == 0 }, patience, time.Millisecond)
		v.say("1", 30)
		require.Eventually(t, func() bool { return len(own.all()) == 2 }, patience, time.Millisecond)
		s.clock.advance(row.rest - time.Microsecond)
		v.say("2", 30)
		require.Eventually(t, func() bool { return len(own.all()) == 3 }, patience, time.Millisecond)
		assert.Len(t, ear.all(), 1, "it rests")
		s.clock.advance(time.Microsecond)
		require.Eventually(t, func() bool { return len(ear.all()) == 3 }, patience, time.Millisecond)
		assert.Equal(t, []int{1, 2}, ear.bundles)
	}
}
