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
const inFlight = 3

// A talk is a person's time with an open mic. One goroutine sends the frames
// of the person's clip, each on time or as late as it comes, never skipped;
// Close stops it and closes the mic.
type frameSender struct {
	run       *run
	publisher *client.Publisher
	source    *measure.Source
	turns     *scenario.Turns // nil: talks without a break
	seed      int64
	group     int // how many take turns
	number    int // which of them this is

	sequence  uint16
	timestamp uint32 // of bin 0

	// mu is held while a frame is entered and sent, so that none follows a mute.
	mu    sync.Mutex
	muted bool
	// defiant: sends though it is not to be heard.
	ignoresMute bool

	stop context.CancelFunc
	done sync.WaitGroup
}

// openMic publishes the person's mic and begins to talk.
func (p *person) openMic(ctx context.Context) error {
	r := p.room.run
	m, err := r.clients.pion.NewPublisher(p.impairment)
	if err != nil {
		return err
	}
	err = func() error {
		offer, err := m.Offer(ctx)
		if err != nil {
			return err
		}
		p.mu.Lock()
		visit := p.participant
		p.mu.Unlock()
		answer, err := visit.Publish(ctx, offer)
		if err != nil {
			return err
		}
		if err := m.Accept(answer); err != nil {
			return err
		}
		if err := p.trickleCandidates(ctx, visit, driver.Mic, offer, answer, m.AddCandidate); err != nil {
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
		files = r.allClips // a listener on stage speaks with the cast's voices
	}
	ledger, err := p.room.addSource(files, p.number)
	if err != nil {
		return errors.Join(err, m.Close())
	}
	if p.account != nil {
		p.account.Speaks(ledger)
	}
	seed := rand.New(rand.NewPCG(uint64(r.Scenario.Seed), uint64(p.room.number)))
	t := &frameSender{
		run: r, publisher: m, source: ledger, turns: group.Turns, seed: seed.Int64(),
		group: group.Count, number: p.number,
		sequence: uint16(rand.Uint32() >> 17), timestamp: rand.Uint32(),
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.left {
		return errors.Join(errLeftEarly, m.Close())
	}
	// The mic outlives the context in which it was opened; Close ends it.
	talking, end := context.WithCancel(context.WithoutCancel(ctx))
	t.stop = end
	t.done.Go(func() { t.sendUntil(talking) })
	p.sender = t
	return nil
}

var errLeftEarly = errors.New("left before the mic was open")

// send sends until ctx is done.
func (t *frameSender) sendUntil(ctx context.Context) {
	r := t.run
	last := measure.Bin(-1)
	for b := measure.BinAt(r.clock.Now()) + 1; r.sleepUntil(ctx, t.source.Intended(b)); b++ {
		if t.turns != nil && !t.turns.Speaking(t.seed, t.group, t.number, int(b)) {
			continue
		}
		if t.sendBin(b, b != last+1) {
			last = b
		}
	}
}

// sendBin sends the frame of bin b, unless the mic is muted.
func (t *frameSender) sendBin(b measure.Bin, first bool) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.muted {
		return false
	}
	if t.ignoresMute {
		t.source.SendIgnored(b)
	} else {
		t.source.Sending(b)
	}
	intended := t.source.Intended(b)
	late := t.run.clock.Now() - intended
	t.run.health.recordSend(late)
	t.run.tally.Sent(intended, late)
	if err := t.publisher.Send(t.source.Frame(b), t.sequence, t.timestamp+uint32(b)*measure.SamplesPerBin, first); err != nil && !t.ignoresMute {
		t.run.problems.add("send", err)
	}
	t.sequence++
	return true
}

// mute stops the sending, or takes it up again. After muting, the last frames
// are not owed: the server may have been told before it had them.
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

// defy goes on sending what nobody is owed any more, or ends that.
func (t *frameSender) ignoreMute(defiant bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.ignoresMute = defiant
	if defiant {
		t.source.Withdraw(inFlight)
	}
}

// Close stops the sending and closes the mic.
func (t *frameSender) Close() error {
	t.stop()
	t.done.Wait()
	t.source.Withdraw(inFlight)
	return t.publisher.Close()
}
