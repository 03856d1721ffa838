package clock

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

const (
	// interval is how often the other machine is asked.
	interval = 200 * time.Millisecond
	// patience is how long an answer may take. While one is awaited no other is asked
	// for; one that takes this long proves next to nothing.
	patience = 2 * time.Second
)

// An Asker sends a question to the other machine, which answers it by [Answer], and
// returns the answer. It may lose questions and answers, repeat them and hold them up.
type Asker interface {
	Ask(ctx context.Context, question []byte) (answer []byte, err error)
}

// A Follower knows how far another machine's clock is ahead of this one's. It is safe for
// concurrent use. Its memory does not grow.
type Follower struct {
	asker Asker
	clock Clock
	stop  context.CancelFunc
	done  chan struct{}

	number uint64 // of the last question; for run alone

	mu       sync.Mutex
	estimate estimate
	refused  error // why the last question was not answered; nil: it was
}

// Follow begins to follow the clock of the machine that the asker asks, until the
// follower is closed.
func Follow(asker Asker, clock Clock) *Follower {
	ctx, stop := context.WithCancel(context.Background())
	f := &Follower{asker: asker, clock: clock, stop: stop, done: make(chan struct{})}
	go f.run(ctx)
	return f
}

// Close ends it and waits. What is known by then can still be asked.
func (f *Follower) Close() {
	f.stop()
	<-f.done
}

// At is how far the other machine's clock was ahead of this one's when this one showed t.
// It is most narrow for moments a second ago, with exchanges before and after them, and
// stays so for 10 s. The error says why the offset is not known. If that is because the
// clocks cannot be compared, it is so for good, and for all of the past.
func (f *Follower) At(t time.Duration) (Offset, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	o, err := f.estimate.at(t)
	if errors.Is(err, ErrUnknown) && f.refused != nil {
		err = fmt.Errorf("%w: %w", err, f.refused)
	}
	return o, err
}

func (f *Follower) run(ctx context.Context) {
	defer close(f.done)
	tick := time.NewTicker(interval)
	defer tick.Stop()
	for {
		x, err := f.exchange(ctx)
		if ctx.Err() != nil {
			return
		}
		f.book(x, err)
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// book takes what an exchange brought.
func (f *Follower) book(x exchange, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.refused = err
	switch {
	case f.estimate.broken != nil:
	case errors.Is(err, errContradiction):
		f.estimate.broken = err
	case err == nil:
		f.estimate.add(x)
	}
}

// errContradiction is that the two proofs of an exchange exclude one another.
var errContradiction = errors.New("clocks cannot be compared")

// exchange asks once.
func (f *Follower) exchange(ctx context.Context) (exchange, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	f.number++
	ours := f.clock.Zero() // before the question's time, because it takes a while
	begun := f.clock.Now()
	answer, err := f.asker.Ask(ctx, question(f.number))
	ended := f.clock.Now()
	if err != nil {
		return exchange{}, err
	}
	r, err := readAnswer(answer, f.number)
	if err != nil {
		return exchange{}, err
	}
	// When the other clock was read first, ours showed begun or more. When it was read
	// last, ours showed ended or less.
	x := exchange{begun, ended, Offset{Least: r.left - ended, Most: r.came - begun}}
	if !ours.known() || !r.zero.known() {
		return x, nil
	}
	byUTC := exchange{begun, ended, r.zero.ahead(ours)}
	if both := byUTC.at(ended).and(x.at(ended)); both.empty() {
		return exchange{}, fmt.Errorf("%w: the kernels say how far two machines' wall clocks are from UTC at most, "+
			"but by an exchange between them it is %v more; see what their NTP services say (chronyc tracking)", errContradiction, both.Least-both.Most)
	}
	x.Offset = x.and(byUTC.Offset)
	return x, nil
}
