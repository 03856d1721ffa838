package cast

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/earshot-audio/earshot/loadgen/client"
	"github.com/earshot-audio/earshot/loadgen/driver"
	"github.com/earshot-audio/earshot/loadgen/ledger"
	"github.com/earshot-audio/earshot/loadgen/tally"
)

const (
	// reopenPause is how long a client waits on average before it offers again after a
	// refusal, at first; each time twice as long, up to longestPause, as the web page does.
	reopenPause  = 100 * time.Millisecond
	longestPause = time.Second
)

// An earState is what happened to the ears of a person. The person's lock guards it.
type earState struct {
	open bool // the server has not said that it is lost
	lost bool // it has, while another was being opened
	busy bool // another is being opened
	back bool // the person is coming back into the room
	// moving means that another ear is being opened while the present one is still heard.
	moving bool
	// another means that another ear than the first was asked for.
	another bool
	// dropped and unstamped are the losses of the ears before the present one.
	dropped, unstamped uint64
}

// The Reopenings of a run open the ears again that are lost. Any goroutine may add to them.
type Reopenings struct {
	mu      sync.Mutex
	ctx     context.Context // nil: before they begin, and after their end
	cancel  context.CancelFunc
	running sync.WaitGroup
}

// Begin lets ears be opened again until ctx is done, or End is called.
func (r *Reopenings) Begin(ctx context.Context) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.ctx, r.cancel = context.WithCancel(ctx)
}

// End ends them and waits for them. It may be called more than once.
func (r *Reopenings) End() {
	r.mu.Lock()
	if r.ctx != nil {
		r.cancel()
		r.ctx = nil
	}
	r.mu.Unlock()
	r.running.Wait()
}

// run runs one in a goroutine. It reports false if the run is over.
func (r *Reopenings) run(reopen func(context.Context)) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.ctx == nil || r.ctx.Err() != nil {
		return false
	}
	ctx := r.ctx
	r.running.Go(func() { reopen(ctx) })
	return true
}

// earOpened says that the person's first ear is connected.
func (p *person) earOpened() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.ear.open = true
}

// mediaClosed is called when the server has closed a media connection of the person's. A
// browser's page opens a lost ear again, and so does this.
func (p *person) mediaClosed(of driver.Media) {
	if of != driver.Ear || p.account == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.left:
	case p.ear.busy:
		p.ear.lost = true
	case p.ear.open:
		p.ear.open = false
		p.ear.busy = p.room.cast.Reopening.run(p.reopenEars)
	}
}

// reopenEars opens another ear, and again if that is lost meanwhile.
func (p *person) reopenEars(ctx context.Context) {
	for {
		p.reopenEar(ctx)
		p.mu.Lock()
		again := p.ear.lost && !p.left && ctx.Err() == nil
		p.ear.lost = false
		if !again {
			p.ear.busy, p.ear.open = false, true
			p.mu.Unlock()
			return
		}
		p.mu.Unlock()
	}
}

// reopenEar opens another ear in place of one that is lost, and records how long nothing was
// heard.
func (p *person) reopenEar(ctx context.Context) {
	trying, cancel := context.WithTimeout(ctx, actTimeout)
	defer cancel()
	var opened ledger.Reopening
	var err error
	for pauseFor := reopenPause; ; pauseFor = min(2*pauseFor, longestPause) {
		opened, err = p.offerAgain(trying)
		if err == nil || p.hasLeft() || !pauseAround(trying, pauseFor) {
			break
		}
	}
	p.enterReopening(ctx, trying, opened, err)
}

// enterReopening records how long nothing was heard until another ear was, or came to nothing. ctx is
// the run's, and trying limits the wait.
func (p *person) enterReopening(ctx, trying context.Context, opened ledger.Reopening, err error) {
	c := p.room.cast
	if err == nil {
		select {
		case <-opened.Heard():
		case <-trying.Done():
		}
	}
	if p.isGone() { // they are owed nothing more
		return
	}
	from, until, quiet := opened.Times(c.Clock.Now())
	took := tally.Interval{From: from, Until: until, Quiet: quiet, SentLate: p.room.ledger.SentLate(from, until)}
	switch {
	case ctx.Err() != nil && !opened.Over(): // the run is over: it might have succeeded
		took.Unfinished, took.Had = true, actTimeout
	case err != nil:
		took = c.failed(from, err)
		c.Problems.Add("open the lost ear again", err)
	}
	c.moderation.Reopened(took)
}

// offerAgain opens another ear in the place of the present one, which it closes when the server has replaced it: of one
// that is closed before the server says that it is lost.
func (p *person) offerAgain(ctx context.Context) (ledger.Reopening, error) {
	p.mu.Lock()
	old := p.subscriber
	p.subscriber = nil
	p.ear.another = p.ear.another || old != nil
	p.mu.Unlock()
	if old != nil {
		old.SetGate(client.Deaf)
	}
	opened := p.account.Reopen(p.room.cast.Clock.Now())
	_, err := p.connect(ctx, p.account.Receive)
	if old != nil {
		p.closeEar(old)
	}
	p.mu.Lock()
	late := p.subscriber
	if !p.left {
		late = nil
	}
	p.mu.Unlock()
	if late != nil { // who leaves closes what they had then
		err = errors.Join(err, late.Close())
	}
	return opened, err
}

// closeEar closes a client of the person's that another replaces.
func (p *person) closeEar(old client.Subscriber) {
	dropped, unstamped := old.Losses()
	p.mu.Lock()
	p.ear.dropped += dropped
	p.ear.unstamped += unstamped
	p.mu.Unlock()
	p.room.cast.Problems.Add("close a lost ear", old.Close())
}

// hasLeft reports whether the person has left.
func (p *person) hasLeft() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.left
}

// isGone reports whether the person has left, or is on their way out.
func (p *person) isGone() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.left || p.away
}

// pauseAround pauses for d on average, from half of it to half as long again, so that people who
// lost the same do not all come at once. It reports false as soon as ctx is done.
func pauseAround(ctx context.Context, d time.Duration) bool {
	return pause(ctx, time.Duration((0.5+rand.Float64())*float64(d)))
}
