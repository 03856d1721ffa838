package neteq

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"pgregory.net/rapid"
)

const millisecond = time.Millisecond

// arrival is one frame on its way.
type arrival struct {
	frame int64
	at    time.Duration
}

// stream is n frames, each of which arrives after its delay; a negative delay is a
// loss.
func stream(n int64, delay func(frame int64) time.Duration) (all []arrival) {
	for f := range n {
		if d := delay(f); d >= 0 {
			all = append(all, arrival{f, time.Duration(f)*FrameLength + d})
		}
	}
	return all
}

// played feeds a buffer what arrives, in the order of arrival.
func played(all []arrival) Stats {
	var b Buffer
	feed(&b, all)
	return b.Stats()
}

func feed(b *Buffer, all []arrival) {
	var end time.Duration
	for len(all) > 0 {
		first := 0
		for i, a := range all {
			if a.at < all[first].at {
				first = i
			}
			if a.at > all[first].at+2*time.Second {
				break
			}
		}
		b.Arrive(all[first].frame, all[first].at)
		end = all[first].at
		all = append(all[:first:first], all[first+1:]...)
	}
	b.Advance(end)
	b.End()
}

// A reduction of libwebrtc's decision logic conceals 170 ms of the step and 200 ms
// of the ramp: a buffer that grows with the delay conceals a step once, and little
// of a ramp.
func TestBufferConcealment(t *testing.T) {
	random := func(seed uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, 1)) }
	loss, jitter := random(1), random(2)
	for _, c := range []struct {
		sentence    string
		delay       func(frame int64) time.Duration
		least, most time.Duration
	}{
		{"a steady stream conceals nothing", func(int64) time.Duration { return 20 * millisecond }, 0, 0},
		{"a step of 200 ms is concealed once, less what was buffered", func(f int64) time.Duration {
			if f >= 500 {
				return 220 * millisecond
			}
			return 20 * millisecond
		}, 140 * millisecond, 200 * millisecond},
		{"a step down is played faster, without concealment", func(f int64) time.Duration {
			if f < 500 {
				return 220 * millisecond
			}
			return 20 * millisecond
		}, 0, 20 * millisecond},
		{"a ramp of 300 ms over 3 s is mostly stretched", func(f int64) time.Duration {
			return 20*millisecond + time.Duration(min(max(f-500, 0), 150))*2*millisecond
		}, 160 * millisecond, 240 * millisecond},
		{"a tenth lost at random is a tenth concealed", func(int64) time.Duration {
			if loss.Float64() < 0.1 {
				return -1
			}
			return 20 * millisecond
		}, 1700 * millisecond, 2300 * millisecond},
		{"jitter within the buffer is not heard", func(int64) time.Duration {
			return time.Duration(jitter.IntN(15)) * millisecond
		}, 0, 40 * millisecond},
	} {
		t.Run(c.sentence, func(t *testing.T) {
			s := played(stream(1000, c.delay))
			t.Logf("%+v", s)
			assert.GreaterOrEqual(t, s.Concealed, c.least)
			assert.LessOrEqual(t, s.Concealed, c.most)
		})
	}
}

func TestBufferDelayConvergesToTheTarget(t *testing.T) {
	var b Buffer
	feed(&b, stream(1500, func(int64) time.Duration { return 30 * millisecond }))
	assert.Equal(t, bucketLength, b.Target(), "a steady stream needs one bucket")
	mean := b.Stats().Delay / time.Duration(b.Stats().Played)
	assert.Less(t, mean, 130*millisecond)
	assert.Greater(t, mean, 30*millisecond)
}

func TestBufferPlaysALateFrameThatIsStillExpected(t *testing.T) {
	var b Buffer
	feed(&b, stream(200, func(f int64) time.Duration {
		if f >= 100 && f < 120 {
			return time.Duration(420-20*(f-100)) * millisecond // held up, then all at once
		}
		return 20 * millisecond
	}))
	s := b.Stats()
	assert.Zero(t, s.Late)
	assert.GreaterOrEqual(t, s.Played, uint64(175), "all but what is still in the buffer")
	assert.EqualValues(t, 1, s.Gaps)
}

func TestBufferDropsAFrameWhosePlaceHasPassed(t *testing.T) {
	s := played(stream(300, func(f int64) time.Duration {
		if f == 150 {
			return 600 * millisecond
		}
		return 20 * millisecond
	}))
	assert.EqualValues(t, 1, s.Late)
	assert.GreaterOrEqual(t, s.Played, uint64(295))
	assert.EqualValues(t, 1, s.Runs)
	assert.Zero(t, s.Gaps)
}

type schedule func(frame int64) bool

func (s schedule) Due(frame int64) bool { return s(frame) }
func (schedule) Passed(int64, Stats)    {}

func TestBufferSilenceOfTheTalkerIsNotConcealment(t *testing.T) {
	due := func(f int64) bool { return f < 100 || f >= 1000 }
	b := Buffer{Schedule: schedule(due)}
	feed(&b, stream(1100, func(f int64) time.Duration {
		if !due(f) {
			return -1
		}
		return 20 * millisecond
	}))
	s := b.Stats()
	assert.GreaterOrEqual(t, s.Played, uint64(195))
	assert.LessOrEqual(t, s.Concealed, 20*millisecond)
	assert.Zero(t, s.Gaps)
}

