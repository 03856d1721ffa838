package fanout

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestHistoryForgetsOldPackets(t *testing.T) {
	var h history
	var none time.Time
	for i := range 100 {
		h.add(&Packet{Seq: uint16(65500 + i), Frame: &Frame{Arrived: none.Add(time.Duration(i))}})
	}
	newest := uint16(65599 & 0xffff)
	for back := range uint16(100) {
		p, ok := h.lookup(newest-back, none)
		require.Equal(t, back < historySize, ok, "%d ago", back)
		if ok {
			require.Equal(t, newest-back, p.Seq)
		}
	}
	_, ok := h.lookup(newest+1, none)
	assert.False(t, ok)
	_, ok = new(history).lookup(0, none)
	assert.False(t, ok)
	_, ok = h.lookup(newest-1, none.Add(99))
	assert.False(t, ok, "it came before")
	h.add(&Packet{Seq: newest - historySize, Frame: &Frame{}})
	_, ok = h.lookup(newest, none)
	assert.True(t, ok, "a late packet takes no newer one's place")
}

// rememberingEar holds what it may have again against what it was given.
type rememberingEar struct {
	t     *testing.T
	given map[[2]uint16]Packet
	// since is the first number of each section that the ear must be able to have
	// again, and again counts what it had.
	since map[int]uint16
	again int
}

func (e *rememberingEar) Send(_ SendBatch, packets []Packet) int {
	for _, p := range packets {
		e.take(p.Section, p)
	}
	return 0
}

func (e *rememberingEar) take(section int, p Packet) {
	if _, there := e.since[section]; !there {
		e.since[section] = p.Seq
	}
	kept := p
	kept.sub = nil
	e.given[[2]uint16{uint16(section), p.Seq}] = kept
	for other, since := range e.since {
		for back := range uint16(80) {
			seq := p.Seq - back
			was, given := e.given[[2]uint16{uint16(other), seq}]
			got, ok := p.Lookup(other, seq)
			if ok && given {
				e.again++
				assert.Equal(e.t, was, got, "section %d, %d", other, seq)
			}
			if other == section && given && back < historySize && int16(seq-since) >= 0 {
				assert.True(e.t, ok, "section %d, %d, %d ago", section, seq, back)
			}
			if given && int16(seq-since) < 0 {
				assert.False(e.t, ok, "section %d, %d is from before another mix", other, seq)
			}
		}
	}
}

func TestLookupReturnsPacketsExactlyAsTheyWereSent(t *testing.T) {
	for seed := range uint64(20) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			random := rand.New(rand.NewPCG(seed, 0))
			s := newStage(t, Config{Slots: 2}, ShardsConfig{Count: 1})
			ear := &rememberingEar{t: t, given: map[[2]uint16]Packet{}, since: map[int]uint16{}}
			sub, err := s.router.Subscribe(ear, SubscribeOptions{Sections: 2})
			require.NoError(t, err)
			mics := []*voice{s.voice(1), s.voice(2), s.voice(3)}
			owner := uint32(0)
			for range 15 {
				loudest := random.IntN(len(mics))
				for range 20 {
					for i, m := range mics {
						switch level := uint8(60); {
						case random.IntN(10) == 0:
							m.lose()
						case i == loudest:
							level = 10
							fallthrough
						default:
							m.say(fmt.Sprint(i), level)
						}
					}
					s.flush() // what is a second old on the clock is not had again
					s.tick()
				}
				if to := random.Uint32N(4); to != owner {
					owner = to
					sub.SetOwner(to)
					s.flush()
					clear(ear.since) // what was before cannot be had
				}
			}
			assert.NotZero(t, ear.again)
		})
	}
}

func TestLookupFindsNothingOlderThanASecond(t *testing.T) {
	s := newStage(t, Config{Slots: 1}, ShardsConfig{Count: 1})
	var answers []bool
	ask := askingEar(func(p *Packet) {
		_, ok := p.Lookup(0, 0)
		answers = append(answers, ok)
	})
	_, err := s.router.Subscribe(ask, SubscribeOptions{Sections: 1})
	require.NoError(t, err)
	a := s.voice(1)
	for _, wait := range []time.Duration{0, retransmissionWindow, time.Nanosecond} {
		s.clock.advance(wait)
		a.say("x", 30)
		s.flush()
	}
	assert.Equal(t, []bool{true, true, false}, answers)
	_, ok := (&Packet{}).Lookup(0, 0)
	assert.False(t, ok, "a packet of nobody's")
}

// askingEar calls a function with each packet.
type askingEar func(p *Packet)

func (f askingEar) Send(_ SendBatch, packets []Packet) int {
	for i := range packets {
		f(&packets[i])
	}
	return 0
}
