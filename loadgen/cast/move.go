package cast

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/earshot-audio/earshot/loadgen/client"
	"github.com/earshot-audio/earshot/loadgen/ledger"
)

// switchAfter is how long a person waits for a packet of the old ear, to change to the other between
// two packets: if nobody speaks there is none.
const switchAfter = 200 * time.Millisecond

// heardWithin is how long a person whose room has moved waits until somebody is heard there: those who speak move, too.
const heardWithin = 2 * time.Second

// earMoving is called when the server that has the person's ear will stop. As a browser's page does,
// they open another, and close the old one when the other is connected.
func (p *person) earMoving() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.left || p.away || p.account == nil || p.ear.busy || !p.ear.open {
		return
	}
	p.ear.busy = p.room.cast.Reopening.run(func(ctx context.Context) { p.moveEars(ctx, false) })
	p.ear.moving = p.ear.busy
}

// moveEars moves the ear, and opens another if one of them is lost meanwhile, or if it must go and none is open.
func (p *person) moveEars(ctx context.Context, must bool) {
	moved := p.moveEar(ctx, must)
	p.mu.Lock()
	lost := (p.ear.lost || must && !moved) && !p.left && ctx.Err() == nil
	p.ear.moving, p.ear.lost, p.ear.open, p.ear.busy = false, false, !lost, lost
	p.mu.Unlock()
	if lost {
		p.reopenEars(ctx)
	}
}

// moveEar opens another ear, changes to it between two packets, and closes the old one. If that does
// not succeed the old one stays. It reports whether it has. If the whole room moves, it changes when somebody is heard
// by the other.
func (p *person) moveEar(ctx context.Context, room bool) (moved bool) {
	trying, cancel := context.WithTimeout(ctx, actTimeout)
	defer cancel()
	p.mu.Lock()
	old := p.subscriber
	p.ear.another = true
	p.mu.Unlock()
	_, err := p.connect(trying, p.account.Receive)
	p.mu.Lock()
	next, left := p.subscriber, p.left
	if err != nil && !left {
		p.subscriber = old
	}
	p.mu.Unlock()
	switch {
	case left: // who leaves closes what they had then, or this does
		p.room.cast.Problems.Add("close an ear", errors.Join(old.Close(), next.Close()))
		return false
	case err != nil:
		p.room.cast.Problems.Add("open an ear elsewhere", err)
		if next != old {
			p.room.cast.Problems.Add("close an ear", next.Close())
		}
		return false
	}
	if room {
		awaitHeard(trying, next)
	}
	opened := p.changeTo(trying, old, next)
	p.closeEar(old)
	p.enterReopening(ctx, trying, opened, nil)
	return true
}

// awaitHeard waits until an ear that is not listened to receives something, for a while.
func awaitHeard(ctx context.Context, ear client.Subscriber) {
	var once sync.Once
	heard := make(chan struct{})
	ear.SetGate(func(ledger.Packet, client.PacketFunc) { once.Do(func() { close(heard) }) })
	wait := time.NewTimer(heardWithin)
	defer wait.Stop()
	select {
	case <-heard:
	case <-wait.C:
	case <-ctx.Done():
	}
}

// changeTo has the person hear next in place of old, after the next packet of old.
func (p *person) changeTo(ctx context.Context, old, next client.Subscriber) (opened ledger.Reopening) {
	var once sync.Once
	changed := make(chan struct{})
	change := func() {
		opened = p.account.Reopen(p.room.cast.Clock.Now())
		next.SetGate(nil)
		old.SetGate(client.Deaf)
		close(changed)
	}
	old.SetGate(func(packet ledger.Packet, deliver client.PacketFunc) {
		deliver(packet)
		once.Do(change)
	})
	soon := time.NewTimer(switchAfter)
	defer soon.Stop()
	select {
	case <-changed:
	case <-soon.C:
	case <-ctx.Done():
	}
	once.Do(change)
	return opened
}
