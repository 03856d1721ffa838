package loadgen

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"

	"github.com/earshot-audio/earshot/loadgen/client"
	"github.com/earshot-audio/earshot/loadgen/driver"
	"github.com/earshot-audio/earshot/loadgen/measure"
	"github.com/earshot-audio/earshot/loadgen/scenario"
)

// overtaken is how many frames a mute or a leave, which take another path to
// the server, may overtake.
const overtaken = 3

// A talk is a person's time with an open mic. One goroutine sends the frames
// of the person's clip, each on time or as late as it comes, never skipped;
// Close stops it and closes the mic.
type talk struct {
	run    *run
	mic    *client.Publisher
	ledger *measure.Source
	turns  *scenario.Turns // nil: talks without a break
	seed   int64
	group  int // how many take turns
	number int // which of them this is

	sequence  uint16
	timestamp uint32 // of bin 0

	// mu is held while a frame is entered and sent, so that none follows a mute.
	mu    sync.Mutex
	muted bool
	// defiant: sends though it is not to be heard.
	defiant bool

	end  context.CancelFunc
	done sync.WaitGroup
}

// openMic publishes the person's mic and begins to talk.
func (p *person) openMic(ctx context.Context) error {
	r := p.hall.run
	m, err := r.studio.NewPublisher(p.link)
	if err != nil {
		return err
	}
	err = func() error {
		offer, err := m.Offer(ctx)
		if err != nil {
			return err
		}
		p.mu.Lock()
		visit := p.visit
		p.mu.Unlock()
		answer, err := visit.Publish(ctx, offer)
		if err != nil {
			return err
		}
		if err := m.Accept(answer); err != nil {
			return err
		}
		if err := lateCandidates(ctx, visit, driver.Mic, offer, answer, m.AddCandidate); err != nil {
			return err
		}
		return m.Wait(ctx)
	}()
	if err != nil {
		return errors.Join(fmt.Errorf("open the mic: %w", err), m.Close())
	}
	group := r.Scenario.Cast[p.group]
	files := r.clips[p.group]
	if len(files) == 0 {
		files = r.voices // a listener on stage speaks with the cast's voices
	}
	ledger, err := p.hall.newMic(files, p.number)
	if err != nil {
		return errors.Join(err, m.Close())
	}
	if p.account != nil {
		p.account.Speaks(ledger)
	}
	seed := rand.New(rand.NewPCG(uint64(r.Scenario.Seed), uint64(p.hall.number)))
	t := &talk{
		run: r, mic: m, ledger: ledger, turns: group.Turns, seed: seed.Int64(),
		group: group.Count, number: p.number,
		sequence: uint16(rand.Uint32() >> 17), timestamp: rand.Uint32(),
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.gone {
		return errors.Join(errLeft, m.Close())
	}
	// The mic outlives the context in which it was opened; Close ends it.
	talking, end := context.WithCancel(context.WithoutCancel(ctx))
	t.end = end
	t.done.Go(func() { t.send(talking) })
	p.talk = t
	return nil
}

var errLeft = errors.New("left before the mic was open")

// send sends until ctx is done.
func (t *talk) send(ctx context.Context) {
	r := t.run
	last := measure.Bin(-1)
	for b := measure.BinAt(r.clock.Now()) + 1; r.sleepUntil(ctx, t.ledger.Intended(b)); b++ {
		if t.turns != nil && !t.turns.Speaking(t.seed, t.group, t.number, int(b)) {
			continue
		}
		if t.sendBin(b, b != last+1) {
			last = b
		}
	}
}

// sendBin sends the frame of bin b, unless the mic is muted.
func (t *talk) sendBin(b measure.Bin, first bool) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.muted {
		return false
	}
	if t.defiant {
		t.ledger.SendIgnored(b)
	} else {
		t.ledger.Sending(b)
	}
	intended := t.ledger.Intended(b)
	late := t.run.clock.Now() - intended
	t.run.health.sent(late)
	t.run.tally.Sent(intended, late)
	if err := t.mic.Send(t.ledger.Frame(b), t.sequence, t.timestamp+uint32(b)*measure.SamplesPerBin, first); err != nil && !t.defiant {
		t.run.problems.add("send", err)
	}
	t.sequence++
	return true
}

// mute stops the sending, or takes it up again. After muting, the last frames
// are not owed: the server may have been told before it had them.
func (t *talk) mute(muted bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.muted, t.defiant = muted, false
	if muted {
		t.ledger.Withdraw(overtaken)
	} else {
		t.ledger.EndSilence()
	}
}

// defy goes on sending what nobody is owed any more, or ends that.
func (t *talk) defy(defiant bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.defiant = defiant
	if defiant {
		t.ledger.Withdraw(overtaken)
	}
}

// Close stops the sending and closes the mic.
func (t *talk) Close() error {
	t.end()
	t.done.Wait()
	t.ledger.Withdraw(overtaken)
	return t.mic.Close()
}