func TestBufferBurstOfLossIsAGap(t *testing.T) {
	s := played(stream(400, func(f int64) time.Duration {
		if f >= 200 && f < 205 {
			return -1
		}
		return 20 * millisecond
	}))
	assert.EqualValues(t, 1, s.Runs)
	assert.EqualValues(t, 1, s.Gaps)
	assert.InDelta(t, 100, s.Concealed.Milliseconds(), 20)
}

func TestBufferReorderedFramesRaiseTheTargetOnlyWhenTheyAreMany(t *testing.T) {
	swapped := func(every int64) *Buffer {
		b := &Buffer{}
		feed(b, stream(2000, func(f int64) time.Duration {
			if f%every == 0 {
				return 110 * millisecond
			}
			return 20 * millisecond
		}))
		return b
	}
	assert.Equal(t, bucketLength, swapped(500).Target(), "a loss of 0.2 % is cheaper than delay")
	assert.Greater(t, swapped(10).Target(), 80*millisecond, "a loss of 10 % is not")
}

// Whatever arrives: each frame is played at most once, and what is played or late
// arrived.
func TestBufferProperties(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		var b Buffer
		var at time.Duration
		arrived := map[int64]bool{}
		n := uint64(0)
		frame := rapid.Int64Range(0, 2000).Draw(rt, "first")
		for range rapid.IntRange(1, 300).Draw(rt, "frames") {
			at += time.Duration(rapid.IntRange(0, 80).Draw(rt, "pause")) * millisecond
			frame = max(0, frame+rapid.Int64Range(-5, 9).Draw(rt, "step"))
			if rapid.IntRange(0, 60).Draw(rt, "jump") == 0 {
				frame += rapid.Int64Range(0, 3000).Draw(rt, "leap")
			}
			b.Arrive(frame, at)
			arrived[frame] = true
			n++
			assert.GreaterOrEqual(rt, b.count, 0)
			assert.LessOrEqual(rt, b.Target(), buckets*bucketLength)
		}
		b.Advance(at + 20*time.Second)
		b.End()
		s := b.Stats()
		assert.LessOrEqual(rt, s.Played+s.Late, n)
		assert.LessOrEqual(rt, s.Played, uint64(len(arrived)))
		assert.LessOrEqual(rt, s.Gaps, s.Runs)
		assert.GreaterOrEqual(rt, s.Concealed, time.Duration(s.Runs)*tick)
	})
}

func BenchmarkBuffer(b *testing.B) {
	var buffer Buffer
	for i := range int64(b.N) {
		buffer.Arrive(i, time.Duration(i)*FrameLength+time.Duration(i%7)*millisecond)
	}
}

func TestBufferPlaysCopiesOfLostFrames(t *testing.T) {
	lost := func(f int64) bool { return f >= 100 && f%7 == 0 }
	for _, c := range []struct {
		name      string
		delay     func(f int64) time.Duration
		copies    func(f int64) bool // whether frame f holds one
		concealed time.Duration
		played    uint64 // from copies
	}{
		{"each frame has one", func(f int64) time.Duration {
			if lost(f) {
				return -1
			}
			return 0
		}, func(int64) bool { return true }, 0, 129},
		{"none has", func(f int64) time.Duration {
			if lost(f) {
				return -1
			}
			return 0
		}, func(int64) bool { return false }, 129 * FrameLength, 0},
		{"two in a row are lost, of which the second has a copy", func(f int64) time.Duration {
			if f == 500 || f == 501 {
				return -1
			}
			return 0
		}, func(int64) bool { return true }, FrameLength, 1},
		{"the frame comes after its copy", func(f int64) time.Duration {
			if f == 500 {
				return 30 * millisecond
			}
			return 0
		}, func(int64) bool { return true }, 0, 0},
		{"nothing is lost", func(int64) time.Duration { return 0 }, func(int64) bool { return true }, 0, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			var b Buffer
			all := stream(1000, c.delay)
			for len(all) > 0 {
				first := 0
				if len(all) > 1 && all[1].at < all[0].at {
					first = 1
				}
				a := all[first]
				b.Arrive(a.frame, a.at)
				if c.copies(a.frame) {
					b.ArriveCopy(a.frame-1, false)
				}
				b.Advance(a.at)
				all = append(all[:first:first], all[first+1:]...)
			}
			s := b.Stats()
			assert.InDelta(t, c.concealed, s.Concealed, float64(4*FrameLength))
			assert.InDelta(t, c.played, s.Copies, 2)
		})
	}
}

// A packet that is lost is concealed, and after 100 ms of concealment NetEQ waits for half of its
// target delay before it plays on. loadgen/ledger relies on that: with a target of up to 200 ms
// a packet costs no more than five frames besides its own.
func TestBufferConcealsFewFramesForOneMissingPacket(t *testing.T) {
	for seed := range uint64(150) {
		chance := rand.New(rand.NewPCG(seed, 3))
		loss, jitter := []float64{0, 0.01, 0.05, 0.3}[chance.IntN(4)], []int64{1, 5, 20, 80}[chance.IntN(4)]
		all := stream(400, func(int64) time.Duration {
			if chance.Float64() < loss {
				return -1
			}
			return 20*millisecond + time.Duration(chance.Int64N(jitter*int64(millisecond)))
		})
		missing := chance.IntN(len(all))
		var with, without Buffer
		feed(&without, append(append([]arrival{}, all[:missing]...), all[missing+1:]...))
		feed(&with, all)
		if without.Target() <= 200*millisecond {
			assert.LessOrEqual(t, without.Stats().Concealed-with.Stats().Concealed, 6*FrameLength, "seed %d", seed)
		}
	}
}
