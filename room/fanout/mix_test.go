package fanout

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// run lets voices talk for some frames, each at its level, 127 for nothing.
func (s *stage) run(frames int, levels map[*voice]uint8, order ...*voice) {
	for i := range frames {
		for _, v := range order {
			v.say(fmt.Sprint(v.mic.talker, "/", i), levels[v])
		}
		s.tick()
	}
}

func TestMixGivesAnEmptySlotAtTheFirstFrame(t *testing.T) {
	s := newStage(t, Config{Slots: 2})
	ear := s.ear(SubscribeOptions{Sections: 2})
	s.voice(1).say("a", 40)
	s.voice(2).say("b", Silence)
	s.flush()
	assert.Equal(t, []string{"a", "b"}, ear.payloads())
	assert.NotEqual(t, ear.all()[0].section, ear.all()[1].section)
	assert.Equal(t, []uint32{1, 2}, s.router.ActiveSpeakers())
}

func TestMixGivesASlotAwayAfterThreeSilentFrames(t *testing.T) {
	s := newStage(t, Config{Slots: 1})
	ear := s.ear(SubscribeOptions{Sections: 1})
	a, b := s.voice(1), s.voice(2)
	a.say("a", 40)
	for i := range 5 {
		s.tick()
		b.say(fmt.Sprint("b", i), 40)
	}
	s.flush()
	// 60 ms are not more than 60 ms: the fourth frame is the first to pass.
	assert.Equal(t, []string{"a", "b3", "b4"}, ear.payloads())
}

func TestMuteAndCloseFreeASlotAtOnce(t *testing.T) {
	s := newStage(t, Config{Slots: 1})
	ear := s.ear(SubscribeOptions{Sections: 1})
	a, b, c := s.voice(1), s.voice(2), s.voice(3)
	a.say("a", 20)
	s.router.Mute(1, true)
	b.say("b", 60)
	b.mic.Close()
	c.say("c", 90)
	s.flush()
	assert.Equal(t, []string{"a", "b", "c"}, ear.payloads())
	for i, p := range ear.all() {
		assert.Equal(t, ear.all()[0].Seq+uint16(i), p.Seq)
		assert.True(t, p.Marker, "each is the first of its hold")
	}
}

func TestMixTakesASlotFromATalkerOnlyForAMuchLouderMic(t *testing.T) {
	for _, row := range []struct {
		name          string
		holder, other uint8
		wins          bool
	}{
		{"as loud is not enough", 40, 40, false},
		{"five dB is not enough", 40, 35, false},
		{"seven dB is", 40, 33, true},
		{"a quieter one never is", 40, 60, false},
		{"nor is one that can hardly be heard, above silence", Silence, 95, false},
		{"a quiet voice takes the place of silence", Silence, 70, true},
	} {
		t.Run(row.name, func(t *testing.T) {
			s := newStage(t, Config{Slots: 1})
			ear := s.ear(SubscribeOptions{Sections: 1})
			a, b := s.voice(1), s.voice(2)
			s.run(100, map[*voice]uint8{a: row.holder, b: row.other}, a, b)
			s.flush()
			heard := ear.talkers()
			assert.Equal(t, row.wins, heard[2] > 0, "%v", heard)
			if row.wins {
				assert.GreaterOrEqual(t, heard[1], int(minHold/frameDuration), "the holder keeps it for 300 ms")
				assert.Greater(t, heard[2], 60)
			}
		})
	}
}

