package clock

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

const ms = time.Millisecond

// follow runs a world for so long, and calls check every 100 ms.
func follow(w *world, long time.Duration, check func(f *Follower, now time.Duration)) {
	f := Follow(w, w.clock(&w.ours))
	defer f.Close()
	for w.now() < long {
		time.Sleep(100 * ms)
		check(f, w.now())
	}
}

// errorOf is by how much the truth is outside of what is known of the moment: 0 within.
// Shown times are whole nanoseconds, so that is what may be lost to rounding.
func errorOf(w *world, f *Follower, at time.Duration) (time.Duration, Offset, error) {
	o, err := f.At(w.ours.shows(at))
	truth := w.truth(at)
	outside := max(o.Least-truth-2, truth-o.Most-2, 0)
	return outside, o, err
}

// Whatever the skew, the drift, the link and what the scheduler does to the processes:
// what is said to be so is so, of the present and of the past.
func TestOffsetIsWithinItsBound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rapid.Check(struct{ testing.TB }{t}, func(r *rapid.T) { // a bubble has no deadline
			spread := func(name string, most time.Duration) time.Duration {
				return time.Duration(rapid.Int64Range(0, int64(most)).Draw(r, name))
			}
			share := rapid.Float64Range(0, 0.3)
			ours := face{
				skew: time.Duration(rapid.Int64Range(-int64(250*ms), int64(250*ms)).Draw(r, "skew")),
				ppm:  rapid.Int64Range(-99, 99).Draw(r, "ppm of ours"),
				off:  time.Duration(rapid.Int64Range(-int64(5*ms), int64(5*ms)).Draw(r, "ours from UTC")),
			}
			their := face{
				ppm: rapid.Int64Range(-100, 100).Draw(r, "ppm of theirs"),
				off: time.Duration(rapid.Int64Range(-int64(5*ms), int64(5*ms)).Draw(r, "theirs from UTC")),
			}
			if rapid.Bool().Draw(r, "the kernels know") {
				ours.within, their.within = ours.off.Abs()+2*ms, their.off.Abs()+3*ms
			}
			l := link{
				there: spread("there", 50*ms), back: spread("back", 50*ms), jitter: spread("jitter", 30*ms),
				loss: share.Draw(r, "loss"), repeat: share.Draw(r, "repeat"),
				stopped: share.Draw(r, "stopped"), stop: spread("stop", 4*time.Second),
			}
			w := newWorld(ours, their, l, rapid.Uint64().Draw(r, "seed"))
			known := 0
			follow(w, time.Minute, func(f *Follower, now time.Duration) {
				for _, ago := range []time.Duration{0, 150 * ms, time.Second, 9 * time.Second} {
					if ago > now {
						continue
					}
					outside, o, err := errorOf(w, f, now-ago)
					if err != nil {
						assert.ErrorIs(r, err, ErrUnknown)
						continue
					}
					known++
					assert.Zero(r, outside, "%v ago at %v: %v is outside of %v", ago, now, w.truth(now-ago), o)
				}
			})
			assert.Greater(r, known, 100, "it is known most of the time")
		})
	})
}

