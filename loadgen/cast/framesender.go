package cast

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/earshot-audio/earshot/loadgen/client"
	"github.com/earshot-audio/earshot/loadgen/doubt"
	"github.com/earshot-audio/earshot/loadgen/ledger"
	"github.com/earshot-audio/earshot/loadgen/scenario"
	"github.com/earshot-audio/earshot/loadgen/tally"
	"github.com/earshot-audio/earshot/loadgen/timebase"
)

// inFlight is how many frames a mute or a leave may overtake: signaling takes another
// path to the server than media.
const inFlight = 3

// A frameSender sends a person's speech. One goroutine sends the frames of their clip,
// each on time or as soon as possible, and skips none. Close stops it and closes the
// publisher.
type frameSender struct {
	cast      *Cast
	publisher *client.Publisher
	// leaving is a publisher that goes on beside the one that has replaced it; nil: none.
	leaving *client.Publisher
	uplink  *tally.Uplink
	source  *ledger.Source
	turns   *scenario.Turns // nil: always speaks
	seed    int64
	group   int // how many people take turns
	number  int // which of them this is

	sequence  uint16
	timestamp uint32 // of bin 0

	// mu is held while a frame is recorded and sent, so that no frame follows a mute.
	// It guards the publisher, too.
	mu    sync.Mutex
	muted bool
	// ignoresMute sends frames that nobody should hear.
	ignoresMute bool
	// lateness is that of the last frame.
	lateness tally.Lateness

	stop context.CancelFunc
	done sync.WaitGroup
}

// openMic connects the person's publisher and starts sending. from is when the mic was to
// begin to open.
func (p *person) openMic(ctx context.Context, from time.Duration) error {
	u := p.room.cast.Uplinks.Add(from)
	err := p.connectMic(ctx, u)
	if err != nil {
		u.Failed(p.room.cast.Clock.Now(), err)
	}
	return err
}

func (p *person) connectMic(ctx context.Context, u *tally.Uplink) error {
	c := p.room.cast
	m, err := p.publish(ctx)
	if err != nil {
		return fmt.Errorf("open the mic: %w", err)
	}
	u.Opened(c.Clock.Now(), m.OwnWait())
	group := c.Scenario.Cast[p.group]
	source, err := p.room.addSource(p)
	if err != nil {
		return ownFault{errors.Join(err, m.Close())}
	}
	if p.account != nil {
		p.account.Speaks(source)
	}
	seed := rand.New(rand.NewPCG(uint64(c.Scenario.Seed), uint64(p.room.number)))
	t := &frameSender{
		cast: c, publisher: m, uplink: u, source: source, turns: group.Turns, seed: seed.Int64(),
		group: group.Count, number: p.number,
	}
	t.sequence, t.timestamp = firstNumbers()
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.left {
		return errors.Join(errLeftEarly, m.Close())
	}
	// The sender outlives the context in which it was started; Close ends it.
	sending, stop := context.WithCancel(context.WithoutCancel(ctx))
	t.stop = stop
	t.done.Go(func() { t.sendUntil(sending) })
	p.sender = t
	return nil
}

// An ownFault is an error that no server has to do with.
type ownFault struct{ error }

func (o ownFault) Unwrap() error { return o.error }

// firstNumbers are those of a mic's first packet: by chance (RFC 3550, section 5.1), and from the lower halves of their
// ranges. So time stamps begin anew after twelve hours at the soonest: widely used receivers (pion/interceptor) report
// that as jitter of minutes, and of a thousand mics one begins anew in each minute or two otherwise.
func firstNumbers() (sequence uint16, timestamp uint32) {
	return uint16(rand.Uint32() >> 17), rand.Uint32() >> 1
}

var errLeftEarly = errors.New("left before the mic was open")

