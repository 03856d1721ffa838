package fanout

import (
	"fmt"
	"testing"

	"pgregory.net/rapid"
)

// Whatever mics do, in every mix: no two mics in a slot at once and no mic in
// two, a slot's packets are numbered one by one where the mics lose nothing, and
// nobody is in their own mix or heard while muted.
func TestMixHoldsItsInvariants(t *testing.T) {
	const mics = 5
	for _, lossy := range []bool{false, true} {
		t.Run(fmt.Sprint("lossy ", lossy), func(t *testing.T) {
			rapid.Check(t, func(r *rapid.T) {
				s := newStage(t, Config{Slots: rapid.IntRange(1, 4).Draw(r, "slots")}, ShardsConfig{Count: 1})
				defer s.router.Close()
				ears := map[*fakeEar]SubscribeOptions{}
				for _, l := range []SubscribeOptions{{Sections: 1}, {Sections: 2}, {Sections: 4}, {Sections: 4, Owner: 1}, {Sections: 1, Owner: 2}} {
					ears[s.ear(l)] = l
				}
				var voices [mics]*voice
				muted := [mics]bool{}
				for i := range voices {
					voices[i] = s.voice(uint32(i + 1))
				}
				for range rapid.IntRange(1, 150).Draw(r, "steps") {
					i := rapid.IntRange(0, mics-1).Draw(r, "mic")
					step(r, s, voices[:], muted[:], i, lossy)
					checkMixes(r, s.router)
				}
				s.flush()
				for ear, l := range ears {
					checkHeard(r, ear, l, lossy)
				}
			})
		})
	}
}

// step lets one mic, or the room, do something at random.
func step(r *rapid.T, s *stage, voices []*voice, muted []bool, i int, lossy bool) {
	v := voices[i]
	switch what := rapid.IntRange(0, 19).Draw(r, "what"); {
	case what == 0:
		muted[i] = !muted[i]
		s.router.Mute(uint32(i+1), muted[i])
	case what == 1:
		v.mic.Close()
		voices[i] = s.voice(uint32(i + 1))
	case what == 2:
		v.mic.Restart()
		v.seq = rapid.Uint16().Draw(r, "seq")
	case what == 3 && lossy:
		v.lose()
	case what == 4 && lossy:
		late := *v
		back := rapid.IntRange(0, 70).Draw(r, "back")
		late.seq -= uint16(back)
		late.ts -= uint32(back * frameTicks)
		late.say("late", 30)
	case what < 9:
		s.tick()
		for _, v := range voices {
			v.pause()
		}
	default:
		text := "ok"
		if muted[i] {
			text = "secret"
		}
		v.say(text, rapid.SampledFrom([]uint8{10, 30, 50, 80, 110, 127}).Draw(r, "level"))
	}
}

func checkMixes(r *rapid.T, h *Router) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, x := range h.mixes {
		holders := map[*Publisher]bool{}
		for i := range x.slots {
			m := x.slots[i].holder
			switch {
			case m == nil:
				continue
			case holders[m]:
				r.Fatalf("talker %d is in two slots of a mix", m.talker)
			case m.gone, h.muted[m.talker]:
				r.Fatalf("talker %d has a slot, but is closed or muted", m.talker)
			case m.talker == x.key.excluded:
				r.Fatalf("talker %d is in their own mix", m.talker)
			}
			holders[m] = true
		}
	}
}

func checkHeard(r *rapid.T, ear *fakeEar, o SubscribeOptions, lossy bool) {
	for section := range o.Sections {
		seen := map[uint16]bool{}
		list := ear.in(section)
		for i, p := range list {
			if string(p.Payload) == "secret" {
				r.Fatalf("a muted mic was heard")
			}
			if o.Owner != 0 && p.Talker == o.Owner {
				r.Fatalf("talker %d hears themselves", p.Talker)
			}
			if seen[p.Seq] {
				r.Fatalf("number %d of section %d stands twice", p.Seq, section)
			}
			seen[p.Seq] = true
			if i == 0 {
				continue
			}
			before := list[i-1]
			switch step := int16(p.Seq - before.Seq); {
			case !lossy && step != 1:
				r.Fatalf("section %d goes from %d to %d, and nothing was lost", section, before.Seq, p.Seq)
			case p.Talker != before.Talker && step < 1:
				r.Fatalf("talker %d is placed before the end of talker %d", p.Talker, before.Talker)
			case step == 1 && int32(p.Timestamp-before.Timestamp) < frameTicks:
				r.Fatalf("section %d: the timestamp goes from %d to %d", section, before.Timestamp, p.Timestamp)
			}
		}
	}
}
