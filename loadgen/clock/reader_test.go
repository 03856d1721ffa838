package clock

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"pgregory.net/rapid"
)

// A stamp is what our clock, put forward, showed at a moment, and what the other one showed.
type stamp struct {
	at, shown, truth time.Duration
}

// outside reports whether it is wrong by more than the bound that is said now, though it may be
// looked at still. A second of that is for clocks that do not run alike.
func (s stamp) outside(now, bound time.Duration) bool {
	return now-s.at <= StampedFor-time.Second && (s.shown-s.truth).Abs() > bound+2
}

// Whatever becomes of the link, a stamp is wrong by no more than what is said while it may be
// looked at.
func TestStampsAreWithinTheBoundOfLaterReadings(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rapid.Check(struct{ testing.TB }{t}, func(r *rapid.T) {
			between := func(name string, least, most time.Duration) time.Duration {
				return time.Duration(rapid.Int64Range(int64(least), int64(most)).Draw(r, name))
			}
			network := func(name string) link {
				return link{there: between(name+", there", 0, 30*ms), back: between(name+", back", 0, 30*ms), jitter: between(name+", jitter", 0, 10*ms)}
			}
			links := []link{network("first"), network("second")}
			w := newWorld(face{skew: between("skew", -250*ms, 250*ms), ppm: rapid.Int64Range(-99, 99).Draw(r, "ppm of ours")},
				face{ppm: rapid.Int64Range(-100, 100).Draw(r, "ppm of theirs")}, links[0], rapid.Uint64().Draw(r, "seed"))
			held := between("held up now and then for", 0, 2*time.Second)
			ours := w.clock(&w.ours)
			f := Follow(w, ours)
			defer f.Close()
			reader := NewReader(f, ours.Now)
			var stamps []stamp
			last, known := time.Duration(0), false
			for i := 0; w.now() < 45*time.Second; i++ {
				if i%60 == 59 {
					w.change(links[i/60%2])
				}
				ahead, bound, err := reader.Read()
				if err != nil {
					time.Sleep(50 * ms)
					continue
				}
				if known && (ahead-last).Abs() > maxTurn {
					r.Fatalf("the clock was turned by %v", ahead-last)
				}
				last, known = ahead, true
				for _, s := range stamps {
					if s.outside(w.now(), bound) {
						r.Fatalf("a stamp was wrong by %v %v ago, and the bound is %v", s.shown-s.truth, w.now()-s.at, bound)
					}
				}
				next := w.now() + ReadEvery + time.Duration(i%20/19)*held
				for ; w.now() < next; time.Sleep(50 * ms) {
					stamps = append(stamps, stamp{w.now(), ours.Now() + ahead, w.their.shows(w.now())})
				}
			}
			assert.True(r, known)
			assert.Greater(r, len(stamps), 100)
		})
	})
}

// On a link that does not change it costs little.
func TestBoundOfReadingsIsHardlyWider(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(face{skew: 250 * ms}, face{ppm: 100}, link{there: 36 * time.Microsecond, back: 36 * time.Microsecond}, 1)
		ours := w.clock(&w.ours)
		f := Follow(w, ours)
		defer f.Close()
		reader := NewReader(f, ours.Now)
		for w.now() < 30*time.Second {
			time.Sleep(ReadEvery)
			_, bound, err := reader.Read()
			assert.NoError(t, err)
			assert.LessOrEqual(t, bound, 250*time.Microsecond)
		}
	})
}