// sendUntil sends frames until ctx is done.
func (t *frameSender) sendUntil(ctx context.Context) {
	c := t.cast
	last := timebase.Bin(-1)
	first := timebase.BinAt(c.Clock.Now()) + 1
	t.source.Decided(first)
	defer t.source.Decided(timebase.Never)
	for b := first; c.SleepUntil(ctx, t.source.Intended(b)); b++ {
		t.source.Decided(b)
		if t.turns != nil && !t.turns.Speaking(t.seed, t.group, t.number, int(b)) {
			continue
		}
		if t.source.Frame(b).Pause {
			continue
		}
		if t.sendBin(b, b != last+1) {
			last = b
		}
	}
}

// sendBin sends the frame of bin b, unless the mic is muted.
func (t *frameSender) sendBin(b timebase.Bin, first bool) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.muted {
		return false
	}
	intended := t.source.Intended(b)
	late := t.cast.Clock.Now() - intended
	t.cast.Health.RecordSend(late)
	if t.ignoresMute {
		t.source.SendIgnored(b, late)
	} else {
		t.source.Sending(b, late)
	}
	if err := t.publisher.Send(t.source.Frame(b), t.sequence, t.timestamp+uint32(b)*ledger.SamplesPerBin, first); err != nil && !t.ignoresMute {
		if _, lost := t.publisher.Lost(); !lost { // which is said once
			t.cast.Problems.Add("send", err)
		}
	}
	if t.leaving != nil { // its server may have ended it
		_ = t.leaving.Send(t.source.Frame(b), t.sequence, t.timestamp+uint32(b)*ledger.SamplesPerBin, first)
	}
	t.sequence++
	left := t.cast.Clock.Now() - intended
	t.lateness.Enter(late, left)
	if left >= doubt.LateLoss {
		t.publisher.SentLate()
	}
	t.source.Sent(b, left)
	return true
}

// mute stops or resumes sending. When muting, the last frames are not owed to anybody:
// the mute may reach the server before them.
func (t *frameSender) mute(muted bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.muted, t.ignoresMute = muted, false
	if muted {
		t.source.Withdraw(inFlight)
	} else {
		t.source.EndSilence()
	}
}

// ignoreMute starts or ends sending frames that nobody is owed.
func (t *frameSender) ignoreMute(ignore bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.ignoresMute = ignore
	if ignore {
		t.source.Withdraw(inFlight)
	}
}

// replace has the sender go on with another publisher, and returns the one that it had, which goes on beside it
// if it lingers. The caller drops that.
func (t *frameSender) replace(m *client.Publisher, lingers bool) (old *client.Publisher) {
	t.mu.Lock()
	defer t.mu.Unlock()
	old, t.publisher = t.publisher, m
	if lingers {
		t.leaving = old
	}
	return old
}

// ownWait is how much of the time until the publisher could send may have been its own doing.
func (t *frameSender) ownWait() time.Duration {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.publisher.OwnWait()
}

// drop closes a publisher that another has replaced.
func (t *frameSender) drop(old *client.Publisher) error {
	t.mu.Lock()
	if t.leaving == old {
		t.leaving = nil
	}
	t.mu.Unlock()
	return old.Close()
}

// mic returns the publisher.
func (t *frameSender) mic() *client.Publisher {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.publisher
}

// release enters what became of the mic, unless that is done already: from now on the server
// may end it. It is called before the client leaves, and before the server is told to.
func (t *frameSender) release() {
	t.mu.Lock()
	own := t.lateness.Jitter()
	t.mu.Unlock()
	now, m := t.cast.Clock.Now(), t.mic()
	t.uplink.Release(func() tally.Ending {
		e := tally.Ending{At: now, Reports: m.EndUpstream(), OwnJitter: own}
		e.LostAt, e.Lost = m.Lost()
		e.RTT, e.Checks = m.RTT()
		return e
	})
}

// Close stops sending and closes the publisher.
func (t *frameSender) Close() error {
	t.release()
	t.stop()
	t.done.Wait()
	t.source.Withdraw(inFlight)
	return t.mic().Close()
}