func TestBound(t *testing.T) {
	for _, c := range []struct {
		name        string
		ours, their face
		link        link
		error       [2]time.Duration // the middle is wrong by so much: least and most
		bound       [2]time.Duration
	}{
		{"on one switch it is half of the round trip, and little for drift",
			face{skew: -250 * ms}, face{ppm: 100}, link{there: 36 * time.Microsecond, back: 36 * time.Microsecond},
			[2]time.Duration{0, 25 * time.Microsecond}, [2]time.Duration{36 * time.Microsecond, 80 * time.Microsecond}},
		{"clocks that are alike may not be for all that is known",
			face{}, face{}, link{there: 36 * time.Microsecond, back: 36 * time.Microsecond},
			[2]time.Duration{0, 0}, [2]time.Duration{36 * time.Microsecond, 80 * time.Microsecond}},
		{"an asymmetry of 20 ms is an error of 10, and the bound covers it",
			face{skew: 250 * ms}, face{ppm: -100}, link{there: 20*ms + 100*time.Microsecond, back: 100 * time.Microsecond},
			[2]time.Duration{10*ms - 50*time.Microsecond, 10*ms + 50*time.Microsecond}, [2]time.Duration{10 * ms, 10*ms + 150*time.Microsecond}},
		{"and the other way round",
			face{skew: 250 * ms}, face{ppm: -100}, link{there: 100 * time.Microsecond, back: 20*ms + 100*time.Microsecond},
			[2]time.Duration{10*ms - 50*time.Microsecond, 10*ms + 50*time.Microsecond}, [2]time.Duration{10 * ms, 10*ms + 150*time.Microsecond}},
		{"kernels that know UTC better than a slow link tells are heard",
			face{skew: 250 * ms, off: ms, within: 2 * ms}, face{off: -ms, within: 2 * ms}, link{there: 60 * ms, back: 10 * ms},
			[2]time.Duration{0, 4 * ms}, [2]time.Duration{ms, 4*ms + 100*time.Microsecond}},
		{"one alone is not",
			face{skew: 250 * ms, off: ms, within: 2 * ms}, face{}, link{there: 20 * ms, back: 20 * ms},
			[2]time.Duration{0, 100 * time.Microsecond}, [2]time.Duration{20 * ms, 20*ms + 100*time.Microsecond}},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(c.ours, c.their, c.link, 1)
				follow(w, 30*time.Second, func(f *Follower, now time.Duration) {
					if now < time.Second {
						return
					}
					outside, o, err := errorOf(w, f, now)
					require.NoError(t, err)
					require.Zero(t, outside, "%v is outside of %v", w.truth(now), o)
					wrong := (o.Middle() - w.truth(now)).Abs()
					assert.GreaterOrEqual(t, wrong, c.error[0])
					assert.LessOrEqual(t, wrong, c.error[1])
					assert.GreaterOrEqual(t, o.Bound(), c.bound[0])
					assert.LessOrEqual(t, o.Bound(), c.bound[1])
				})
			})
		})
	}
}

func TestBrokenClocksHaveNoOffset(t *testing.T) {
	fast := link{there: ms, back: ms}
	for _, c := range []struct {
		name        string
		ours, their face
		link        link
		within      time.Duration // it is known after 10 s and so long
		says        string
	}{
		{"theirs is stepped forward", face{}, face{step: 5 * ms, stepped: 10 * time.Second}, fast, time.Second, "moved against each other by"},
		{"theirs is stepped back", face{}, face{step: -5 * ms, stepped: 10 * time.Second}, fast, time.Second, "moved against each other by"},
		{"ours is stepped forward", face{step: 5 * ms, stepped: 10 * time.Second}, face{}, fast, time.Second, "moved against each other by"},
		{"ours stands still for a second", face{step: -time.Second, stepped: 10 * time.Second}, face{}, fast, time.Second, "moved against each other by"},
		{"theirs is 300 ppm fast", face{}, face{ppm: 300}, fast, 15 * time.Second, "moved against each other by"},
		{"theirs is 300 ppm slow", face{}, face{ppm: -300}, fast, 15 * time.Second, "moved against each other by"},
		{"theirs is 210 ppm fast, which takes longer to see", face{}, face{ppm: 210}, fast, 200 * time.Second, "moved against each other by"},
		{"both are within a bound of UTC that is not true", face{off: 5 * ms, within: ms}, face{within: ms}, fast, 0, "chronyc"},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(c.ours, c.their, c.link, 1)
				broken := false
				follow(w, 10*time.Second+c.within+time.Second, func(f *Follower, now time.Duration) {
					outside, o, err := errorOf(w, f, now)
					if err == nil && now < w.their.stepped+w.ours.stepped {
						require.Zero(t, outside, "%v is outside of %v", w.truth(now), o)
					}
					require.False(t, broken && err == nil, "it is broken for good")
					if err != nil {
						broken = true
						assert.ErrorContains(t, err, c.says)
						assert.NotErrorIs(t, err, ErrUnknown)
					}
				})
				assert.True(t, broken)
			})
		})
	}
}

// While the link is slow a step can hide in its round trips, but not for longer.
func TestStepIsSeenHoweverLongItWasHidden(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(face{}, face{step: 9 * ms, stepped: 12 * time.Second}, link{there: ms, back: ms}, 1)
		follow(w, 40*time.Second, func(f *Follower, now time.Duration) {
			if now > 10*time.Second && now < 35*time.Second {
				w.change(link{there: 30 * ms, back: 30 * ms})
			} else {
				w.change(link{there: ms, back: ms})
			}
			if _, err := f.At(w.ours.shows(now)); now > 36*time.Second {
				assert.ErrorContains(t, err, "moved against each other")
			}
		})
	})
}

