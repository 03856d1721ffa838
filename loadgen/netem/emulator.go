package netem

import (
	"net/netip"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/earshot-audio/earshot/loadgen/network"
	"github.com/earshot-audio/earshot/loadgen/timebase"
)

// An Impairment is the emulated network of one person. Everything that their clients
// send and receive goes through it. It is safe for concurrent use.
type Impairment struct {
	emulator *Emulator
	queue    *delayQueue
	profile  *network.Profile

	mu       sync.Mutex
	up, down *network.Path
}

// Send takes a client's packet that is bound for the server.
func (l *Impairment) Send(b []byte, to netip.AddrPort, from Endpoint) {
	l.enqueue(l.up, DelayedPacket{At: l.emulator.clock.Now(), Up: true, Body: b, Peer: to, to: from})
}

// Receive takes a packet that is bound for the client, with the time at which the kernel
// received it.
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

// ReportRebind reports the result of a client's rebind.
func (l *Impairment) ReportRebind(err error) { l.emulator.report("rebind", err) }

// Rebinds returns how many times the clients' address should have changed by now.
func (l *Impairment) Rebinds() int {
	since, steady := l.emulator.sinceSteady(l.emulator.clock.Now())
	if !steady || len(l.profile.Rebinds) == 0 {
		return 0
	}
	return l.profile.Rebound(since)
}

// NewEmulator makes a run's emulator. report is called with errors that do not end the
// run, late with how late a packet left for the server; both from any goroutine.
func NewEmulator(clock *timebase.Clock, seed int64, problem func(doing string, err error), late func(time.Duration)) *Emulator {
	return &Emulator{clock: clock, seed: seed, report: problem, late: late}
}

// An Emulator makes the impairments of a run and holds the queues that they share. Close
// ends the queues. It is safe for concurrent use.
type Emulator struct {
	clock  *timebase.Clock
	report func(doing string, err error)
	seed   int64
	steady atomic.Int64 // when the steady state began, on the run's clock; 0: not yet
	late   func(time.Duration)

	mu     sync.Mutex
	queues []*delayQueue // one for each core, made with the first impairment
	count  int
}

// BeginSteady begins the steady state, from which outages and rebinds count.
func (n *Emulator) BeginSteady(at time.Duration) { n.steady.Store(int64(at)) }

// NewImpairment makes the impairment of a person, who is identified by their room, group
// and number. It returns nil if p is nil.
func (n *Emulator) NewImpairment(p *network.Profile, room, group, number int) *Impairment {
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
	// There are fewer than 2^20 rooms, groups and people each.
	who := uint64(room)<<41 | uint64(group)<<21 | uint64(number)<<1
	l.up = network.NewPath(p.Up, uint64(n.seed), who)
	l.down = network.NewPath(p.Down, uint64(n.seed), who|1)
	return l
}

// sinceSteady returns the time since the steady state began. It reports false before
// that.
func (n *Emulator) sinceSteady(t time.Duration) (time.Duration, bool) {
	steady := time.Duration(n.steady.Load())
	return t - steady, steady != 0
}

// Close ends the queues and waits for them.
func (n *Emulator) Close() {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, r := range n.queues {
		r.Close()
	}
}
