package clock

import (
	"context"
	"math/rand/v2"
	"sync"
	"time"
)

// A world is two machines with a link between them, in the time of a synctest bubble.
// Ours asks theirs.
type world struct {
	began time.Time
	ours  face
	their face
	dice  *rand.Rand
	last  []byte // the last answer

	mu   sync.Mutex
	link link
}

// A face is what a simulated clock shows.
type face struct {
	skew time.Duration
	ppm  int64 // how much it is too fast
	// step is added from the moment stepped on; not before a step other than 0.
	step    time.Duration
	stepped time.Duration
	// off is how far its machine's wall clock is from UTC; within is how far it says at most. 0: not known.
	off, within time.Duration
}

func (f face) shows(at time.Duration) time.Duration {
	shown := f.skew + at + time.Duration(int64(at)*f.ppm/million)
	if f.step != 0 && at >= f.stepped {
		shown += f.step
	}
	return shown
}

// A link has its own delay for each way, and what else goes wrong there and at its ends.
type link struct {
	there, back time.Duration
	jitter      time.Duration // up to so much more, each way
	loss        float64       // of exchanges
	repeat      float64       // how often the last answer comes instead
	stopped     float64       // how often one of the two processes stands still
	stop        time.Duration // for up to how long
}

func newWorld(ours, their face, l link, seed uint64) *world {
	return &world{began: time.Now(), ours: ours, their: their, link: l, dice: rand.New(rand.NewPCG(seed, 1))}
}

// change gives the world another link from now on.
func (w *world) change(l link) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.link = l
}

func (w *world) linked() link {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.link
}

func (w *world) now() time.Duration { return time.Since(w.began) }

// between returns a time from 0 to most, but not most.
func (w *world) between(most time.Duration) time.Duration {
	return time.Duration(w.dice.Float64() * float64(most))
}

func (w *world) clock(f *face) Clock { return worldClock{w, f} }

type worldClock struct {
	w *world
	f *face
}

func (c worldClock) Now() time.Duration { return c.f.shows(c.w.now()) }

func (c worldClock) Zero() UTC {
	if c.f.within == 0 {
		return UTC{Within: -1}
	}
	utc := c.w.began.UnixNano() + int64(c.w.now())
	return UTC{At: utc + int64(c.f.off) - int64(c.Now()), Within: c.f.within}
}

// Ask is the link with theirs at its end.
func (w *world) Ask(ctx context.Context, question []byte) ([]byte, error) {
	l := w.linked()
	if w.dice.Float64() < l.repeat && w.last != nil {
		time.Sleep(w.between(time.Millisecond))
		return w.last, nil
	}
	time.Sleep(l.there + w.between(l.jitter))
	if w.dice.Float64() < l.loss {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	answer, err := Answer(question, held{w.clock(&w.their), w})
	if err != nil {
		return nil, err
	}
	w.last = answer
	time.Sleep(l.back + w.between(l.jitter) + w.hold())
	return answer, nil
}

// hold is how long a process stands still, which it does now and then.
func (w *world) hold() time.Duration {
	if l := w.linked(); w.dice.Float64() < l.stopped {
		return w.between(l.stop)
	}
	return 0
}

// held is a clock whose process may be held up while it is asked.
type held struct {
	Clock
	w *world
}

func (h held) Zero() UTC {
	time.Sleep(h.w.hold())
	return h.Clock.Zero()
}

// truth is how far theirs was ahead when it truly was some time.
func (w *world) truth(at time.Duration) time.Duration {
	return w.their.shows(at) - w.ours.shows(at)
}
