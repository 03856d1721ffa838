package netem

import (
	"net/netip"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/earshot-audio/earshot/loadgen/measure"
	"github.com/earshot-audio/earshot/loadgen/network"
)

// A link is the simulated network of one person: everything that their ear and
// their mic send and receive goes through it. It is safe for concurrent use.
type Impairment struct {
	emulator *Emulator
	queue    *delayQueue
	profile  *network.Profile

	mu       sync.Mutex
	up, down *network.Path
}

// send takes a packet of a client on its way to the server.
func (l *Impairment) Send(b []byte, to netip.AddrPort, from Endpoint) {
	l.enqueue(l.up, DelayedPacket{At: l.emulator.clock.Now(), Up: true, Body: b, Peer: to, to: from})
}

// receive takes a packet of the server, which the kernel received at a time, on
// its way to the client.
func (l *Impairment) Receive(b []byte, from netip.AddrPort, at time.Duration, to Endpoint) {
	l.enqueue(l.down, DelayedPacket{At: at, Body: b, Peer: from, to: to})
}

func (l *Impairment) enqueue(path *network.Path, p DelayedPacket) {
	if begun, steady := l.emulator.sinceSteady(p.At); steady && l.profile.Out(begun) {
		return
	}
	l.mu.Lock()
	arrives, fate := path.Pass(p.At, len(p.Body))
	l.mu.Unlock()
	if fate != network.Delivered {
		return
	}
	p.At = arrives
	l.queue.add(p)
}

// moved reports how a client's move to another address went.
func (l *Impairment) ReportRebind(err error) { l.emulator.report("rebind", err) }

// rebinds is how many times the address of the person's clients should have
// changed by now.
func (l *Impairment) Rebinds() int {
	since, steady := l.emulator.sinceSteady(l.emulator.clock.Now())
	if !steady || len(l.profile.Rebinds) == 0 {
		return 0
	}
	return l.profile.Rebound(since)
}

// newLinks makes a run's links. problem and late are called from any goroutine.
func NewEmulator(clock *measure.Clock, seed int64, problem func(doing string, err error), late func(time.Duration)) *Emulator {
	return &Emulator{clock: clock, seed: seed, report: problem, late: late}
}

// links makes the links of a run, and holds the relays that they share. Close
// ends them.
type Emulator struct {
	clock  *measure.Clock
	report func(doing string, err error) // takes what went wrong without ending the run
	seed   int64
	steady atomic.Int64 // when the arrivals were over, on the run's clock; 0 is not yet
	late   func(time.Duration)

	mu     sync.Mutex
	queues []*delayQueue // as many as are of use, from the first link on
	count  int
}

// begin begins the steady state, from which on outages and rebinds count.
func (n *Emulator) BeginSteady(at time.Duration) { n.steady.Store(int64(at)) }

// of makes the link of a person, who is the given one of their group and room;
// nil if they have no simulated network.
func (n *Emulator) NewImpairment(p *network.Profile, hall, group, person int) *Impairment {
	if p == nil {
		return nil
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.queues == nil {
		for range runtime.GOMAXPROCS(0) {
			n.queues = append(n.queues, newDelayQueue(n.clock, n.late))
		}
	}
	l := &Impairment{emulator: n, profile: p, queue: n.queues[n.count%len(n.queues)]}
	n.count++
	// Rooms, groups and people are fewer than 2^20 each.
	who := uint64(hall)<<41 | uint64(group)<<21 | uint64(person)<<1
	l.up = network.NewPath(p.Up, uint64(n.seed), who)
	l.down = network.NewPath(p.Down, uint64(n.seed), who|1)
	return l
}

// since is how long ago the arrivals were over; false if they are not.
func (n *Emulator) sinceSteady(t time.Duration) (time.Duration, bool) {
	steady := time.Duration(n.steady.Load())
	return t - steady, steady != 0
}

// Close ends the relays and waits for them.
func (n *Emulator) Close() {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, r := range n.queues {
		r.Close()
	}
}