func TestMixOfOneSlotFollowsTheLoudestWithoutFlapping(t *testing.T) {
	s := newStage(t, Config{Slots: 3})
	one, three := s.ear(SubscribeOptions{Sections: 1}), s.ear(SubscribeOptions{Sections: 3})
	a, b := s.voice(1), s.voice(2)
	// Two people talk with the gaps of speech: 160 ms of sound, 100 ms of room
	// noise, out of step with each other. First a is the louder, then b.
	speech := func(frame, offset int, loud uint8) uint8 {
		if (frame+offset)%13 < 8 {
			return loud
		}
		return 75
	}
	const half = 500 // 10 s
	for i := range 2 * half {
		levelA, levelB := uint8(25), uint8(35)
		if i >= half {
			levelA, levelB = 35, 25
		}
		a.say("a", speech(i, 0, levelA))
		b.say("b", speech(i, 6, levelB))
		s.tick()
	}
	s.flush()
	heard := one.all()
	changes := 0
	for i := 1; i < len(heard); i++ {
		if heard[i].Talker != heard[i-1].Talker {
			changes++
		}
		require.Equal(t, heard[i-1].Seq+1, heard[i].Seq)
		require.Equal(t, heard[i-1].Timestamp+frameTicks, heard[i].Timestamp)
	}
	assert.Equal(t, 1, changes, "b takes over once, when it is the louder")
	assert.Equal(t, 2*half+1, len(heard), "a frame a tick, and in the tick of the change one of each")
	assert.Equal(t, uint32(1), heard[0].Talker)
	assert.Equal(t, uint32(2), heard[len(heard)-1].Talker)
	assert.Greater(t, one.talkers()[1], half-50)
	assert.Greater(t, one.talkers()[2], half-100)
	assert.Equal(t, map[uint32]int{1: 2 * half, 2: 2 * half}, three.talkers(), "with room for both, both are heard")
}

func TestMixKeepsATalkerAcrossPauses(t *testing.T) {
	s := newStage(t, Config{Slots: 3})
	ear := s.ear(SubscribeOptions{Sections: 3})
	a, b := s.voice(1), s.voice(2)
	b.say("b", 30)
	for i := range 50 {
		if i%25 < 5 {
			a.say("a", 30)
		} else {
			a.pause()
		}
		s.tick()
	}
	s.flush()
	var last *heard
	for _, p := range ear.all() {
		if p.Talker != 1 {
			continue
		}
		if last != nil {
			assert.Equal(t, last.section, p.section)
			assert.Equal(t, last.Seq+1, p.Seq, "silence is no loss")
		}
		last = &p
	}
	require.NotNil(t, last)
	assert.Equal(t, uint32(29*frameTicks), last.Timestamp, "media time ran on through the pause")
}

func TestUpstreamLossAndReorderingStayVisible(t *testing.T) {
	s := newStage(t, Config{Slots: 1})
	ear := s.ear(SubscribeOptions{Sections: 1})
	a := s.voice(1)
	a.say("0", 30)
	late := *a
	a.lose()
	a.say("2", 30)
	late.say("1", 30)
	a.lose()
	a.say("4", 30)
	s.flush()
	var seqs []int
	for _, p := range ear.all() {
		seqs = append(seqs, int(p.Seq))
		assert.Equal(t, uint32(p.Seq)*frameTicks, p.Timestamp)
	}
	assert.Equal(t, []string{"0", "2", "1", "4"}, ear.payloads())
	assert.Equal(t, []int{0, 2, 1, 4}, seqs)
}

func TestServerDropsLeaveNoGap(t *testing.T) {
	s := newStage(t, Config{Slots: 1})
	ear := s.ear(SubscribeOptions{Sections: 1})
	a := s.voice(1)
	a.say("before", 30)
	s.router.Mute(1, true)
	for range 50 {
		s.tick()
		a.say("secret", 30)
	}
	s.router.Mute(1, false)
	s.tick()
	a.say("after", 30)
	s.flush()
	require.Equal(t, []string{"before", "after"}, ear.payloads())
	got := ear.all()
	assert.Equal(t, got[0].Seq+1, got[1].Seq)
	assert.Equal(t, uint32(51*frameTicks), got[1].Timestamp-got[0].Timestamp)
	assert.True(t, got[1].Marker)
	assert.Equal(t, uint64(50), s.router.Stats().Muted)
}

func TestLoudnessRisesFastAndFallsSlowly(t *testing.T) {
	now := time.Unix(100, 0)
	var l loudness
	feed := func(level uint8, frames int) float64 {
		for range frames {
			now = now.Add(frameDuration)
			l.add(level, now)
		}
		return l.db
	}
	assert.Less(t, feed(20, 1), -80.0, "one frame is a click")
	assert.Greater(t, feed(20, 15), -26.0, "300 ms are a voice")
	assert.Greater(t, feed(Silence, 10), -30.0, "200 ms of silence are a gap between words")
	assert.Less(t, feed(Silence, 100), -60.0, "two seconds are an end")
	assert.InDelta(t, floor, feed(200, 1000), 0.001, "and it has a floor, whatever comes in")
}