func TestSilenceIsNotAnOffset(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(face{}, face{skew: 250 * ms, ppm: 100}, link{there: ms, back: ms}, 1)
		follow(w, 2*time.Minute, func(f *Follower, now time.Duration) {
			l := link{there: ms, back: ms}
			if now > 30*time.Second && now < time.Minute {
				l.loss = 1
			}
			w.change(l)
			outside, o, err := errorOf(w, f, now)
			if now > 44*time.Second && now < time.Minute {
				require.ErrorIs(t, err, ErrUnknown)
				require.ErrorContains(t, err, "deadline exceeded", "it says why")
			} else if now > ms && now < 39*time.Second || now > 63*time.Second {
				require.NoError(t, err)
			}
			if err == nil {
				require.Zero(t, outside)
				require.LessOrEqual(t, o.Bound(), 2*ms+drift(10*time.Second), "it grows while nothing is heard, and no further")
			}
		})
	})
}

func TestFollowerKeepsWhatItKnowsWhenItIsClosed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(face{}, face{skew: 250 * ms}, link{there: ms, back: ms}, 1)
		f := Follow(w, w.clock(&w.ours))
		time.Sleep(time.Second)
		f.Close()
		o, err := f.At(500 * ms)
		require.NoError(t, err)
		assert.InDelta(t, 250*ms, o.Middle(), float64(ms))
	})
}

func TestMemoryDoesNotGrow(t *testing.T) {
	var e estimate
	at := time.Duration(0)
	assert.Zero(t, testing.AllocsPerRun(10*kept, func() {
		e.add(exchange{at, at + ms, Offset{-ms, ms}})
		at += interval
		if _, err := e.at(at); err != nil {
			t.Error(err)
		}
	}))
}

func TestDrift(t *testing.T) {
	assert.Equal(t, 200*time.Microsecond, drift(time.Second))
	assert.Equal(t, time.Duration(1), drift(1), "it is rounded up")
	assert.Equal(t, time.Duration(201), drift(million+1))
	assert.Zero(t, drift(0))
}

// What is no answer proves nothing, and does no harm.
func TestAnswersThatAreNone(t *testing.T) {
	clock := worldClock{newWorld(face{}, face{}, link{}, 1), &face{within: ms}}
	good, err := Answer(question(7), clock)
	require.NoError(t, err)
	_, err = readAnswer(good, 7)
	require.NoError(t, err)
	_, err = readAnswer(good, 8)
	require.ErrorIs(t, err, errOther)
	_, err = Answer([]byte("?"), clock)
	require.ErrorContains(t, err, "another build")
	rapid.Check(t, func(r *rapid.T) {
		answer := rapid.SliceOfN(rapid.Byte(), 0, 50).Draw(r, "answer")
		if rapid.Bool().Draw(r, "of the right length") {
			answer = append(question(7), rapid.SliceOfN(rapid.Byte(), 32, 32).Draw(r, "fields")...)
		}
		reply, err := readAnswer(answer, 7)
		if err != nil {
			return
		}
		x := exchange{0, time.Second, Offset{reply.left - time.Second, reply.came}}
		for _, o := range []Offset{x.Offset, x.at(time.Hour)} {
			assert.LessOrEqual(r, o.Least.Abs(), time.Duration(far)+time.Minute, "nothing overflows")
			assert.LessOrEqual(r, o.Most.Abs(), time.Duration(far)+time.Minute)
		}
		if reply.zero.known() {
			o := reply.zero.ahead(UTC{At: 1800000000e9, Within: time.Second})
			assert.LessOrEqual(r, o.Least, o.Most)
		}
	})
}

type refusing struct{}

func (refusing) Error() string { return "no" }

func TestContradictionIsForGood(t *testing.T) {
	f := &Follower{}
	f.book(exchange{}, refusing{})
	_, err := f.At(0)
	require.ErrorIs(t, err, ErrUnknown)
	require.True(t, errors.As(err, new(refusing)))
	f.book(exchange{}, errContradiction)
	f.book(exchange{0, ms, Offset{0, ms}}, nil)
	_, err = f.At(0)
	require.ErrorIs(t, err, errContradiction)
}
